"""The chain from projections to a volume."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.model import Conflict, InvalidInput, RunAborted, StorageFull
from firstlight.simulation import tooth
from firstlight.tasks.tomography import (
    Options,
    Projections,
    open_projections,
    process,
    reduce_references,
    remove_rings,
    sinograms,
)
from tests.tasks.tomography.conftest import PIXEL, Sample

h5py = pytest.importorskip("h5py")

FAST = Options(axis=47.3, filter="ramp")
"""No search for the axis, where it is not the question."""


def volume(path: Path) -> NDArray[np.float32]:
    with h5py.File(path) as file:
        return np.asarray(file["entry/data/data"][()])


def inside(size: int) -> NDArray[np.bool_]:
    x = np.arange(size) - (size - 1) / 2
    disc: NDArray[np.bool_] = np.hypot(x[:, None], x[None]) <= 0.9 * size / 2
    return disc


def test_the_volume_is_the_sample_in_attenuation_per_metre(
    scan: Callable[..., Projections], sample: Sample, tmp_path: Path
) -> None:
    result = process(scan(), tmp_path / "v.h5", options=Options())
    assert result.axis.position == pytest.approx(47.3, abs=0.3)
    assert result.shape == (6, 96, 96)
    assert result.unit == "1/m"
    assert result.warnings == ()
    found = volume(result.volume) * PIXEL
    truth = sample.truth(6, 96)
    error = (found - truth)[:, inside(96)]
    assert np.sqrt(np.mean(error**2)) < 0.15 * truth.max()
    bulk = truth[2] == np.median(truth[2][truth[2] > 0])
    assert found[2][bulk].mean() == pytest.approx(truth[2][bulk].mean(), rel=0.02)
    assert np.corrcoef(found[:, inside(96)].ravel(), truth[:, inside(96)].ravel())[0, 1] > 0.95


def test_a_volume_made_in_many_small_slabs_equals_that_made_at_once(
    scan: Callable[..., Projections], tmp_path: Path
) -> None:
    projections = scan(rows=7)
    seen: list[tuple[str, int, int]] = []
    whole = process(projections, tmp_path / "whole.h5", options=FAST)
    slabs = process(
        projections,
        tmp_path / "slabs.h5",
        options=FAST.model_copy(update={"memory": 1}),
        progress=lambda *news: seen.append(news),
    )
    assert np.array_equal(volume(slabs.volume), volume(whole.volume))
    assert [done for stage, done, total in seen if stage == "slices" and total == 7] == [0, 2, 4, 6]
    with h5py.File(whole.volume) as one, h5py.File(slabs.volume) as other:
        sums = "entry/reconstruction/sha256"
        assert {k: one[f"{sums}/{k}"][()] for k in one[sums]} == {k: other[f"{sums}/{k}"][()] for k in other[sums]}


class Counted:
    """Frames that note how much of them is read at once."""

    def __init__(self, frames: NDArray[Any]) -> None:
        self._frames = frames
        self.shape = frames.shape
        self.dtype = frames.dtype
        self.largest = 0

    def __getitem__(self, key: tuple[slice, slice]) -> NDArray[Any]:
        part = self._frames[key]
        self.largest = max(self.largest, part.nbytes)
        return part


def test_never_more_frames_are_read_than_memory_allows(scan: Callable[..., Projections], tmp_path: Path) -> None:
    projections = scan(rows=24)
    assert isinstance(projections.frames, np.ndarray)
    counted = Counted(projections.frames)
    limit = projections.frames.nbytes
    process(replace(projections, frames=counted), tmp_path / "v.h5", options=FAST.model_copy(update={"memory": limit}))
    assert counted.largest < limit / 4


def test_rows_and_size_can_be_chosen(scan: Callable[..., Projections], tmp_path: Path) -> None:
    projections = scan()
    whole = process(projections, tmp_path / "whole.h5", options=FAST)
    part = process(projections, tmp_path / "part.h5", options=FAST.model_copy(update={"rows": (2, 5), "size": 80}))
    assert part.shape == (3, 80, 80)
    middle = volume(whole.volume)[2:5, 8:-8, 8:-8]
    assert np.allclose(volume(part.volume)[:, inside(80)], middle[:, inside(80)], atol=2e-3 * middle.max())
    with h5py.File(part.volume) as file:
        assert file["entry/data/z"][()] == pytest.approx((np.arange(2, 5) - 2.5) * PIXEL)
        assert file["entry/data/x"][()] == pytest.approx((np.arange(80) - 39.5) * PIXEL)


def test_the_result_tells_how_it_was_made(scan: Callable[..., Projections], tmp_path: Path) -> None:
    projections = replace(scan(), file="raw.h5", entry="/entry0000")
    result = process(projections, tmp_path / "v.h5", options=Options(rings="sorting", ring_size=9))
    with h5py.File(result.volume) as file:
        entry = file["entry"]
        assert entry["definition"][()] == b"NXtomoproc"
        assert entry["sample/name"][()] == b"tooth"
        made = entry["reconstruction"]
        assert made["program"][()] == b"firstlight.tasks.tomography"
        chosen = made["parameters"]
        assert chosen["raw_file"][()] == b"raw.h5"
        assert chosen["raw_entry"][()] == b"/entry0000"
        assert chosen["rings"][()] == b"sorting"
        assert chosen["axis"][()] == result.axis.position
        assert chosen["flats_used"][()] == b"[10, 10]"
        assert b"finufft" in chosen["libraries"][()]
        found = made["rotation_axis"]
        assert [m.decode() for m in found["methods"][()]] == ["registration", "vo", "sharpness"]
        assert np.allclose(found["estimates"][()], [e.axis for e in result.axis.estimates])
        digest = hashlib.sha256(np.ascontiguousarray(entry["data/data"][()]).data).hexdigest()
        assert made["sha256/volume"][()].decode() == digest
        rows = b"".join(np.ascontiguousarray(projections.frames[0:180, r : r + 1]).tobytes() for r in range(6))
        assert made["sha256/frames"][()].decode() == hashlib.sha256(rows).hexdigest()


def test_phase_retrieval_smooths_and_does_so_alike_in_slabs(scan: Callable[..., Projections], tmp_path: Path) -> None:
    projections = replace(scan(rows=12, counts=2000.0), energy=25.0, distance=0.02)
    options = FAST.model_copy(update={"delta_beta": 200.0})
    plain = process(projections, tmp_path / "plain.h5", options=FAST)
    whole = process(projections, tmp_path / "whole.h5", options=options)
    slabs = process(projections, tmp_path / "slabs.h5", options=options.model_copy(update={"memory": 1}))
    smooth, rough = volume(whole.volume), volume(plain.volume)
    assert smooth[:, inside(96)].std() < rough[:, inside(96)].std()
    assert smooth.sum() == pytest.approx(rough.sum(), rel=0.05)
    assert np.allclose(volume(slabs.volume), smooth, atol=0.01 * smooth.max())


def test_phase_retrieval_without_an_energy_is_refused_before_any_work(
    scan: Callable[..., Projections], tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match="needs the energy and the distance"):
        process(scan(), tmp_path / "v.h5", options=Options(delta_beta=100.0))


def test_rings_are_removed_when_asked(scan: Callable[..., Projections], tmp_path: Path) -> None:
    projections = scan()
    assert isinstance(projections.frames, np.ndarray)
    frames = projections.frames.copy()
    frames[:, :, 60] = (frames[:, :, 60] * 0.5).astype(np.uint16)
    striped = replace(projections, frames=frames)
    with_rings = volume(process(striped, tmp_path / "a.h5", options=FAST).volume)
    options = FAST.model_copy(update={"rings": "sorting", "ring_size": 9})
    without = volume(process(striped, tmp_path / "b.h5", options=options).volume)
    clean = volume(process(projections, tmp_path / "c.h5", options=FAST).volume)
    air = inside(96) & (clean[2] < 0.1 * clean.max())
    assert np.abs((without - clean)[:, air]).mean() < 0.6 * np.abs((with_rings - clean)[:, air]).mean()


def test_a_sample_wider_than_the_detector_is_noticed(tmp_path: Path, scan: Callable[..., Projections]) -> None:
    projections = scan(axis=20.0, width=40)
    result = process(projections, tmp_path / "v.h5", options=Options(axis=20.0))
    assert any("wider than the detector" in warning for warning in result.warnings)
    with h5py.File(result.volume) as file:
        assert file["entry/reconstruction/parameters/padding"][()] == b"edge"


def test_what_is_not_known_is_said(scan: Callable[..., Projections], tmp_path: Path) -> None:
    result = process(replace(scan(), darks=None, pixel_size=None), tmp_path / "v.h5", options=FAST)
    assert result.unit == "1/pixel"
    assert any("pixel size" in w for w in result.warnings)
    assert any("no darks" in w for w in result.warnings)


def test_an_existing_result_is_not_replaced_unasked(scan: Callable[..., Projections], tmp_path: Path) -> None:
    target = tmp_path / "deep" / "er" / "v.h5"
    process(scan(), target, options=FAST)
    before = target.read_bytes()
    with pytest.raises(Conflict, match="exists already"):
        process(scan(), target, options=FAST)
    assert target.read_bytes() == before
    process(scan(seed=2), target, options=FAST.model_copy(update={"overwrite": True}))
    assert target.read_bytes() != before


@pytest.mark.parametrize("taken", [False, True])
def test_a_file_system_without_links_gets_its_result_too(
    scan: Callable[..., Projections], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool
) -> None:
    def refuse(_: Path, target: Path) -> None:
        if taken:
            target.write_text("somebody else's")
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    if taken:
        with pytest.raises(Conflict, match="appeared meanwhile"):
            process(scan(), tmp_path / "v.h5", options=FAST)
        assert (tmp_path / "v.h5").read_text() == "somebody else's"
    else:
        assert process(scan(), tmp_path / "v.h5", options=FAST).volume.is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["v.h5"]


def test_a_stopped_reconstruction_leaves_nothing_behind(scan: Callable[..., Projections], tmp_path: Path) -> None:
    slabs = []

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "slices" and total == 6:
            slabs.append(done)

    with pytest.raises(RunAborted):
        process(
            scan(),
            tmp_path / "v.h5",
            picture=tmp_path / "v.png",
            options=FAST.model_copy(update={"memory": 1}),
            progress=progress,
            stopping=lambda: len(slabs) == 2,
        )
    assert list(tmp_path.iterdir()) == []


def test_a_failure_in_the_picture_leaves_no_volume_either(
    scan: Callable[..., Projections], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise InvalidInput("no ink")

    monkeypatch.setattr("firstlight.tasks.tomography._picture.draw", fail)
    with pytest.raises(InvalidInput, match="no ink"):
        process(scan(), tmp_path / "v.h5", picture=tmp_path / "v.png", options=FAST)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("problem", "error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left"), StorageFull, "the disk is full"),
        (OSError(errno.EROFS, "Read-only file system"), InvalidInput, "read-only"),
        (PermissionError(errno.EACCES, "Permission denied"), InvalidInput, "Permission denied"),
    ],
    ids=["full", "read-only", "forbidden"],
)
def test_a_disk_that_refuses_is_told_in_words(
    scan: Callable[..., Projections],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    problem: OSError,
    error: type[Exception],
    words: str,
) -> None:
    def refuse(*_: object) -> None:
        raise problem

    monkeypatch.setattr("firstlight.tasks.tomography._nexus.VolumeFile.write", refuse)
    with pytest.raises(error, match=words):
        process(scan(), tmp_path / "v.h5", options=FAST)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_the_result_is_told(scan: Callable[..., Projections], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is a folder"):
        process(scan(), tmp_path, options=FAST)
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="cannot be made"):
        process(scan(), tmp_path / "file" / "v.h5", options=FAST)


def test_rows_that_are_not_there_are_refused(scan: Callable[..., Projections], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Rows 3 to 9"):
        process(scan(), tmp_path / "v.h5", options=Options(rows=(3, 9)))


def test_the_file_is_what_readers_of_nexus_expect(scan: Callable[..., Projections], tmp_path: Path) -> None:
    nexus = pytest.importorskip("nexusformat.nexus")
    result = process(scan(), tmp_path / "v.h5", options=FAST)
    root = nexus.nxload(str(result.volume))
    shown = root.get_default()
    assert shown.nxpath == "/entry/data"
    assert shown.nxsignal.shape == (6, 96, 96)
    assert [axis.nxname for axis in shown.nxaxes] == ["z", "y", "x"]
    assert shown.nxsignal.attrs["units"] == "1/m"


def test_nxvalidate_finds_no_error(scan: Callable[..., Projections], tmp_path: Path) -> None:
    validate = pytest.importorskip("nexusformat.nexus.validate")
    result = process(scan(), tmp_path / "v.h5", options=Options(delta_beta=10.0, energy=20.0, distance=0.1))
    _, errors = validate.validate_application(str(result.volume))
    assert errors == 0
    _, errors = validate.validate_file(str(result.volume))
    assert errors == 0


def test_the_real_tooth_is_reconstructed_as_astra_does(tooth_file: Path, tmp_path: Path) -> None:
    astra = pytest.importorskip(
        "astra", reason="optional: astra-toolbox (GPL) is not installed, nothing to compare with"
    )
    axis, width, left = 295.5, 640, 48
    # Astra wants the axis in the middle: 48 columns more on the left put 295.5 there without interpolation.
    with open_projections(tooth_file) as projections:
        result = process(projections, tmp_path / "v.h5", options=Options(axis=axis, size=width + left))
        lines, _ = sinograms(projections, reduce_references(projections), 0, 1)
        angles = projections.angles
    sinogram = np.pad(lines[0], ((0, 0), (left, 0)))
    geometry = astra.create_proj_geom("parallel", 1.0, width + left, np.deg2rad(angles))
    space = astra.create_vol_geom(width + left, width + left)
    configuration = astra.astra_dict("FBP")
    configuration["ProjectorId"] = astra.create_projector("linear", geometry, space)
    configuration["ProjectionDataId"] = astra.data2d.create("-sino", geometry, sinogram)
    configuration["ReconstructionDataId"] = astra.data2d.create("-vol", space)
    astra.algorithm.run(astra.algorithm.create(configuration))
    theirs = astra.data2d.get(configuration["ReconstructionDataId"])[::-1]
    astra.clear()
    x = np.arange(width + left) - (width + left - 1) / 2
    disc = np.hypot(x[:, None], x[None]) <= axis
    assert np.corrcoef(volume(result.volume)[0][disc], theirs[disc])[0, 1] >= 0.99


def test_ring_removal_needs_no_more_than_a_sinogram() -> None:
    large = Sample(tooth().scaled(60.0), 0.9).lines(np.arange(90) * 2, 1, 160, 80)[:, 0].astype(np.float32)
    assert remove_rings(large).shape == large.shape
