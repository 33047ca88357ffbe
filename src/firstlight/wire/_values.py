"""Values as bytes, and back as what they were.

msgpack alone would turn tuples into lists, and enums, dataclasses and pydantic models into plain values. Here each of
these, and numpy arrays, is a msgpack extension that says what it is, so that the receiver needs no description.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from enum import Enum, IntEnum
from pathlib import PurePath
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.lib.format import descr_to_dtype, dtype_to_descr
from numpy.typing import NDArray
from pydantic import BaseModel

from firstlight import model
from firstlight.model import InvalidInput, WireError

_Class = TypeVar("_Class", bound=type)


class _Code(IntEnum):
    """Extension types."""

    TUPLE = 1
    ARRAY = 2
    NUMBER = 3
    OBJECT = 4
    ENUM = 5
    SET = 6
    FROZENSET = 7


class _Array(msgspec.Struct, array_like=True):
    dtype: Any
    shape: tuple[int, ...]
    # A bytearray, so that the array made of it is writable without a copy.
    data: bytearray


class _Named(msgspec.Struct, array_like=True):
    name: str
    value: Any


_PLAIN = frozenset({type(None), bool, int, float, str, bytes})
_classes: dict[str, type] = {}


def register(cls: _Class) -> _Class:
    """Let instances of a dataclass, pydantic model or enum cross the wire, by the name of the class; a decorator.

    The public ones of ``firstlight.model`` cross already. Both ends must have registered the class.
    """
    if not _is_value(cls):
        raise InvalidInput(f"{cls.__name__} is no dataclass, pydantic model or enum.")
    if _find(cls.__name__) not in (None, cls):
        raise InvalidInput(f"Another class named {cls.__name__} crosses the wire already.")
    _classes[cls.__name__] = cls
    return cls


def pack(value: object) -> bytes:
    """A value as bytes.

    None, bool, int (64 bits), float, str, bytes, list, tuple, set, frozenset, dictionaries with keys of these plain
    kinds, numpy arrays and scalars without objects, registered classes; a path becomes text.

    :raises InvalidInput: a value of another type, or one nested too deeply.
    """
    try:
        return _encoder.encode(_pack(value))
    except RecursionError as error:
        raise InvalidInput("A value is nested too deeply to cross the wire, or contains itself.") from error
    except (OverflowError, ValueError, TypeError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"A value cannot cross the wire: {error}.") from error


def unpack(data: bytes | memoryview | msgspec.Raw) -> Any:
    """The inverse of :func:`pack`; arrays are writable.

    :raises WireError: when the bytes are no packed value.
    """
    try:
        return _decoder.decode(data)
    except (
        msgspec.MsgspecError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        MemoryError,
        SyntaxError,
    ) as error:
        raise WireError(f"A value from the wire cannot be read: {error}.") from error


def _is_value(cls: object) -> bool:
    return isinstance(cls, type) and (dataclasses.is_dataclass(cls) or issubclass(cls, BaseModel | Enum))


def _find(name: str) -> type | None:
    if name in _classes:
        return _classes[name]
    cls = getattr(model, name, None) if name in model.__all__ else None
    return cls if _is_value(cls) else None


def _name(value: object) -> str:
    cls = type(value)
    if _find(cls.__name__) is not cls:
        raise InvalidInput(
            f"A value of type {cls.__name__} cannot cross the wire.", hint="Register its class with wire.register."
        )
    return cls.__name__


def _extension(code: _Code, value: object) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(int(code), _encoder.encode(value))


def _pack(value: object) -> object:
    """Replace what msgpack would harm by extensions."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Enum):
        return _extension(_Code.ENUM, _Named(_name(value), _pack(value.value)))
    if isinstance(value, np.ndarray):
        return _extension(_Code.ARRAY, _pack_array(value))
    if isinstance(value, np.generic):
        return _extension(_Code.NUMBER, _pack_array(np.asarray(value)))
    if isinstance(value, list):
        return [_pack(item) for item in value]
    if isinstance(value, tuple):
        return _extension(_Code.TUPLE, [_pack(item) for item in value])
    if isinstance(value, frozenset):
        return _extension(_Code.FROZENSET, [_pack(item) for item in value])
    if isinstance(value, set):
        return _extension(_Code.SET, [_pack(item) for item in value])
    if isinstance(value, Mapping):
        for key in value:
            if type(key) not in _PLAIN:
                raise InvalidInput(f"A dictionary with a key of type {type(key).__name__} cannot cross the wire.")
        return {key: _pack(item) for key, item in value.items()}
    if isinstance(value, PurePath):
        return str(value)
    return _extension(_Code.OBJECT, _pack_object(value))


def _pack_array(array: NDArray[Any]) -> _Array:
    if array.dtype.hasobject:
        raise InvalidInput("An array of Python objects cannot cross the wire.")
    return _Array(_pack(dtype_to_descr(array.dtype)), array.shape, bytearray(array.tobytes()))


def _pack_object(value: object) -> _Named:
    name = _name(value)
    if isinstance(value, BaseModel):
        fields = list(type(value).model_fields)
    else:
        assert dataclasses.is_dataclass(value)
        fields = [field.name for field in dataclasses.fields(value) if field.init]
    return _Named(name, {field: _pack(getattr(value, field)) for field in fields})


def _unpack(code: int, data: memoryview) -> object:
    match code:
        case _Code.TUPLE:
            return tuple(_list_decoder.decode(data))
        case _Code.ARRAY:
            return _unpack_array(data)
        case _Code.NUMBER:
            return _unpack_array(data)[()]
        case _Code.SET:
            return set(_list_decoder.decode(data))
        case _Code.FROZENSET:
            return frozenset(_list_decoder.decode(data))
        case _Code.ENUM | _Code.OBJECT:
            named = _named_decoder.decode(data)
            cls = _find(named.name)
            if cls is None:
                raise ValueError(f"this process knows no {named.name}")
            return cls(named.value) if code == _Code.ENUM else cls(**named.value)
        case _:
            raise ValueError(f"extension {code} is unknown")


def _unpack_array(data: memoryview) -> NDArray[Any]:
    packed = _array_decoder.decode(data)
    dtype = descr_to_dtype(packed.dtype)
    if dtype.hasobject:
        raise ValueError("an array of Python objects")
    if not packed.data:
        return np.empty(packed.shape, dtype)
    array: NDArray[Any] = np.frombuffer(packed.data, dtype).reshape(packed.shape)
    return array


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ext_hook=_unpack)
_list_decoder = msgspec.msgpack.Decoder(list[Any], ext_hook=_unpack)
_named_decoder = msgspec.msgpack.Decoder(_Named, ext_hook=_unpack)
_array_decoder = msgspec.msgpack.Decoder(_Array, ext_hook=_unpack)
