from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.devices import Axis
from firstlight.devices.sim import SimAxis
from firstlight.model import ChannelRole
from firstlight.scanning import flyscan, loopscan
from tests.scanning.conftest import Beamline, sealed_and_whole

N, STEP, EXPOSURE = 10, 0.9, 0.1


def edges(first: float = 0.0) -> NDArray[np.floating[Any]]:
    return first + np.arange(N) * STEP


@pytest.mark.parametrize("trigger", ["time", "position"])
@pytest.mark.parametrize("card", [False, True])
@pytest.mark.parametrize("counters", [("cam", "diode"), ("diode",)])
def test_positions_are_those_of_the_exposures(
    beamline: Beamline, trigger: str, card: bool, counters: tuple[str, ...]
) -> None:
    if card:
        beamline.add(beamline.card)
    beamline.engine.run(flyscan("rot", 0, 9, N, EXPOSURE, *counters, trigger=trigger))  # type: ignore[arg-type]
    speed = STEP / (EXPOSURE + (0.001 if "cam" in counters else 0.0))
    run = beamline.run
    np.testing.assert_allclose(run["rot:start"], edges(), atol=1e-6)
    np.testing.assert_allclose(run["rot:stop"], edges() + speed * EXPOSURE, atol=1e-6)
    np.testing.assert_allclose(run["rot"], edges() + speed * EXPOSURE / 2, atol=1e-6)
    assert run["diode"].shape == (N,)
    sealed_and_whole(run)


def test_a_sweep_downwards_records_falling_positions(beamline: Beamline) -> None:
    beamline.engine.run(flyscan("rot", 9, 0, N, EXPOSURE, "cam"))
    np.testing.assert_allclose(beamline.run["rot:start"], 9 - edges(), atol=1e-6)


def test_an_axis_turned_round_sweeps_in_user_units(beamline: Beamline) -> None:
    axis = Axis(SimAxis("om", clock=beamline.clock, board=beamline.board), sign=-1, offset=50.0)
    beamline.add(axis)
    for trigger in ("time", "position"):
        beamline.engine.run(flyscan("om", 0, 9, N, EXPOSURE, "cam", trigger=trigger))
        np.testing.assert_allclose(beamline.run["om:start"], edges(), atol=1e-6)


def test_the_times_of_a_sweep_are_the_starts_of_its_exposures(beamline: Beamline) -> None:
    beamline.engine.run(flyscan("rot", 0, 9, N, EXPOSURE, "cam"))
    run = beamline.run
    np.testing.assert_allclose(np.diff(run["elapsed_time"]), 0.101, atol=1e-9)
    np.testing.assert_allclose(run["cam:start"] + run.info.clock_offset, run["epoch"], atol=1e-6)


def test_the_axis_runs_down_and_keeps_its_speed_for_later(beamline: Beamline) -> None:
    beamline.engine.run(flyscan("rot", 0, 9, N, EXPOSURE))
    assert beamline.rot.position > 9.0
    assert beamline.rot.velocity == 20.0
    assert not beamline.rot.moving


def test_the_axis_returns_when_asked_to(beamline: Beamline) -> None:
    beamline.engine.move({"rot": 5.0})
    beamline.engine.run(flyscan("rot", 0, 9, N, EXPOSURE, back=True))
    assert beamline.rot.position == pytest.approx(5.0)


def test_channels_say_what_they_are(beamline: Beamline) -> None:
    beamline.engine.run(flyscan("rot", 0, 9, N, EXPOSURE))
    channels = beamline.run.channels
    assert channels["rot"].spec.role is ChannelRole.AXIS
    assert channels["rot:start"].spec.source == "rot"
    assert channels["rot"].spec.unit == "deg"


def test_a_free_running_loop_has_no_gaps_but_the_dead_time(beamline: Beamline) -> None:
    beamline.engine.run(loopscan(5, EXPOSURE, "all", trigger="time"))
    np.testing.assert_allclose(np.diff(beamline.run["cam:start"]), 0.101, atol=1e-9)
    assert beamline.run["ring"].shape == (5,)
    sealed_and_whole(beamline.run)


def test_a_free_running_loop_without_a_camera(beamline: Beamline) -> None:
    beamline.engine.run(loopscan(5, EXPOSURE, "beam", trigger="time"))
    np.testing.assert_allclose(np.diff(beamline.run["elapsed_time"]), EXPOSURE, atol=1e-9)


def test_points_of_a_sweep_appear_while_it_goes_on(beamline: Beamline) -> None:
    beamline.engine.run(flyscan("rot", 0, 90, 100, EXPOSURE, "cam"))
    reported = [event.point for event in beamline.events]
    assert reported == sorted(reported)
    assert len({point for point in reported if 0 < point < 100}) > 20


def test_a_frame_that_never_came_has_no_position(beamline: Beamline) -> None:
    append = beamline.cam._expose
    seen = []

    async def skip(start: float, exposure: float) -> None:
        await append(start, exposure)
        seen.append(start)
        if len(seen) == 3:
            # The third frame was missed: its times are unknown.
            for part in ("start", "stop"):
                beamline.run.channels[f"cam:{part}"]._blocks[-1][:] = np.nan

    beamline.cam._expose = skip  # type: ignore[method-assign]
    beamline.engine.run(flyscan("rot", 0, 9, N, EXPOSURE, "cam"))
    assert np.flatnonzero(np.isnan(beamline.run["rot"])).tolist() == [2]
    np.testing.assert_allclose(np.delete(beamline.run["rot:start"], 2), np.delete(edges(), 2), atol=1e-6)
