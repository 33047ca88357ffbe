"""Any device may go wrong at any moment: the run ends with its name, the rest is safe, and the next run works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from firstlight.devices.sim import SimAxis
from firstlight.model import DeviceError, DeviceTimeout, EndReason, FirstlightError, RunState
from firstlight.scanning import Progress, ascan, ct, flyscan, loopscan
from tests.scanning.conftest import Beamline, sealed_and_whole


def faults(beamline: Beamline, name: str) -> Any:
    device = next(d for d in beamline.all if d.name == name)
    return device.driver.faults if hasattr(device, "driver") else device.faults


def at_point(beamline: Beamline, point: int, act: Callable[[], None]) -> None:
    """Do something once, in the middle of a run."""
    done: list[bool] = []

    def look(event: Progress) -> None:
        if not done and event.point >= point:
            done.append(True)
            act()

    beamline.engine.listeners.append(look)


def ended_by(beamline: Beamline, scan: Any, kind: type[FirstlightError], name: str) -> FirstlightError:
    with pytest.raises(kind) as caught:
        beamline.engine.run(scan)
    assert caught.value.message.startswith(f"{name}: ")
    run = beamline.run
    assert run.end is not None
    assert run.end.reason is EndReason.FAILED
    sealed_and_whole(run)
    return caught.value


def all_is_well_again(beamline: Beamline, name: str) -> None:
    faults(beamline, name).clear()
    beamline.clock.advance(60.0)
    assert beamline.engine.run(ascan("rot", 0, 2, 2, 0.1, "diode", "ring")).ok
    assert beamline.at_rest_and_closed()


NAMES = ["rot", "diode", "ring", "fast"]


@pytest.mark.parametrize("name", NAMES)
def test_a_device_unplugged_while_idle_ends_the_next_run_that_needs_it(beamline: Beamline, name: str) -> None:
    faults(beamline, name).inject("disconnected")
    with pytest.raises(DeviceError, match=f"{name}: .*connection is lost"):
        beamline.engine.run(ascan("rot", 0, 5, 5, 0.1, "diode", "ring"))
    for run in beamline.store.runs:
        sealed_and_whole(run)
    all_is_well_again(beamline, name)


@pytest.mark.parametrize("name", NAMES)
def test_a_device_unplugged_in_the_middle_of_a_step_scan_ends_it(beamline: Beamline, name: str) -> None:
    at_point(beamline, 3, lambda: faults(beamline, name).inject("disconnected"))
    scan = ascan("rot", 0, 50, 50, 0.1, "diode", "ring")
    with pytest.raises(DeviceError, match=f"{name}: .*connection is lost"):
        beamline.engine.run(scan)
    run = beamline.run
    assert run.state is RunState.STOPPED
    assert len(run["diode"]) >= 3
    all_is_well_again(beamline, name)


@pytest.mark.parametrize("name", NAMES)
def test_a_device_unplugged_in_the_middle_of_a_continuous_scan_ends_it(beamline: Beamline, name: str) -> None:
    at_point(beamline, 5, lambda: faults(beamline, name).inject("disconnected"))
    with pytest.raises(DeviceError, match=f"{name}: .*connection is lost"):
        beamline.engine.run(flyscan("rot", 0, 90, 90, 0.1, "diode", "ring", "cam"))
    assert beamline.run.state is RunState.STOPPED
    all_is_well_again(beamline, name)


def test_an_axis_unplugged_in_the_middle_of_a_move_is_named(beamline: Beamline) -> None:
    axis: SimAxis = beamline.rot.driver  # type: ignore[assignment]
    axis.faults.inject("disconnected", after=1.0)
    with pytest.raises(DeviceError, match="rot: the connection is lost"):
        beamline.engine.move({"rot": 100.0})
    all_is_well_again(beamline, "rot")


@pytest.mark.parametrize(
    ("name", "what", "words"),
    [
        ("rot", "stuck", "following error"),
        ("rot", "midway", "stopped by itself"),
        ("rot", "silent", "did not answer within"),
        ("diode", "fails", "electronics report an error"),
        ("diode", "silent", "did not answer within"),
        ("fast", "stuck", "did not open"),
        ("fast", "silent", "did not answer within"),
    ],
)
def test_what_goes_wrong_is_said_in_one_sentence(
    new_beamline: Callable[..., Beamline], name: str, what: str, words: str
) -> None:
    beamline = new_beamline()
    beamline.add(timeout=3.0)
    faults(beamline, name).inject(what, times=1)
    error = ended_by(beamline, ascan("rot", 10, 15, 5, 0.1, "diode"), DeviceError, name)
    assert words in error.message
    all_is_well_again(beamline, name)


def test_a_counter_that_falls_silent_in_a_continuous_scan_is_named(new_beamline: Callable[..., Beamline]) -> None:
    beamline = new_beamline()
    beamline.add(timeout=2.0)
    at_point(beamline, 4, lambda: faults(beamline, "ring").inject("silent"))
    error = ended_by(beamline, flyscan("rot", 0, 9, 30, 0.1, "diode", "ring"), DeviceTimeout, "ring")
    assert "then nothing for 2 s" in error.message
    all_is_well_again(beamline, "ring")


def test_numbers_that_are_none_are_kept_as_such(beamline: Beamline) -> None:
    faults(beamline, "diode").inject("nan", probability=0.5)
    assert beamline.engine.run(loopscan(40, 0.1, "diode")).ok
    missing = np.isnan(beamline.run["diode"]).sum()
    assert 5 < missing < 35


def test_lost_steps_are_not_noticed_by_the_scan_but_told_as_truth(beamline: Beamline) -> None:
    faults(beamline, "sy").inject("slips", 0.01)
    assert beamline.engine.run(ascan("sy", 0, 1, 10, 0.1, "diode")).ok
    assert beamline.run["sy"].tolist() == pytest.approx(np.linspace(0, 1, 11).tolist())
    assert beamline.engine.run(ct(0.1, "diode")).ok
    assert beamline.engine.run(ascan("sy", 1, 0, 1, 0.1, "diode")).ok
    truth = beamline.run.info.devices["sy"]["truth"]
    assert truth["slip"] == pytest.approx(-0.1)
    assert truth["faults"]["slips"]["value"] == 0.01


def test_a_run_during_which_the_beam_was_lost_shows_it(beamline: Beamline) -> None:
    ring = beamline.ring
    at_point(beamline, 5, lambda: ring.lose_beam(refill=1.0))
    assert beamline.engine.run(loopscan(30, 0.1, "ring")).ok
    current = beamline.run["ring"]
    assert current[:4].min() > 190.0
    assert current.min() == 0.0
    assert current[-1] > 199.0
