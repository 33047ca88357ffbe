"""A checksum as fast as memory.

CRC-32 runs at 3 GB/s, as slow as writing the frame itself. The data are therefore folded first: read as 64-bit words in
rows of 512 and again of 509, the columns are summed, and the CRC-32 of the two rows of sums is taken. Any changed,
lost or zeroed page changes a sum; pages that changed places keep the first row and change the second, because 509 is
prime to 512.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS = (512, 509)
_WORD = 8


def digest(data: NDArray[Any] | bytes | memoryview) -> int:
    """The 32-bit checksum of contiguous data.

    :param data: a C-contiguous array, or bytes.
    """
    octets = data.reshape(-1).view(np.uint8) if isinstance(data, np.ndarray) else np.frombuffer(data, dtype=np.uint8)
    words = octets[: octets.size // _WORD * _WORD].view(np.uint64)
    check = zlib.crc32(octets[words.size * _WORD :].tobytes(), octets.size & 0xFFFFFFFF)
    for width in _ROWS:
        rows = words.size // width
        check = zlib.crc32(np.add.reduce(words[: rows * width].reshape(rows, width), axis=0).tobytes(), check)
        check = zlib.crc32(words[rows * width :].tobytes(), check)
    return check
