from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from firstlight.devices import Axis, SoftAxis, SoftCounter
from firstlight.model import Block, ChannelSpec, RunState, TriggerMode, TriggerPlan
from firstlight.scanning import amesh, ascan, ct, dscan, loopscan, timescan
from tests.scanning.conftest import Beamline, sealed_and_whole


def test_a_step_scan_rests_at_every_point_described(beamline: Beamline) -> None:
    scan = ascan("rot", 0, 10, 5, 0.1, "beam")
    outcome = beamline.engine.run(scan)
    assert outcome.ok
    assert outcome.points == 6
    np.testing.assert_allclose(beamline.run["rot"], beamline.engine.dry_run(scan).positions["rot"])
    assert set(beamline.run.channels) == {"rot", "diode", "ring", "elapsed_time", "epoch"}
    sealed_and_whole(beamline.run)


def test_a_mesh_visits_every_point_of_its_grid(beamline: Beamline) -> None:
    beamline.engine.run(amesh("rot", 0, 2, 2, "sy", 5, 6, 1, 0.1, backnforth=True))
    np.testing.assert_allclose(beamline.run["rot"], [0, 1, 2, 2, 1, 0])
    np.testing.assert_allclose(beamline.run["sy"], [5, 5, 5, 6, 6, 6])
    assert beamline.run.info.axes == ("sy", "rot")
    assert beamline.run.info.shape == (2, 3)


def test_a_relative_scan_returns_to_where_it_began(beamline: Beamline) -> None:
    beamline.engine.move({"rot": 30.0})
    beamline.engine.run(dscan("rot", -2, 2, 2, 0.1))
    np.testing.assert_allclose(beamline.run["rot"], [28, 30, 32])
    assert beamline.rot.position == 30.0
    assert beamline.run.end is not None
    assert beamline.run.end.positioners["rot"].value == 30.0


def test_an_absolute_scan_stays_at_its_end(beamline: Beamline) -> None:
    beamline.engine.run(ascan("rot", 0, 4, 2, 0.1))
    assert beamline.rot.position == 4.0


def test_an_axis_with_another_sign_and_offset_scans_in_user_units(beamline: Beamline) -> None:
    axis = Axis(SoftAxis("e", lambda: place[0], lambda p: place.__setitem__(0, p)), sign=-1, offset=10.0)
    place = [0.0]
    beamline.add(axis)
    beamline.engine.run(ascan("e", 0, 4, 2, 0.1))
    np.testing.assert_allclose(beamline.run["e"], [0, 2, 4])
    assert place == [6.0]


def test_what_is_recorded_is_where_the_axis_really_is(beamline: Beamline) -> None:
    place = [0.0]

    def lazy(target: float) -> None:
        place[0] = target * 0.9

    beamline.add(Axis(SoftAxis("lazy", lambda: place[0], lazy)))
    beamline.engine.run(ascan("lazy", 0, 10, 2, 0.1))
    np.testing.assert_allclose(beamline.run["lazy"], [0, 4.5, 9])


def test_times_are_those_of_each_exposures_beginning(beamline: Beamline) -> None:
    beamline.engine.run(loopscan(4, 0.5, sleep_time=0.25))
    np.testing.assert_allclose(beamline.run["elapsed_time"], [0, 0.75, 1.5, 2.25])
    epoch = beamline.run["epoch"]
    np.testing.assert_allclose(epoch - epoch[0], beamline.run["elapsed_time"], atol=1e-6)
    assert beamline.run.info.start_epoch == pytest.approx(epoch[0], abs=1)


def test_the_axis_settles_after_each_motion_and_only_then(beamline: Beamline) -> None:
    beamline.engine.run(amesh("soft", 0, 1, 1, "sy", 0, 0, 1, 0.0, stab_time=2.0))
    np.testing.assert_allclose(np.diff(beamline.run["elapsed_time"]), 2.0, atol=1e-6)


def test_a_count_gives_one_point_and_is_not_saved(beamline: Beamline) -> None:
    outcome = beamline.engine.run(ct(0.1, "ring"))
    assert outcome.points == 1
    assert beamline.run.info.saving is None
    assert beamline.run["ring"].shape == (1,)


def test_a_time_scan_of_a_given_length_ends_by_itself(beamline: Beamline) -> None:
    assert beamline.engine.run(timescan(0.1, npoints=7)).points == 7


def test_the_shutter_is_open_during_the_acquisition_alone(beamline: Beamline) -> None:
    beamline.engine.run(loopscan(3, 0.1))
    assert np.all(beamline.run["diode"] > 0)
    assert not beamline.shutter.is_open
    beamline.engine.run(loopscan(3, 0.1, shutter="closed"))
    assert np.all(beamline.run["diode"] == 0)


def test_a_shutter_left_as_it_is_stays_so(beamline: Beamline) -> None:
    asyncio.run(beamline.shutter.open())
    beamline.clock.advance(1.0)
    beamline.engine.run(loopscan(3, 0.1, shutter="as-is"))
    assert beamline.shutter.is_open


def test_a_camera_in_a_step_scan_gives_one_frame_a_point(beamline: Beamline) -> None:
    beamline.engine.run(ascan("rot", 0, 4, 4, 0.1, "cam", "diode"))
    np.testing.assert_array_equal(beamline.run["cam"][:, 0, 0], np.arange(5))
    begun = beamline.run["elapsed_time"] + (beamline.run["cam:start"][0] - beamline.run["elapsed_time"][0])
    np.testing.assert_allclose(beamline.run["cam:start"], begun, atol=1e-3)
    sealed_and_whole(beamline.run)


def test_the_description_travels_with_the_run(beamline: Beamline) -> None:
    beamline.engine.move({"sy": 3.0})
    beamline.engine.run(ascan("rot", 0, 4, 4, 0.1, "beam", "cam"))
    info = beamline.run.info
    assert info.name == "ascan"
    assert info.title == "ascan rot 0 4 4 0.1 beam cam"
    assert info.npoints == 5
    assert info.count_time == 0.1
    assert (info.plots[0].x, info.plots[0].y) == ("rot", ("diode", "ring"))
    assert (info.positioners["sy"].value, info.positioners["sy"].unit) == (3.0, "mm")
    assert info.devices["rot"]["velocity"] == 20.0
    assert info.devices["cam"]["acq_parameters"]["acq_expo_time"] == 0.1
    assert info.parameters["count_time"] == 0.1
    assert info.clock_offset == pytest.approx(beamline.clock.epoch(0.0))


def test_an_axis_that_is_off_does_not_keep_others_from_scanning(beamline: Beamline) -> None:
    def off() -> float:
        raise ConnectionError("no power")

    beamline.add(Axis(SoftAxis("off", off, lambda p: None)))
    assert beamline.engine.run(ascan("rot", 0, 1, 1, 0.1)).ok
    assert "off" not in beamline.run.info.positioners


class Spectrum:
    """A counter with a spectrum and a number, which waits."""

    name = "mca"
    channels: Sequence[ChannelSpec] = (ChannelSpec("mca:spectrum", "<u4", (8,)), ChannelSpec("mca:live", "<f4"))
    modes = frozenset({TriggerMode.SOFTWARE})

    def __init__(self, clock: Any) -> None:
        self._clock = clock
        self._points = 0

    async def prepare(self, plan: TriggerPlan) -> None:
        await asyncio.sleep(0)

    async def start(self, moment: float) -> None:
        self._points += 1
        await self._clock.sleep_until(moment + 0.01)

    async def read(self) -> Sequence[Any]:
        await asyncio.sleep(0)
        return np.full(8, self._points), 0.5

    def collect(self) -> Sequence[Block]:
        return ()

    async def stop(self) -> None:
        await asyncio.sleep(0)


def test_a_counter_that_waits_gives_spectra(beamline: Beamline) -> None:
    beamline.add(Spectrum(beamline.clock))
    beamline.engine.run(loopscan(3, 0.1, "mca", "diode"))
    np.testing.assert_array_equal(beamline.run["mca:spectrum"][:, 0], [1, 2, 3])
    assert beamline.run["mca:live"].dtype == np.float32
    assert beamline.run.info.plots[0].y == ("mca:live", "diode")


class Blocking:
    """A counter whose library blocks; it says in which thread it was called."""

    name = "block"
    channels: Sequence[ChannelSpec] = (ChannelSpec("block"),)
    modes = frozenset({TriggerMode.SOFTWARE})
    blocking = True

    def __init__(self) -> None:
        self.threads: set[str] = set()

    def _seen(self) -> None:
        self.threads.add(threading.current_thread().name)

    def prepare(self, plan: TriggerPlan) -> None:
        self._seen()

    def start(self, moment: float) -> None:
        self._seen()

    def read(self) -> Sequence[float]:
        self._seen()
        return (2.0,)

    def collect(self) -> Sequence[Block]:
        return ()

    def stop(self) -> None:
        self._seen()


def test_a_blocking_counter_works_in_fake_time(beamline: Beamline) -> None:
    beamline.add(Blocking())
    beamline.engine.run(loopscan(3, 0.1, "block", "diode"))
    np.testing.assert_array_equal(beamline.run["block"], [2, 2, 2])


def test_a_slow_point_is_visible_at_once(beamline: Beamline) -> None:
    seen: list[int] = []

    def look() -> float:
        run = beamline.store.last
        seen.append(run.channels["look"].count if "look" in run.channels else 0)
        return 1.0

    beamline.add(SoftCounter("look", look))
    beamline.engine.run(loopscan(4, 1.0, "look"))
    assert seen == [0, 1, 2, 3]


def test_channels_appear_before_the_run_is_prepared(beamline: Beamline) -> None:
    seen: list[tuple[RunState, set[str]]] = []

    class Counter(SoftCounter):
        def start(self, moment: float) -> None:
            seen.append((beamline.run.state, set(beamline.run.channels)))

    beamline.add(Counter("c", lambda: 1.0))
    beamline.engine.run(loopscan(1, 0.0, "c"))
    assert seen == [(RunState.RUNNING, {"c", "elapsed_time", "epoch"})]
