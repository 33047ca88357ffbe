from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firstlight.model import ChannelSpec, TriggerMode, TriggerPlan
from firstlight.scanning import Chain, amesh, flyscan, loopscan, timescan
from tests.scanning.conftest import Beamline


def chain(beamline: Beamline, scan: Any) -> Chain:
    made = beamline.engine.dry_run(scan).chain
    assert made is not None
    return made


def test_a_continuous_scan_prints_as_a_tree(beamline: Beamline) -> None:
    beamline.add(beamline.card)
    assert str(chain(beamline, flyscan("rot", 0, 9, 10, 0.099, "all"))) == (
        "flyscan rot 0 9 10 0.099 all\n"
        "└─ rot  axis: moves from 0 to 9 deg at 9 deg/s, run-up from -3.2625, run-down to 10.1925\n"
        "   └─ card  pulses in time: 10 points of 0.099 s, one every 0.1 s\n"
        "      ├─ diode  counter: diode (count)\n"
        "      ├─ ring  counter: ring (mA)\n"
        "      └─ cam  camera: 2 × 3 <u2"
    )


def test_the_slow_axis_of_a_mesh_is_the_outer_master(beamline: Beamline) -> None:
    assert str(chain(beamline, amesh("rot", 0, 1, 4, "sy", 2, 3, 2, 1))) == (
        "amesh rot 0 1 4 sy 2 3 2 1\n"
        "└─ sy  axis: 3 stops between 2 and 3 mm\n"
        "   └─ rot  axis: 5 stops between 0 and 1 deg\n"
        "      └─ timer  asked by the engine: 15 points of 1 s\n"
        "         └─ diode  counter: diode (count)"
    )


def test_an_open_ended_scan_says_so(beamline: Beamline) -> None:
    assert "points until it is stopped of 1 s" in str(chain(beamline, timescan(1)))


def test_without_a_pulse_device_each_device_keeps_the_plan_by_itself(beamline: Beamline) -> None:
    text = str(chain(beamline, flyscan("rot", 0, 9, 10, 0.1, "diode", trigger="position")))
    assert "└─ compare  by position: 10 points of 0.1 s" in text


class Recorded:
    """A counter that writes down what it is asked."""

    def __init__(self, name: str, log: list[str], values: Sequence[float] = (1.0,)) -> None:
        self.name = name
        self.channels = [ChannelSpec(name)]
        self.modes = frozenset(TriggerMode)
        self.log, self.values = log, values

    def prepare(self, plan: TriggerPlan) -> None:
        self.log.append(f"{self.name} prepare {plan.points}")

    def start(self, moment: float) -> None:
        self.log.append(f"{self.name} start")

    def read(self) -> Sequence[float]:
        self.log.append(f"{self.name} read")
        return self.values

    def collect(self) -> Sequence[Any]:
        return ()

    def stop(self) -> None:
        self.log.append(f"{self.name} stop")


def test_devices_are_called_phase_by_phase(beamline: Beamline) -> None:
    log: list[str] = []
    beamline.add(Recorded("a", log), Recorded("b", log))
    beamline.engine.run(loopscan(2, 0.1, "a", "b"))
    point = ["a start", "b start", "a read", "b read"]
    assert log == ["a prepare 2", "b prepare 2", *point, *point, "a stop", "b stop"]


def test_the_tree_is_stored_as_plain_values(beamline: Beamline) -> None:
    info = chain(beamline, flyscan("rot", 0, 9, 10, 0.1, "diode")).info
    assert info["children"][0]["name"] == "rot"
    assert info["children"][0]["children"][0]["children"][0] == {
        "name": "diode",
        "what": "counter: diode (count)",
        "children": [],
    }
