"""Axes from attributes of other devices, and hooks that set attributes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from firstlight.devices import Axis, Surroundings, build, soft_axis
from firstlight.devices.sim import SimAxis
from firstlight.model import AxisDriver, DeviceError, DeviceTimeout, FakeClock, InvalidInput, LimitError, MotionHook


class Oven:
    """A regulation: its temperature follows the set point with 1 K/s."""

    name = "oven"

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.set_times: list[float] = []
        self._from, self._since, self._setpoint = 300.0, clock.now(), 300.0
        self.off = False
        self.valve = Valve()

    @property
    def temperature(self) -> float:
        elapsed = self.clock.now() - self._since
        step = self._setpoint - self._from
        return self._from + max(-elapsed, min(elapsed, step)) if step > 0 else self._from + max(-elapsed, step)

    @property
    def setpoint(self) -> float:
        return self._setpoint

    @setpoint.setter
    def setpoint(self, value: float) -> None:
        if self.off:
            raise ConnectionError("no answer")
        self._from, self._since = self.temperature, self.clock.now()
        self._setpoint = value
        self.set_times.append(value)

    def ramp(self, value: float) -> None:
        self.setpoint = value

    def hold(self) -> None:
        self.setpoint = self.temperature
        self.set_times.append(-1.0)


class Valve:
    def __init__(self) -> None:
        self.pressure = 0.0

    async def open_to(self, value: float) -> None:
        await asyncio.sleep(0)
        self.pressure = value


def make(**options: Any) -> tuple[Axis, Oven, FakeClock]:
    clock = FakeClock()
    oven = Oven(clock)
    settings: dict[str, Any] = {
        "readback": "temperature", "unit": "K", "limits": (100.0, 500.0), "tolerance": 0.5, "clock": clock,
    } | options  # fmt: skip
    return soft_axis("sample_t", oven, "setpoint", **settings), oven, clock


def test_a_move_waits_until_the_readback_has_followed_and_settled() -> None:
    axis, oven, clock = make(settle=5.0)
    assert isinstance(axis.driver, AxisDriver)
    began = clock.now()
    asyncio.run(axis.move(320.0))
    assert oven.setpoint == 320.0
    assert clock.now() - began == pytest.approx(19.5 + 5.0, abs=0.3)
    assert axis.position == pytest.approx(320.0, abs=0.5)
    assert axis.setpoint == 320.0


def test_without_a_tolerance_a_move_is_over_when_it_is_set_and_settled() -> None:
    axis, oven, clock = make(tolerance=None, settle=2.0)
    began = clock.now()
    asyncio.run(axis.move(320.0))
    assert clock.now() - began == pytest.approx(2.0)
    assert oven.setpoint == 320.0


def test_a_readback_that_never_arrives_fails_the_move() -> None:
    axis, _, _ = make(timeout=10.0)
    with pytest.raises(DeviceTimeout, match=r"sample_t: is at 3\d\d.* K and not within 0\.5 of 400 K after 10 s"):
        asyncio.run(axis.move(400.0))


def test_limits_hold() -> None:
    axis, oven, _ = make()
    with pytest.raises(LimitError, match="sample_t: cannot go to 600 K: its limits are 100 to 500 K"):
        asyncio.run(axis.move(600.0))
    assert oven.set_times == []


@pytest.mark.parametrize("how", ["stop", "cancel"])
@pytest.mark.parametrize("method", ["", "hold"])
def test_a_stop_leaves_it_where_it_is(how: str, method: str) -> None:
    axis, oven, clock = make(stop=method)

    async def story() -> None:
        task = asyncio.ensure_future(axis.move(400.0))
        await clock.sleep_until(clock.now() + 10.0)
        if how == "stop":
            await axis.stop()
            assert not axis.moving
            with pytest.raises(DeviceError, match="was stopped at 310 K on its way to 400 K"):
                await task
        else:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not axis.moving

    asyncio.run(story())
    assert oven.setpoint == pytest.approx(310.0, abs=0.2)
    assert (-1.0 in oven.set_times) == (method == "hold")


def test_methods_and_paths_are_attributes_too() -> None:
    clock = FakeClock()
    oven = Oven(clock)
    ramp = soft_axis("t", oven, "ramp", readback="temperature", tolerance=1.0, clock=clock)
    asyncio.run(ramp.move(305.0))
    assert oven.setpoint == 305.0
    valve = soft_axis("p", oven, "valve.open_to", readback="valve.pressure", clock=clock)
    asyncio.run(valve.move(2.0))
    assert valve.position == 2.0


def test_what_the_device_raises_is_told_with_the_attribute() -> None:
    axis, oven, _ = make()
    oven.off = True
    with pytest.raises(DeviceError, match="sample_t: cannot set setpoint: ConnectionError: no answer"):
        asyncio.run(axis.move(310.0))
    assert not axis.moving


@pytest.mark.parametrize(
    ("attribute", "why"),
    [
        ("setpiont", "oven has no attribute 'setpiont'"),
        ("_setpoint", "is not the name of a public"),
    ],
)
def test_an_attribute_that_is_not_there_is_refused(attribute: str, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        soft_axis("t", Oven(FakeClock()), attribute)


def session() -> tuple[dict[str, Any], Surroundings]:
    found: dict[str, Any] = {}
    clock = FakeClock()
    surroundings = Surroundings(clock, devices=found)
    found["oven"] = Oven(clock)
    return found, surroundings


def test_a_soft_axis_from_its_configuration() -> None:
    found, surroundings = session()
    axis = build(
        {
            "kind": "soft.axis", "name": "t", "device": "$oven", "attribute": "setpoint", "readback": "temperature",
            "unit": "K", "window": "100 mK", "settle": "2 s", "limits": ["100 K", 400], "offset": -273.15,
        },
        surroundings,
    )  # fmt: skip
    assert isinstance(axis, Axis)
    asyncio.run(axis.move(30.0))
    assert found["oven"].setpoint == pytest.approx(303.15)
    assert axis.position == pytest.approx(30.0, abs=0.1)
    assert axis.limits == pytest.approx((-173.15, 126.85))


def test_a_setting_of_a_motor_can_be_an_axis() -> None:
    found, surroundings = session()
    found["rot"] = build({"kind": "sim.axis", "name": "rot"}, surroundings)
    speed = build({"kind": "soft.axis", "name": "speed", "device": "rot", "attribute": "velocity"}, surroundings)
    assert isinstance(speed, Axis)
    asyncio.run(speed.move(7.0))
    assert found["rot"].velocity == 7.0


# -- hooks


def test_a_hook_sets_an_attribute_around_the_motions_of_all_axes_that_name_it() -> None:
    found, surroundings = session()
    found["pads"] = build(
        {
            "kind": "hook.attribute", "name": "pads", "device": "$oven", "attribute": "valve.open_to",
            "before": 4.0, "after": 0.5, "settle": "1 s",
        },
        surroundings,
    )  # fmt: skip
    assert isinstance(found["pads"], MotionHook)
    axes = [
        build({"kind": "sim.axis", "name": name, "velocity": v, "hooks": ["$pads"]}, surroundings)
        for name, v in (("x", 10.0), ("y", 1.0))
    ]
    x, y = axes
    assert isinstance(x, Axis)
    assert isinstance(y, Axis)
    valve, clock = found["oven"].valve, surroundings.clock
    seen: list[float] = []

    async def story() -> None:
        began = clock.now()
        moves = asyncio.gather(x.move(10.0), y.move(10.0))
        await clock.sleep_until(began + 0.5)
        assert not x.moving
        assert valve.pressure == 4.0
        await clock.sleep_until(began + 5.0)
        assert not x.moving
        seen.append(valve.pressure)
        await moves
        seen.append(valve.pressure)

    asyncio.run(story())
    assert seen == [4.0, 0.5]
    assert isinstance(x.driver, SimAxis)
