"""Channel descriptions, blocks and ragged items."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.model import Block, ChannelKind, ChannelRole, ChannelSpec, InvalidInput, Ragged, missing_value

names = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_:.-]{0,20}", fullmatch=True)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=6,
)
specs = st.builds(
    ChannelSpec,
    name=names,
    dtype=st.sampled_from(["<f8", "<f4", "<u2", "<i4", "|u1", "<c16"]),
    shape=st.lists(st.integers(1, 4096), max_size=3).map(tuple),
    unit=st.sampled_from(["", "mm", "count/s"]),
    source=names,
    kind=st.sampled_from(ChannelKind),
    role=st.sampled_from(ChannelRole),
    info=st.dictionaries(st.text(), json_values, max_size=3),
)


@given(specs)
def test_a_description_survives_its_json(spec: ChannelSpec) -> None:
    assert ChannelSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_a_description_written_by_a_newer_version_can_be_read() -> None:
    assert ChannelSpec.from_json({"name": "diode", "colour": "red"}) == ChannelSpec("diode")


@given(specs)
def test_the_size_of_an_item_is_the_size_numpy_gives_it(spec: ChannelSpec) -> None:
    assert spec.item_nbytes == math.prod(spec.shape) * np.dtype(spec.dtype).itemsize


@pytest.mark.parametrize("name", ["", ".hidden", "..", "a/b", "a b", "a\0b", "a\n", "../../etc/passwd"])
def test_a_name_that_could_leave_its_folder_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="is not a channel name"):
        ChannelSpec(name)


def test_python_objects_are_refused() -> None:
    with pytest.raises(InvalidInput, match="Python objects"):
        ChannelSpec("objects", dtype="|O")


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("<u1", 255), ("<u2", 65535), ("<u8", 2**64 - 1), ("<i2", -1), ("<i8", -1), ("|b1", 0)],
)
def test_missing_integers_are_the_largest_or_minus_one(dtype: str, expected: int) -> None:
    assert missing_value(np.dtype(dtype)) == expected
    assert ChannelSpec("c", dtype=dtype).fill == expected


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<c16"])
def test_missing_floats_are_not_a_number(dtype: str) -> None:
    assert math.isnan(missing_value(np.dtype(dtype)))


@given(st.lists(st.lists(st.integers(0, 100), max_size=5), max_size=6))
def test_ragged_items_come_out_as_they_went_in(items: list[list[int]]) -> None:
    offsets = np.concatenate([[0], np.cumsum([len(item) for item in items])]).astype(np.int64)
    flat: list[Any] = [value for item in items for value in item]
    ragged = Ragged(np.array(flat, dtype=np.int64), offsets)
    assert len(ragged) == len(items)
    assert [item.tolist() for item in ragged] == items
    assert [ragged[i - len(items)].tolist() for i in range(len(items))] == items
    for beyond in (len(items), -len(items) - 1):
        with pytest.raises(IndexError):
            ragged[beyond]


def test_a_block_is_as_long_as_its_items() -> None:
    assert len(Block("cam", 3, np.zeros((4, 2, 2)), 0.0)) == 4
    assert len(Block("peaks", 0, Ragged(np.zeros(5), np.array([0, 2, 5])), 0.0)) == 2
