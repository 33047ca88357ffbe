from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import BaseModel

from firstlight.model import (
    Block,
    CameraInfo,
    ChannelKind,
    ChannelSpec,
    FrameStamp,
    InvalidInput,
    PlotHint,
    Quantity,
    Ragged,
    RunInfo,
    Scan,
    ScanKind,
    TriggerMode,
    TriggerPlan,
    WireError,
)
from firstlight.wire import pack, register, unpack

plain = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary()
)
keys = st.text() | st.integers(-(2**63), 2**64 - 1) | st.booleans()
hashable = st.recursive(plain, lambda inner: st.lists(inner).map(tuple) | st.frozensets(inner), max_leaves=10)
values = st.recursive(
    plain | st.sampled_from([TriggerMode.TIME, ChannelKind.RING, FrameStamp(1.0, 2.0, 3)]),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(keys, inner)
        | st.sets(hashable)
        | st.frozensets(hashable)
    ),
    max_leaves=20,
)


def same(a: Any, b: Any) -> bool:
    """Equal, and of the same types all the way down (1, 1.0 and True are equal otherwise)."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    return bool(a == b)


@given(values)
def test_plain_values_cross_unharmed(value: object) -> None:
    assert same(unpack(pack(value)), value)


dtypes = (
    hnp.boolean_dtypes()
    | hnp.integer_dtypes(endianness="?")
    | hnp.unsigned_integer_dtypes(endianness="?")
    | hnp.floating_dtypes(endianness="?")
    | hnp.complex_number_dtypes(endianness="?")
    | hnp.datetime64_dtypes(endianness="?")
    | hnp.byte_string_dtypes()
    | hnp.unicode_string_dtypes()
)


@given(hnp.arrays(dtypes | hnp.array_dtypes(dtypes), hnp.array_shapes(min_dims=0, min_side=0, max_side=4)))
def test_arrays_of_any_type_and_shape_cross_unharmed(array: np.ndarray[Any, Any]) -> None:
    got = unpack(pack(array))
    assert (got.dtype, got.shape) == (array.dtype, array.shape)
    assert got.tobytes() == array.tobytes()
    assert got.flags.writeable


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[::2, ::-1],
        lambda a: a.T,
        lambda a: np.asfortranarray(a),
        lambda a: a[1],
        lambda a: np.broadcast_to(a[0, 0], (3, 4)),
    ],
)
def test_arrays_that_are_not_contiguous_cross(view: Callable[[Any], Any]) -> None:
    array = view(np.arange(24, dtype="<u2").reshape(4, 6))
    got = unpack(pack(array))
    np.testing.assert_array_equal(got, array)
    assert got.flags.c_contiguous


@pytest.mark.parametrize("number", [np.float32(1.5), np.uint16(7), np.bool_(True), np.complex64(1 + 2j), np.float64(2)])
def test_numpy_numbers_keep_their_type(number: np.generic) -> None:
    got = unpack(pack(number))
    assert type(got) is type(number)
    assert got == number


@pytest.mark.parametrize(
    "value",
    [
        TriggerPlan(mode=TriggerMode.POSITION, points=3, exposure=0.1, axis="rot", first=-1.0, step=0.5),
        CameraInfo((512, 640), "<u2", frozenset(TriggerMode), 0.001, 100.0),
        ChannelSpec("cam:roi", "<f4", (2, 3), "count", "cam", ChannelKind.RING, info={"selection": [1, 2]}),
        Scan(name="ascan", title="ascan rot 0 1", kind=ScanKind.STEP, path={"type": "Line"}, counters=("diode",)),
        RunInfo(
            name="ct",
            title="ct 1",
            start_epoch=1.0,
            shape=(2, 3),
            plots=(PlotHint(x="rot", y=("diode",)),),
            positioners={"rot": Quantity(value=1.0, unit="deg")},
            devices={"cam": {"mode": "time", "roi": [1, 2, None]}},
        ),
        FrameStamp(1.0, 2.0),
    ],
)
def test_values_of_the_model_cross_unharmed(value: object) -> None:
    got = unpack(pack([value]))[0]
    assert got == value
    assert type(got) is type(value)


def test_blocks_cross_with_their_arrays() -> None:
    block = Block("peaks", 5, Ragged(np.arange(4.0), np.array([0, 1, 4])), 1.5)
    got = unpack(pack(block))
    assert (got.channel, got.first, got.time) == ("peaks", 5, 1.5)
    assert [item.tolist() for item in got.values] == [[0.0], [1.0, 2.0, 3.0]]


@register
@dataclass
class Point:
    x: float
    tags: tuple[str, ...] = ()


@register
class Colour(Enum):
    RED = (1, 0, 0)


def test_registered_classes_cross() -> None:
    assert unpack(pack({"p": Point(1.0, ("a",)), "c": Colour.RED})) == {"p": Point(1.0, ("a",)), "c": Colour.RED}


def test_only_classes_of_values_can_be_registered_and_names_are_unique() -> None:
    with pytest.raises(InvalidInput, match="no dataclass"):
        register(dict)
    with pytest.raises(InvalidInput, match="Another class named Point"):
        register(dataclass(type("Point", (), {})))
    assert register(Point) is Point


class Secret(BaseModel):
    word: str


@pytest.mark.parametrize(
    "value",
    [
        object(),
        Secret(word="x"),
        [Path],
        {1.5j: 1},
        {(1, 2): 3},
        2**64,
        np.array([object()]),
        "\ud800",
        lambda: None,
    ],
)
def test_what_cannot_cross_is_refused_where_it_is_sent(value: object) -> None:
    with pytest.raises(InvalidInput):
        pack({"deep": [value]})


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    with pytest.raises(InvalidInput, match="contains itself"):
        pack(value)


def test_a_path_becomes_text() -> None:
    assert unpack(pack(Path("/data/x.h5"))) == "/data/x.h5"


extensions = st.builds(
    lambda code, inner: msgspec.msgpack.encode(msgspec.msgpack.Ext(code, inner)),
    st.integers(-5, 10),
    st.binary(max_size=60) | values.map(pack) | st.lists(values, max_size=3).map(pack),
)


@given(st.binary(max_size=200) | extensions)
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_are_a_value_or_a_wire_error(data: bytes) -> None:
    with suppress(WireError):
        unpack(data)


@pytest.mark.parametrize("name", ["Scan", "Clock", "FirstlightError", "os", "Secret", "missing_value"])
def test_only_known_values_are_made_of_what_arrives(name: str) -> None:
    data = msgspec.msgpack.encode(msgspec.msgpack.Ext(4, msgspec.msgpack.encode([name, {"word": "x"}])))
    with pytest.raises(WireError):
        unpack(data)


def test_an_array_of_objects_that_arrives_is_refused() -> None:
    data = msgspec.msgpack.encode(msgspec.msgpack.Ext(2, msgspec.msgpack.encode(["|O", [1], b"\0" * 8])))
    with pytest.raises(WireError, match="objects"):
        unpack(data)
