"""Binary answers that a browser maps without copying.

Four bytes ``FLB1``, the length of the header (uint32, little endian), the header in JSON, padded with spaces so that
the arrays begin at a multiple of 8, then the arrays, each padded to a multiple of 8.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.data import Channel
from firstlight.model import NotFound

MAGIC = b"FLB1"
MEDIA = "application/vnd.firstlight.payload"
_SENT = {"f4", "f8", "u1", "u2", "u4", "i1", "i2", "i4"}


def pack(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """One answer.

    :param header: JSON values; ``arrays`` is added.
    :param arrays: by name. What browsers have no array for is converted: booleans to ``u1``, halves to ``f4``, 64-bit
        integers and longer floats to ``f8``.
    """
    described, parts, offset = [], [], 0
    for name, given in arrays.items():
        array = sendable(given)
        data = array.tobytes()
        described.append(
            {
                "name": name,
                "dtype": array.dtype.str[1:],
                "shape": list(array.shape),
                "offset": offset,
                "nbytes": len(data),
            }
        )
        padding = -len(data) % 8
        parts += [data, b"\0" * padding]
        offset += len(data) + padding
    text = json.dumps({**header, "arrays": described}, allow_nan=False).encode()
    text += b" " * (-len(text) % 8)
    return b"".join((MAGIC, len(text).to_bytes(4, "little"), text, *parts))


def unpack(data: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The inverse, for programs and tests."""
    if data[:4] != MAGIC:
        raise ValueError("no payload")
    length = int.from_bytes(data[4:8], "little")
    header = json.loads(data[8 : 8 + length])
    arrays = {
        part["name"]: np.frombuffer(
            data,
            np.dtype("<" + part["dtype"]),
            int(np.prod(part["shape"], dtype=np.int64)),
            8 + length + part["offset"],
        ).reshape(part["shape"])
        for part in header["arrays"]
    }
    return header, arrays


def sendable(array: NDArray[Any]) -> NDArray[Any]:
    """Little endian, contiguous, of a type that browsers have."""
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "b":
        array = array.view(np.uint8) if array.flags.c_contiguous else array.astype(np.uint8)
    elif kind == "f" and size == 2:
        array = array.astype("<f4")
    elif f"{kind}{size}" not in _SENT:
        array = array.astype("<f8")
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))


def real(channel: Channel) -> Channel:
    """The channel, when its values are real numbers.

    :raises NotFound: they are complex, texts, times or records, which neither a plot nor a payload can hold.
    """
    dtype = np.dtype(channel.spec.dtype)
    if dtype.kind not in "biuf":
        raise NotFound(f"{channel.name} holds {dtype} and no real numbers.", hint="Read it with Python.")
    return channel


def number(value: Any) -> float | int | None:
    """A number as JSON has it; None for what JSON does not have."""
    found = value.item() if isinstance(value, np.generic) else value
    if isinstance(found, float) and not np.isfinite(found):
        return None
    return found if isinstance(found, int | float) else None
