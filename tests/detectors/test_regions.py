"""Counters of regions of a camera: the step, the camera that asks for it, and what is published."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from firstlight.buffer import Buffer
from firstlight.detectors import Camera
from firstlight.detectors._acquisition import Acquisition
from firstlight.detectors._regions import RegionStep, step
from firstlight.model import ChannelSpec, InvalidInput, TriggerMode, TriggerPlan
from firstlight.process import Supervisor

MakeRun = Callable[..., Any]
FRAME = ChannelSpec("cam", "<u2", (8, 10), "count", "cam")


def read(buffer: Buffer, run: Any, name: str) -> Any:
    channel = buffer.run(run.key).channel(name)
    return channel.read(0, channel.count)


def process(regions: dict[str, Any], frame: Any, spec: ChannelSpec = FRAME) -> dict[str, Any]:
    made = RegionStep(regions)
    channels = {channel.name: channel for channel in made.prepare(spec)}
    values = dict(made.process(0, frame))
    assert values.keys() == channels.keys()
    for name, value in values.items():
        assert value.dtype == np.dtype(channels[name].dtype)
        assert value.shape == channels[name].shape
    assert list(made.finish()) == []
    return values


def test_a_region_gives_its_statistics_and_profiles() -> None:
    frame = np.arange(80, dtype="<u2").reshape(8, 10)
    region = {"x": 2, "y": 1, "width": 3, "height": 2, "profiles": ["horizontal", "vertical"]}
    values = process({"spot": region}, frame)
    part = frame[1:3, 2:5]
    assert values["cam:spot_sum"] == part.sum()
    assert (values["cam:spot_min"], values["cam:spot_max"]) == (12.0, 24.0)
    assert values["cam:spot_mean"] == pytest.approx(part.mean())
    assert values["cam:spot_std"] == pytest.approx(part.std())
    assert values["cam:spot_horizontal"].tolist() == part.sum(axis=0).tolist()
    assert values["cam:spot_vertical"].tolist() == part.sum(axis=1).tolist()


def test_a_grid_is_counted_at_once_into_one_array() -> None:
    frame = np.arange(80, dtype="<u2").reshape(8, 10)
    grid = {"x": 1, "y": 2, "columns": 3, "rows": 2, "cell": [3, 2], "statistics": ["sum", "mean", "max"]}
    values = process({"map": grid}, frame)
    cells = frame[2:6, 1:10].reshape(2, 2, 3, 3).swapaxes(1, 2)
    assert values["cam:map_sum"].tolist() == cells.sum(axis=(2, 3)).tolist()
    np.testing.assert_allclose(values["cam:map_mean"], cells.mean(axis=(2, 3)))
    assert values["cam:map_max"].tolist() == cells.max(axis=(2, 3)).tolist()
    apart = process({"map": {**grid, "cell": [1, 1], "step": [4, 3], "statistics": ["sum"]}}, frame)
    assert apart["cam:map_sum"].tolist() == frame[2:8:3, 1:10:4].tolist()


def test_a_collection_is_counted_in_the_order_of_its_regions() -> None:
    frame = np.arange(80, dtype="<u2").reshape(8, 10)
    regions = {"b": [0, 0, 2, 1], "a": [3, 3, 1, 1], "ring": [5, 4, 0, 3, 0, 360]}
    values = process({"spots": {"regions": regions, "statistics": ["sum", "min"]}}, frame)
    alone = process(regions, frame)
    assert values["cam:spots_sum"].tolist() == [alone[f"cam:{name}_sum"] for name in regions]
    assert values["cam:spots_min"].tolist() == [alone[f"cam:{name}_min"] for name in regions]
    (channel,) = step({"spots": [[0, 0, 2, 1], [3, 3, 1, 1]]}).prepare(FRAME)
    assert (channel.name, channel.shape, channel.dtype) == ("cam:spots_sum", (2,), "<i8")
    assert channel.info["selection"]["names"] == ["r0", "r1"]
    assert channel.info["selection"]["regions"]["r1"] == {"kind": "rectangle", "x": 3, "y": 3, "width": 1, "height": 1}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"x": 1, "y": 0, "columns": 5, "rows": 2, "cell": [2, 2]}, "columns 1 to 10 and rows 0 to 3 leave the frame"),
        ({"x": 0, "y": 0, "columns": 0, "rows": 2, "cell": [2, 2]}, "columns: Input should be greater"),
        ({"x": 0, "y": 0, "columns": 1, "rows": 1}, "cell: Field required"),
        ([[0, 0, 2, 1], [9, 0, 2, 1]], "r1: columns 9 to 10"),
        ([[0, 0, 2, 1], [9, 0]], "a region is "),
        ({"regions": {}}, "regions: "),
        ({"regions": {"a": {"x": 0, "y": 0, "width": 1, "height": 1, "statistics": ["sum"]}}}, "statistics of its own"),
    ],
)
def test_many_regions_that_do_not_fit_are_refused(given: Any, why: str) -> None:
    with pytest.raises(InvalidInput, match=f"cam: region many: .*{why}"):
        step({"many": given}).prepare(FRAME)


@pytest.mark.parametrize("dtype", ["|u1", "<u4", "<u8", "<f4", "<i2"])
def test_every_type_of_frame_is_counted(dtype: str) -> None:
    frame = np.full((8, 10), 7, dtype)
    spec = ChannelSpec("cam", dtype, (8, 10), "count", "cam")
    values = process({"a": [0, 0, 10, 8], "ring": [5, 4, 0, 3, 0, 360]}, frame, spec)
    assert values["cam:a_sum"] == 560
    assert values["cam:ring_mean"] == 7.0
    assert values["cam:a_sum"].dtype.kind == ("f" if dtype in ("<u8", "<f4") else "i")


def test_channels_say_where_they_come_from() -> None:
    made = step({"spot": {"x": 2, "y": 1, "width": 3, "height": 2, "statistics": ["sum"]}})
    (channel,) = made.prepare(FRAME)
    assert (channel.name, channel.unit, channel.source) == ("cam:spot_sum", "count", "cam")
    assert channel.info["selection"] == {"kind": "rectangle", "x": 2, "y": 1, "width": 3, "height": 2}
    with pytest.raises(InvalidInput, match="leave the frame"):
        step({"spot": [8, 0, 3, 1]}).prepare(FRAME)


def test_a_frame_that_is_missing_gives_missing_counts(buffer: Buffer, make_run: MakeRun, sources: Any) -> None:
    run = make_run()
    plan = TriggerPlan(mode=TriggerMode.POSITION, points=4, exposure=0.0)
    acquisition = Acquisition(
        "cam", sources.Counting(lose=[0, 2]), buffer.join(run.key), plan, steps=[RegionStep({"a": [0, 0, 2, 2]})]
    )
    acquisition.prepare()
    acquisition._moment = 0.0
    acquisition.finished.add_done_callback(lambda _: setattr(acquisition, "_stopping", True))
    acquisition.run()
    assert read(buffer, run, "cam:a_sum").tolist() == [-1, 4, -1, 12]
    assert np.isnan(read(buffer, run, "cam:a_mean")).tolist() == [True, False, True, False]


@pytest.fixture
def camera(supervisor: Supervisor, buffer: Buffer) -> Camera:
    source = {"kind": "camera_sources:counting", "shape": [4, 6], "rois": {"spot": [1, 1, 2, 3]}}
    return Camera.spawn(supervisor, "cam", source, buffer.root)


async def acquire(camera: Camera, run: Any, **options: Any) -> list[str]:
    plan = TriggerPlan(mode=TriggerMode.SOFTWARE, points=3, exposure=0.0)
    made = await camera.prepare(run.key, plan, **options)
    for count in range(1, 4):
        await camera.trigger()
        await camera.wait_frames(count)
    await camera.stop()
    return [spec.name for spec in made]


STAMPS = ["cam:start", "cam:stop", "cam:status"]
PARTS = ["sum", "mean", "std", "min", "max"]


def test_a_camera_counts_in_regions_that_may_change_between_runs(
    camera: Camera, make_run: MakeRun, buffer: Buffer
) -> None:
    told: list[dict[str, Any]] = []
    camera.changed.append(lambda changed: told.append(changed.settings()))

    async def body() -> None:
        run = make_run()
        made = await acquire(camera, run)
        assert made == ["cam", *STAMPS, *(f"cam:spot_{part}" for part in PARTS)]
        assert made == [spec.name for spec in camera.channels()]
        assert read(buffer, run, "cam:spot_sum").tolist() == [0, 6, 12]
        camera.rois["edge"] = {"x": 0, "y": 0, "width": 6, "height": 1, "statistics": ["sum"]}
        del camera.rois["spot"]
        run = make_run()
        assert await acquire(camera, run) == ["cam", *STAMPS, "cam:edge_sum"]
        assert read(buffer, run, "cam:edge_sum").tolist() == [0, 6, 12]
        camera.rois.clear()
        assert await acquire(camera, make_run()) == ["cam", *STAMPS]

    asyncio.run(body())
    assert [list(settings["rois"]) for settings in told] == [["spot", "edge"], ["edge"], []]
    assert camera.restore({"rois": {"big": [0, 0, 60, 60]}})[0].startswith("cam: region big: ")
    assert camera.restore(told[0]) == []
    assert list(camera.rois) == ["spot", "edge"]
    assert camera.settings() == told[0]
    for name, region, words in (
        ("spot", (5, 0, 2, 1), "leave the frame"),
        ("status", (0, 0, 1, 1), "is called status"),
    ):
        with pytest.raises(InvalidInput, match=words):
            camera.rois[name] = region


def test_many_regions_are_kept_as_settings_and_counted_when_asked_for(
    camera: Camera, make_run: MakeRun, buffer: Buffer
) -> None:
    camera.rois["map"] = {"x": 0, "y": 0, "columns": 3, "rows": 2, "cell": (2, 2), "statistics": ("sum", "std")}
    camera.rois["spots"] = [(0, 0, 1, 1), (2, 2, 2, 2), (3, 2, 0, 2, 0, 360)]
    kept = camera.settings()
    regions = dict(camera.rois.items())
    camera.rois.clear()
    assert camera.restore(kept) == []
    assert dict(camera.rois.items()) == regions

    async def body() -> None:
        run = make_run()
        made = await acquire(camera, run, only=["cam:map_sum", "cam:spots_sum"])
        assert made == [*STAMPS, "cam:map_sum", "cam:spots_sum"]
        counts = read(buffer, run, "cam:map_sum")
        assert counts.shape == (3, 2, 3)
        assert counts[2].tolist() == [[8] * 3] * 2
        assert read(buffer, run, "cam:spots_sum")[1, :2].tolist() == [1, 4]

    asyncio.run(body())


def test_only_what_is_asked_for_is_published(camera: Camera, make_run: MakeRun, buffer: Buffer) -> None:
    async def body() -> None:
        run = make_run()
        made = await acquire(camera, run, only=["cam:spot_sum", "cam:spot_max"])
        assert made == [*STAMPS, "cam:spot_sum", "cam:spot_max"]
        assert sorted(buffer.run(run.key).channels) == sorted(made)
        assert read(buffer, run, "cam:spot_sum").tolist() == [0, 6, 12]
        assert read(buffer, run, "cam:status").tolist() == [0, 0, 0]
        assert await acquire(camera, make_run(), only=["cam"]) == ["cam", *STAMPS]

    asyncio.run(body())
