"""Runs as xarray datasets: dimensions from the scan, units kept, frames lazy."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest

from firstlight.data import Run
from firstlight.data._resolver import Resolver
from firstlight.model import ChannelKind, ChannelRole, ChannelSpec, InvalidInput, MissingExtra
from tests.data.conftest import SPECS, ArraySource, items_of, make_info

xarray = pytest.importorskip("xarray")
pytest.importorskip("dask")


def test_a_line_has_points_and_its_axes_as_coordinates(run: Run) -> None:
    found = run.to_xarray()
    assert found.sizes["point"] == 10
    assert set(found.coords) == {"rot"}
    assert found["diode"].dims == ("point",)
    assert found["diode"].attrs["units"] == "A"
    assert found["rot"].attrs["units"] == "deg"
    assert found["mca"].dims == ("point", "mca_bin")
    assert found["cam"].dims == ("point", "cam_row", "cam_column")
    assert found.attrs["left_out"] == ["peaks"]
    assert found.attrs["title"] == run.title
    for spec in SPECS[:5]:
        np.testing.assert_array_equal(found[spec.name].values, items_of(spec, 10))
        assert found[spec.name].dtype == np.dtype(spec.dtype)


def test_frames_are_read_when_they_are_computed(run: Run, source: ArraySource) -> None:
    found = run.to_xarray()
    assert source.made["cam"].reads == 0
    np.testing.assert_array_equal(found["cam"][3, 1:3].values, run["cam"][3, 1:3])
    assert found["cam"].data.chunks[1:] == ((4,), (6,))
    assert float(found["cam"].mean()) == pytest.approx(np.mean(run["cam"][:]))


def test_one_channel_is_a_dask_array(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firstlight.data._xarray.CHUNK", 3 * SPECS[4].item_nbytes)
    frames = run["cam"].to_dask()
    assert frames.chunks == ((3, 3, 3, 1), (4,), (6,))
    np.testing.assert_array_equal(frames[2:5, 1].compute(), run["cam"][2:5, 1])
    with pytest.raises(InvalidInput, match="ragged"):
        run["peaks"].to_dask()


def test_a_growing_run_is_cut_to_the_points_that_all_have(run: Run, source: ArraySource) -> None:
    source.made["diode"].append([1.0, 2.0])
    assert run.to_xarray().sizes["point"] == 10


def test_online_results_that_lag_are_missing_not_zero() -> None:
    source = ArraySource(make_info(online=("roi", "sums", "flags")))
    source.add(ChannelSpec("diode"), np.arange(4.0))
    source.add(ChannelSpec("roi"), [7.0, 8.0])
    source.add(ChannelSpec("flags", dtype="<u1"), [1])
    source.add(ChannelSpec("sums", dtype="<i4", shape=(2,)), [[1, 2]])
    found = Run(Resolver(source, None)).to_xarray()
    np.testing.assert_array_equal(found["roi"].values, [7, 8, np.nan, np.nan])
    np.testing.assert_array_equal(found["flags"].values, [1, 255, 255, 255])
    np.testing.assert_array_equal(found["sums"].values, [[1, 2], [-1, -1], [-1, -1], [-1, -1]])


@pytest.mark.parametrize("back_and_forth", [False, True])
@pytest.mark.parametrize("done", [12, 9, 4, 0])
@pytest.mark.parametrize("down", [False, True])
def test_a_mesh_has_its_axes_as_dimensions(back_and_forth: bool, done: int, down: bool) -> None:
    y, x = np.meshgrid([10.0, 20.0, 30.0], [1.0, 2.0, 3.0, 4.0], indexing="ij")
    if down:
        x = x[:, ::-1]
    if back_and_forth:
        x[1] = x[1][::-1].copy()
    flat_x, flat_y = x.ravel()[:done], y.ravel()[:done]
    rng = np.random.default_rng(1)
    source = ArraySource(make_info(axes=("sy", "sx"), shape=(3, 4), plots=()))
    source.add(ChannelSpec("sy", unit="mm", role=ChannelRole.AXIS), flat_y + 0.01 * rng.normal(size=done))
    source.add(ChannelSpec("sx", unit="mm", role=ChannelRole.AXIS), flat_x + 0.01 * rng.normal(size=done))
    value = 100 * flat_y + flat_x
    source.add(ChannelSpec("diode"), value)
    frame = ChannelSpec("cam", dtype="<u2", shape=(2, 2), kind=ChannelKind.RING, role=ChannelRole.FRAME)
    source.add(frame, np.broadcast_to(value[:, None, None], (done, 2, 2)))
    found = Run(Resolver(source, None)).to_xarray()
    if not done:
        assert found["diode"].dims == ("point",)
        return
    assert found["diode"].dims == ("sy", "sx")
    assert found["cam"].dims == ("sy", "sx", "cam_row", "cam_column")
    np.testing.assert_allclose(found["sx"], [4, 3, 2, 1] if down else [1, 2, 3, 4], atol=0.05)
    np.testing.assert_allclose(found["sy"][: done // 4], [10, 20, 30][: done // 4], atol=0.05)
    cells = found["diode"].values
    assert np.count_nonzero(~np.isnan(cells)) == done
    for i in range(done // 4):
        for j in range(4):
            assert cells[i, j] == 1000 * (i + 1) + (4 - j if down else j + 1)
    frames = found["cam"].values
    np.testing.assert_array_equal(frames[..., 0, 0][~np.isnan(cells)], cells[~np.isnan(cells)])
    assert (frames[np.isnan(cells)] == 65535).all()


def test_a_mesh_whose_axis_did_not_move_keeps_the_order_of_acquisition() -> None:
    source = ArraySource(make_info(axes=("sy", "sx"), shape=(2, 3), plots=()))
    source.add(ChannelSpec("sy"), np.zeros(6))
    source.add(ChannelSpec("sx"), np.zeros(6))
    source.add(ChannelSpec("diode"), np.arange(6.0))
    found = Run(Resolver(source, None)).to_xarray()
    np.testing.assert_array_equal(found["diode"].values, [[0, 1, 2], [3, 4, 5]])


def test_the_absence_of_xarray_names_the_extra(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    known = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "xarray":
            raise ModuleNotFoundError("No module named 'xarray'", name="xarray")
        return known(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtra, match=r"firstlight\[lab\]"):
        run.to_xarray()
