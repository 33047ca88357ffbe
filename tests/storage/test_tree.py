from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firstlight.storage._tree import clean_text, nexus_name, read_tree, stored, write_text, write_tree

_TEXT = st.text(max_size=20)
_SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), _TEXT, st.binary(max_size=3).map(repr)
)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_TEXT, inner, max_size=4)),
    max_leaves=12,
)


@given(tree=st.dictionaries(_TEXT, _JSON, max_size=6))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_tree_can_be_written(tree: dict[str, Any]) -> None:
    with h5py.File("memory", "w", driver="core", backing_store=False) as file:
        group = file.create_group("g")
        write_tree(group, tree)
        read_tree(group)


def test_a_tree_comes_back_with_its_units_and_classes(tmp_path: Path) -> None:
    tree = {
        "gain": 2,
        "temperature": -10.5,
        "temperature@units": "degC",
        "name": "Zähler 1",
        "roi": {"@NX_class": "NXcollection", "x": [1, 2], "labels": ["a", "b"]},
        "on": True,
    }
    with h5py.File(tmp_path / "a.h5", "w") as file:
        write_tree(file.create_group("g"), tree, nx_class="NXdetector")
        assert read_tree(file["g"]) == {"@NX_class": "NXdetector", **tree}
        assert file["g/temperature"].attrs["units"] == "degC"


def test_what_no_array_can_hold_is_kept_as_json_text() -> None:
    assert stored([1, "two", None]) == '[1, "two", null]'
    assert stored(2**70) == str(2**70)
    np.testing.assert_array_equal(stored([[1, 2], [3, 4]]), [[1, 2], [3, 4]])
    assert stored([[1], [2, 3]]) == "[[1], [2, 3]]"


@pytest.mark.parametrize("text", ["a\0b", "\udc80broken", "line\nbreak", "ünïcode ✓", ""])
def test_text_that_hdf5_can_not_hold_is_made_visible_not_lost(text: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        dataset = write_text(file, "t", text)
        assert dataset[()].decode() == clean_text(text)
    assert "\0" not in clean_text(text)


def test_names_with_a_slash_stay_one_name(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        write_tree(file, {"m/s": 1, ".": 2, "x@": 3})
        assert "m_s" in file


def test_what_exists_is_kept_and_groups_are_merged(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        write_tree(file.create_group("g"), {"a": 1, "sub": {"x": 1}})
        write_tree(file["g"], {"a": 9, "sub": {"x": 9, "y": 2}})
        tree = read_tree(file["g"])
    assert (tree["a"], tree["sub"]["x"], tree["sub"]["y"]) == (1, 1, 2)


def test_nan_and_infinity_are_stored_as_such() -> None:
    assert math.isnan(stored(math.nan))
    assert stored(math.inf) == math.inf


def test_names_follow_blisswriter() -> None:
    assert nexus_name("cam:roi 1.avg") == "cam_roi_1_avg"
