from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from firstlight.model import ChannelSpec
from firstlight.storage._column import Column, as_declared, chunk_items


@pytest.mark.parametrize(
    "dtype", ["<f8", ">f4", "<i2", "|u1", "|b1", "<c16", "|S5", "<U3", "<M8[us]", "<f2", "S8,S4,<i8"]
)
def test_every_type_comes_back(tmp_path: Path, dtype: str) -> None:
    values = np.zeros(7, dtype=dtype) if "," in dtype else np.arange(7).astype(dtype)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        column = Column(file, "c", np.dtype(dtype), (), 4)
        column.append(values[:3])
        column.append(values[3:])
        column.append(values[:0])
        found = as_declared(file["c"][()], ChannelSpec("c", dtype))
    assert found.dtype == values.dtype
    np.testing.assert_array_equal(found, values)


def test_appends_grow_the_dataset_and_what_was_never_written_reads_as_missing(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        column = Column(file, "c", np.dtype("<u2"), (3,), 8)
        column.append(np.ones((2, 3), dtype=np.uint16))
        column.id.set_extent((4, 3))
        np.testing.assert_array_equal(file["c"][2:], np.full((2, 3), 65535))


@pytest.mark.parametrize(
    ("nbytes", "rate", "expected", "items"),
    [
        (8, 1.0, None, 64),  # slow: 512 bytes
        (8, 1000.0, None, 1024),  # a second
        (8, 1e9, None, 131072),  # never beyond 1 MiB
        (8, 1000.0, 10, 10),  # never beyond the run
        (16384, 1.0, None, 1),
        (2**23, 100.0, None, 1),
    ],
)
def test_a_chunk_holds_a_second_of_items(nbytes: int, rate: float, expected: int | None, items: int) -> None:
    assert chunk_items(nbytes, rate=rate, expected=expected) == items


def test_a_short_run_does_not_blow_the_file_up(tmp_path: Path) -> None:
    """1000 channels of 10 values: what is not data is HDF5's own description of 1000 datasets, some 3 kB each."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        for k in range(1000):
            group = file.create_group(f"g{k}")
            Column(group, "data", np.dtype("<f8"), (), chunk_items(8, rate=1.0, expected=10)).append(np.arange(10.0))
    empty = tmp_path / "b.h5"
    with h5py.File(empty, "w") as file:
        for k in range(1000):
            Column(file.create_group(f"g{k}"), "data", np.dtype("<f8"), (), 10)

    assert path.stat().st_size - empty.stat().st_size < 1000 * (80 + 2200)
    assert path.stat().st_size < 5_500_000


def test_growth_costs_no_space_beyond_the_data(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    values: np.ndarray[Any, np.dtype[np.float64]] = np.arange(100_000.0)
    with h5py.File(path, "w") as file:
        column = Column(file, "c", np.dtype("<f8"), (), 1024)
        for at in range(0, len(values), 100):
            column.append(values[at : at + 100])
            if at % 10_000 == 0:
                file.flush()
    assert path.stat().st_size < 1.1 * values.nbytes
