"""A checksum nearly as fast as memory.

CRC-32 runs at 3 GB/s, as slow as writing the frame itself. The data are therefore folded first: read as 64-bit words in
rows of 509, the columns are summed, and the CRC-32 of the row of sums is taken. Any changed, lost or zeroed page
changes a sum; and because 509 is prime to the 512 words of a page, pages that changed places do too.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROW = 509
_WORD = 8


def digest(data: NDArray[Any] | bytes | memoryview) -> int:
    """The 32-bit checksum of contiguous data.

    :param data: a C-contiguous array, or bytes.
    """
    octets = data.reshape(-1).view(np.uint8) if isinstance(data, np.ndarray) else np.frombuffer(data, dtype=np.uint8)
    words = octets[: octets.size // _WORD * _WORD].view(np.uint64)
    rows = words.size // _ROW
    check = zlib.crc32(octets[words.size * _WORD :].tobytes(), octets.size & 0xFFFFFFFF)
    check = zlib.crc32(words[rows * _ROW :].tobytes(), check)
    return zlib.crc32(np.add.reduce(words[: rows * _ROW].reshape(rows, _ROW), axis=0).tobytes(), check)
