from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from firstlight.model import EndReason, FirstlightError, RunEnd
from firstlight.scanning import Chain, EndScan, Preset, RunView, ascan, flyscan, loopscan
from tests.scanning.conftest import Beamline, sealed_and_whole


class Recording(Preset):
    def __init__(self) -> None:
        self.log: list[str] = []

    def scan_prepare(self, run: RunView) -> None:
        self.log.append(f"scan_prepare {run.scan.name}")

    def chain_prepare(self, chain: Chain) -> None:
        self.log.append("chain_prepare")

    async def scan_start(self, run: RunView) -> None:
        self.log.append("scan_start")

    def chain_start(self, chain: Chain) -> None:
        self.log.append("chain_start")

    def point_before(self, index: int, positions: Mapping[str, float]) -> None:
        self.log.append(f"before {index} {dict(positions)}")

    async def point_after(self, index: int, values: Sequence[Any]) -> None:
        self.log.append(f"after {index} {values[0]}")

    def chain_stop(self, chain: Chain) -> None:
        self.log.append("chain_stop")

    def scan_stop(self, run: RunView, end: RunEnd) -> None:
        self.log.append(f"scan_stop {end.reason.value}")


def test_hooks_are_called_at_every_level_in_order(beamline: Beamline) -> None:
    preset = Recording()
    beamline.engine.presets.append(preset)
    beamline.engine.run(ascan("rot", 0, 1, 1, 0.1))
    assert preset.log == [
        "scan_prepare ascan", "chain_prepare", "scan_start", "chain_start",
        "before 0 {'rot': 0.0}", "after 0 0.0", "before 1 {'rot': 1.0}", "after 1 1.0",
        "chain_stop", "scan_stop SUCCESS",
    ]  # fmt: skip


def test_a_continuous_scan_has_no_hooks_of_points(beamline: Beamline) -> None:
    preset = Recording()
    beamline.engine.presets.append(preset)
    beamline.engine.run(flyscan("rot", 0, 9, 10, 0.1))
    assert preset.log == [
        "scan_prepare flyscan", "chain_prepare", "scan_start", "chain_start", "chain_stop", "scan_stop SUCCESS",
    ]  # fmt: skip


def test_a_hook_can_end_the_scan_well(beamline: Beamline) -> None:
    class Enough(Preset):
        def point_after(self, index: int, values: Sequence[Any]) -> None:
            if index == 4:
                raise EndScan("Five are enough.")

    beamline.engine.presets.append(Enough())
    outcome = beamline.engine.run(loopscan(100, 0.1))
    assert outcome.points == 5
    assert outcome.end.reason is EndReason.SUCCESS
    assert outcome.end.message == "Five are enough."
    sealed_and_whole(beamline.run)


@pytest.mark.parametrize(
    "hook", ["scan_prepare", "chain_prepare", "scan_start", "chain_start", "point_before", "chain_stop"]
)
def test_a_hook_that_fails_ends_the_run_as_a_device_would(beamline: Beamline, hook: str) -> None:
    def fail(self: object, *arguments: object) -> None:
        raise FirstlightError("Not today.")

    beamline.engine.presets.append(type("Failing", (Preset,), {hook: fail})())
    with pytest.raises(FirstlightError, match="Not today"):
        beamline.engine.run(ascan("rot", 0, 10, 10, 0.1))
    assert beamline.run.end is not None
    assert beamline.run.end.reason is EndReason.FAILED
    assert beamline.at_rest_and_closed()
    sealed_and_whole(beamline.run)


def test_a_hook_that_fails_after_the_end_changes_nothing(beamline: Beamline) -> None:
    class Late(Preset):
        def scan_stop(self, run: RunView, end: RunEnd) -> None:
            raise ValueError("too late")

    beamline.engine.presets.append(Late())
    assert beamline.engine.run(loopscan(2, 0.1)).ok


def test_a_watchdog_ends_a_scan_well_with_stop_iteration(beamline: Beamline) -> None:
    class Watchdog(Preset):
        def point_after(self, index: int, values: Sequence[Any]) -> None:
            if index == 3:
                raise StopIteration("bright enough")

    beamline.engine.presets.append(Watchdog())
    outcome = beamline.engine.run(loopscan(10, 0.1))
    assert outcome.ok
    assert outcome.points == 4
    assert outcome.end.message == "bright enough"
