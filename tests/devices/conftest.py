"""Recorded tomographies as files, small and made up, and a real one where it is at hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray


@dataclass
class Tomography:
    """Frames that tell their kind and number: projections are 1000 + k, flats 500 + k, darks 10 + k."""

    projections: NDArray[Any]
    flats: NDArray[Any]
    darks: NDArray[Any]
    angles: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))


def numbered(count: int, first: int, shape: tuple[int, int], dtype: str) -> NDArray[Any]:
    column = np.arange(shape[1]) / 1024.0 if np.dtype(dtype).kind == "f" else np.zeros(shape[1])
    frames = (first + np.arange(count))[:, None, None] + np.zeros(shape) + column
    return frames.astype(dtype)


@pytest.fixture
def tomography() -> Callable[..., Tomography]:
    def make(n: int = 19, shape: tuple[int, int] = (6, 8), dtype: str = "<u2", turn: float = 180.0) -> Tomography:
        return Tomography(
            numbered(n, 1000, shape, dtype), numbered(4, 500, shape, dtype), numbered(3, 10, shape, dtype),
            np.linspace(0.0, turn, n),
        )  # fmt: skip

    return make


@pytest.fixture
def data_exchange(tmp_path: Path, tomography: Callable[..., Tomography]) -> Callable[..., Path]:
    def write(name: str = "scan.h5", *, radians: bool = False, leave_out: str = "", **settings: Any) -> Path:
        made = tomography(**settings)
        path = tmp_path / name
        with h5py.File(path, "w") as file:
            file["implements"] = "exchange"
            file["exchange/data"] = made.projections
            file["exchange/data_dark"] = made.darks
            file["exchange/data_white"] = made.flats
            theta = file.create_dataset("exchange/theta", data=np.radians(made.angles) if radians else made.angles)
            theta.attrs["units"] = "rad" if radians else "degrees"
            if leave_out:
                del file[leave_out]
        return path

    return write


@pytest.fixture(scope="session")
def tooth_file() -> Path:
    """The real tomography of a tooth, kept beside the repository."""
    named = os.environ.get("FIRSTLIGHT_TEST_DATA")
    folder = Path(named) if named else Path(__file__).parents[2].parent / "shared" / "data"
    path = folder / "tooth.h5"
    if not path.is_file():
        pytest.skip("data: tooth.h5 is not here (FIRSTLIGHT_TEST_DATA, or ../shared/data beside the repository)")
    return path
