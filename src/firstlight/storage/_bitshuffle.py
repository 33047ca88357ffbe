"""Bitshuffle-LZ4 chunks, compressed by threads with the very library that HDF5 reads them with.

hdf5plugin brings HDF5 filter 32008 as a shared library and offers no call to compress one chunk. The library exports
bitshuffle's own functions, which ctypes calls without holding Python's lock; through the filter pipeline of h5py the
same work runs under one global lock. The chunk format is the filter's: 8 bytes (big endian) of uncompressed size,
4 bytes of block size in bytes, then the stream of ``bshuf_compress_lz4``
(https://github.com/kiyo-masui/bitshuffle, ``src/bshuf_h5filter.c``).
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import ProcessError

_HEADER = struct.Struct(">QI")


@cache
def _library() -> ctypes.CDLL:
    import hdf5plugin

    path = hdf5plugin.get_config().registered_filters.get("bshuf")
    try:
        library = ctypes.CDLL(path)
        library.bshuf_compress_lz4.restype = ctypes.c_int64
        library.bshuf_compress_lz4.argtypes = [ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_size_t] * 3]
        library.bshuf_compress_lz4_bound.restype = ctypes.c_size_t
        library.bshuf_compress_lz4_bound.argtypes = [ctypes.c_size_t] * 3
        library.bshuf_default_block_size.restype = ctypes.c_size_t
        library.bshuf_default_block_size.argtypes = [ctypes.c_size_t]
    except (OSError, AttributeError, TypeError) as error:
        raise ProcessError(
            "The bitshuffle library of hdf5plugin can not be used to compress.",
            hint="Save with compression 'none', or install hdf5plugin from its wheel.",
        ) from error
    return library


def filter_options() -> tuple[int, tuple[int, ...]]:
    """Number and options of the HDF5 filter that reads the chunks."""
    import hdf5plugin

    chosen = hdf5plugin.Bitshuffle(nelems=0, cname="lz4")
    return int(chosen.filter_id), tuple(chosen.filter_options)


class Compressor:
    """Compresses frames of one shape and type in threads, in order.

    :param frame_size: values of one frame.
    :param threads: how many frames at a time.
    """

    def __init__(self, frame_size: int, dtype: np.dtype[Any], threads: int) -> None:
        self._library = _library()
        self._size, self._item = frame_size, dtype.itemsize
        self._block = int(self._library.bshuf_default_block_size(self._item))
        bound = int(self._library.bshuf_compress_lz4_bound(frame_size, self._item, self._block))
        # Memory is taken once: fresh pages would cost more than compressing into them.
        self._out = [np.zeros(_HEADER.size + bound, dtype=np.uint8) for _ in range(2 * threads)]
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="compress")

    def compress(self, frames: NDArray[Any]) -> Iterator[memoryview]:
        """The chunk of each frame, in order; each is valid until the next one is asked for.

        :param frames: C-contiguous array ``(n, ...)``.
        """
        pending: list[Future[memoryview]] = []
        for k in range(len(frames)):
            if len(pending) == len(self._out):
                yield pending.pop(0).result()
            pending.append(self._pool.submit(self._one, frames[k], self._out[k % len(self._out)]))
        for job in pending:
            yield job.result()

    def close(self) -> None:
        """Stop the threads."""
        self._pool.shutdown(wait=True)

    def _one(self, frame: NDArray[Any], out: NDArray[np.uint8]) -> memoryview:
        _HEADER.pack_into(out.data, 0, self._size * self._item, self._block * self._item)
        written = self._library.bshuf_compress_lz4(
            frame.ctypes.data, out.ctypes.data + _HEADER.size, self._size, self._item, self._block
        )
        if written < 0:
            raise ProcessError(f"Compressing a frame failed with bitshuffle error {written}.")
        return out.data[: _HEADER.size + written]
