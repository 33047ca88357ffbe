"""Presets: what users hang into every run, at the level of the scan, of the chain and of the point."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from firstlight.model import RunEnd, Scan
from firstlight.scanning._chain import Chain

Hook = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class RunView:
    """What a preset sees of a run."""

    key: str
    scan: Scan
    chain: Chain


class EndScan(Exception):
    """Raised by a preset to end the scan now, cleanly: its reason is then SUCCESS, with this text as message."""


class Preset:
    """Derive from it and override what you need; each method may be ``async``. Those left alone cost nothing.

    An error raised by a hook ends the run as a device's would; :class:`EndScan` ends it well, and so does StopIteration
    of a hook that is not ``async``.
    """

    def scan_prepare(self, run: RunView) -> Any:
        """Before the devices are prepared; the run exists."""

    def scan_start(self, run: RunView) -> Any:
        """Devices are prepared, the shutter is where it should be; nothing is triggered yet."""

    def scan_stop(self, run: RunView, end: RunEnd) -> Any:
        """Everything is stopped, however the run ended; called if ``scan_prepare`` was."""

    def scan_pause(self, why: str) -> Any:
        """It waits from now on, between two points."""

    def scan_resume(self) -> Any:
        """It goes on."""

    def chain_prepare(self, chain: Chain) -> Any:
        """After all devices learned the plan."""

    def chain_start(self, chain: Chain) -> Any:
        """Just before the first trigger, after ``scan_start``."""

    def chain_stop(self, chain: Chain) -> Any:
        """After all devices were told to stop."""

    def point_before(self, index: int, positions: Mapping[str, float]) -> Any:
        """Axes are at the point and settled, nothing counts yet. Software-triggered scans only."""

    def point_after(self, index: int, values: Sequence[Any]) -> Any:
        """The point is complete. ``values``: axes' positions, then counters', in the order of the chain."""


def hooks(presets: Sequence[Preset], name: str) -> tuple[Hook, ...]:
    """The overridden methods called ``name``, in the order of the presets."""
    return tuple(getattr(p, name) for p in presets if getattr(type(p), name) is not getattr(Preset, name))
