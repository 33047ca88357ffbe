"""Our axes pass the tests that we publish."""

from __future__ import annotations

import pytest

from firstlight.devices import Axis, soft_axis
from firstlight.devices.calc import Formulas, GapFormula, Monochromator, Slits, Table, spacing
from firstlight.devices.sim import SimAxis
from firstlight.model import Clock, FakeClock
from firstlight.testing import AxisConformance


class FakeTime(AxisConformance):
    reach = 8.0

    @pytest.fixture
    def clock(self) -> Clock:
        return FakeClock()


def motor(clock: Clock, name: str = "x", **options: object) -> Axis:
    settings: dict[str, object] = {"unit": "mm", "velocity": 2.0, "acceleration": 4.0, "limits": (-10.0, 10.0)}
    return Axis(SimAxis(name, clock=clock, **(settings | options)))  # type: ignore[arg-type]


class TestSimulated(FakeTime):
    @pytest.fixture
    def axis(self, clock: Clock) -> Axis:
        return motor(clock)


class TestSimulatedMirrored(FakeTime):
    @pytest.fixture
    def axis(self, clock: Clock) -> Axis:
        return Axis(motor(clock).driver, sign=-1, offset=3.0, limits=(-9.0, 9.5))


class TestInstant(FakeTime):
    @pytest.fixture
    def axis(self, clock: Clock) -> Axis:
        return motor(clock, instant=True)

    continuous = False


class TestRealTime(AxisConformance):
    reach = 0.02
    examples = 3

    @pytest.fixture
    def axis(self, clock: Clock) -> Axis:
        return motor(clock, velocity=5.0, acceleration=1000.0)


class TestSoft(FakeTime):
    continuous = False
    accuracy = 0.5

    @pytest.fixture
    def axis(self, clock: Clock) -> Axis:
        class Regulation:
            """Follows its set point in steps, each time it is asked."""

            setpoint = 20.0
            temperature = 20.0

            def read(self) -> float:
                self.temperature += 0.2 * (self.setpoint - self.temperature)
                return self.temperature

        return soft_axis(
            "t", Regulation(), "setpoint", readback="read", unit="K", limits=(0.0, 50.0), tolerance=0.1, clock=clock
        )


class TestSlitGap(FakeTime):
    @pytest.fixture
    def axis(self, clock: Clock) -> Axis:
        blades = motor(clock, "p", velocity=1.0), motor(clock, "n", velocity=3.0)
        return Slits("s1", *blades).axes["gap"]


class TestTablePitch(FakeTime):
    reach = 5.0

    @pytest.fixture
    def axis(self, clock: Clock) -> Axis:
        legs = (motor(clock, "a"), motor(clock, "b", velocity=0.7), motor(clock, "c"))
        return Table("t", legs, ((-500.0, 0.0), (500.0, 300.0), (500.0, -300.0))).axes["pitch"]


class TestEnergy(FakeTime):
    reach = 2.0
    accuracy = 1e-4

    @pytest.fixture
    def axis(self, clock: Clock) -> Axis:
        bragg = motor(clock, "bragg", unit="deg", position=11.0, limits=(2.0, 60.0))
        gap = motor(clock, "gap", position=8.0, limits=(5.0, 30.0))
        mono = Monochromator("energy", bragg, spacing("Si111"), gap=gap, undulator=GapFormula(18.0, 6.0))
        return mono.axes["energy"]


class TestFormula(FakeTime):
    reach = 4.0
    accuracy = 1e-4

    @pytest.fixture
    def axis(self, clock: Clock) -> Axis:
        reals = {"x": motor(clock, "x", position=5.0)}
        return Formulas("f", reals, {"square": "x * x / 5 mm"}, {"x": "sqrt(5 mm * square)"}, {"square": "mm"}).axes[
            "square"
        ]
