"""The picture of a reconstruction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from firstlight.tasks.tomography import Axis, AxisEstimate, Options, Overview, Projections, draw, process
from firstlight.tasks.tomography._nexus import Grid
from firstlight.tasks.tomography._picture import _metres, _round

image = pytest.importorskip("PIL.Image")


def overview(slices: int = 40, size: int = 64, voxel: tuple[float, float] | None = (1e-6, 1e-6)) -> Overview:
    rng = np.random.default_rng(1)
    return Overview(
        slice=rng.random((size, size), dtype=np.float32),
        row=3,
        sinogram=rng.random((90, size), dtype=np.float32),
        angles=(0.0, 179.0),
        front=rng.random((slices, size), dtype=np.float32),
        side=rng.random((slices, size), dtype=np.float32),
        grid=Grid((0, slices), size, slices, voxel),
        axis=Axis(31.2, 9.0, (AxisEstimate("vo", 31.2), AxisEstimate("registration", float("nan"), "no")), "Look."),
        title="tooth",
    )


@pytest.mark.parametrize("slices", [1, 2, 40, 1000])
@pytest.mark.parametrize("voxel", [None, (1e-6, 1e-6), (3e-6, 1e-6)])
def test_any_shape_of_volume_has_a_picture(slices: int, voxel: tuple[float, float] | None) -> None:
    picture = draw(overview(slices, voxel=voxel))
    assert picture.mode == "RGB"
    assert 1000 < picture.width < 2000
    assert 800 < picture.height < 3000
    levels = np.asarray(picture.convert("L"))
    assert levels.min() < 40
    assert levels.max() == 255


@pytest.mark.parametrize(("slices", "left", "width"), [(2, 2 * 24 + 760, 520), (40, 24, 760)])
def test_the_axis_is_marked_where_it_is_on_the_sinogram(slices: int, left: int, width: int) -> None:
    """The sinogram stands beside the slice where thin cuts leave room, and under it otherwise."""
    pixels = np.asarray(draw(overview(slices))).astype(int)
    red = (pixels[..., 0] > 240) & (pixels[..., 1] < 90) & (pixels[..., 2] < 80)
    column = int(np.argmax(red.sum(axis=0)))
    assert column == pytest.approx(left + (31.2 + 0.5) / 64 * width, abs=2)


def test_a_uniform_volume_has_a_picture_too() -> None:
    flat = overview()
    draw(Overview(**{**{f: getattr(flat, f) for f in flat.__slots__}, "slice": np.zeros((64, 64), np.float32)}))


@pytest.mark.parametrize(("length", "rounded"), [(1.0, 1.0), (1.9, 1.0), (4.99, 2.0), (0.0007, 0.0005), (130.0, 100.0)])
def test_scale_bars_have_round_lengths(length: float, rounded: float) -> None:
    assert _round(length) == pytest.approx(rounded)


@pytest.mark.parametrize(("length", "text"), [(2e-3, "2 mm"), (5e-4, "0.5 mm"), (5e-5, "50 um"), (1e-8, "10 nm")])
def test_lengths_are_written_in_the_unit_that_fits(length: float, text: str) -> None:
    assert _metres(length) == text


def test_the_chain_stores_a_png(scan: Callable[..., Projections], tmp_path: Path) -> None:
    result = process(scan(), tmp_path / "v.h5", picture=tmp_path / "gallery" / "v.png", options=Options(axis=47.3))
    assert result.picture == tmp_path / "gallery" / "v.png"
    with image.open(result.picture) as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
