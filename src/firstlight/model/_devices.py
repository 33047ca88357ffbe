"""The protocols that drivers implement, and the engine and receivers call.

A driver is small: it speaks the units of its hardware (dial), knows nothing of scans and files, and returns blocks.
What every axis has in common (user units, offset, sign, limits) is added once, in ``devices.Axis``. All methods may
raise :class:`DeviceError`. Times are seconds of the injected clock.

Each method that can wait is ``async``. A driver whose library blocks declares ``blocking = True``: then the same
methods are plain functions and run in a thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from firstlight.model._channel import Block, ChannelSpec
from firstlight.model._trigger import TriggerMode, TriggerPlan
from firstlight.model.motion import Segments

MaybeAwaitable = Awaitable[None] | None


@dataclass(frozen=True, slots=True)
class OutOfBand:
    """How the guard process stops a device whose session died.

    :param target: ``module:function`` that takes the arguments and returns when the device is safe.
    :param arguments: JSON values.
    """

    target: str
    arguments: Mapping[str, Any]


@runtime_checkable
class AxisDriver(Protocol):
    """One motor in dial units."""

    name: str
    unit: str
    velocity: float
    """Cruise speed, unit/s."""
    acceleration: float
    """unit/s²."""
    limits: tuple[float, float]
    """The controller's own limits, dial."""
    out_of_band: OutOfBand | None
    """How to stop it without its session; None when impossible (``doctor`` lists it)."""

    def position(self) -> float:
        """Dial position now."""

    def moving(self) -> bool:
        """Whether it moves now."""

    async def move(self, target: float, velocity: float | None = None) -> None:
        """Go to ``target`` and return at rest; cancellation stops the motor before it propagates."""

    async def stop(self) -> None:
        """Decelerate and return at rest."""

    def segments(self, since: float) -> Segments:
        """What is known of position(t) from ``since`` on: published motion, or positions captured by hardware."""


@runtime_checkable
class CounterDriver(Protocol):
    """One or several numbers (or spectra) per point."""

    name: str
    modes: frozenset[TriggerMode]
    """How it can be triggered."""

    @property
    def channels(self) -> Sequence[ChannelSpec]:
        """What a point gives, in this order; it does not change during a run."""

    def prepare(self, plan: TriggerPlan) -> MaybeAwaitable:
        """Get ready for a run; called once."""

    def start(self, moment: float) -> MaybeAwaitable:
        """Software: begin to integrate one point now. Time: the first exposure starts at ``moment``. Position: arm."""

    def read(self) -> Sequence[Any] | Awaitable[Sequence[Any]]:
        """Software: one value per channel of the point started last, called when its exposure is over."""

    def collect(self) -> Sequence[Block] | Awaitable[Sequence[Block]]:
        """Time, position: the points acquired since the last call, one block a channel; empty when none."""

    def stop(self) -> MaybeAwaitable:
        """End of the run, or abort; idempotent."""


class Derivation(Protocol):
    """A derived counter in one run, its inputs known."""

    channels: Sequence[ChannelSpec]
    """What it gives."""

    def compute(self, values: Mapping[str, NDArray[Any]]) -> Sequence[NDArray[Any]]:
        """Some consecutive points.

        :param values: by the name of the input, one item a point; numbers that are missing are NaN.
        :return: one array a channel, with as many points.
        """


@runtime_checkable
class DerivedCounter(Protocol):
    """A counter that measures nothing: it is computed from other channels of the run, block by block."""

    name: str

    @property
    def channels(self) -> Sequence[ChannelSpec]:
        """What it gives, as far as that is known without its inputs."""

    @property
    def inputs(self) -> Sequence[str]:
        """Channels, counters of one channel, or axes; they are measured whenever it is asked for."""

    def derive(self, inputs: Mapping[str, ChannelSpec]) -> Derivation:
        """Get ready for a run.

        :raises InvalidInput: when that cannot be computed, for instance because units do not fit.
        """


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """What a camera can do.

    :param shape: (height, width), pixels.
    :param pixel_size: (vertical, horizontal), metres.
    :param dead_time: seconds between the end of an exposure and the start of the next.
    :param maximum_rate: frames/s whatever the exposure.
    """

    shape: tuple[int, int]
    dtype: str
    modes: frozenset[TriggerMode]
    dead_time: float
    maximum_rate: float
    pixel_size: tuple[float, float] = (0.0, 0.0)
    unit: str = "count"

    def period(self, exposure: float) -> float:
        """Shortest time between two starts (s) at this exposure."""
        return max(exposure + self.dead_time, 1.0 / self.maximum_rate)


@dataclass(frozen=True, slots=True)
class FrameStamp:
    """When one frame was exposed, monotonic seconds, and whether it is good (0) or why not."""

    start: float
    stop: float
    status: int = 0


STATUS_GOOD = 0
STATUS_MISSING = 1
STATUS_SATURATED = 2


class FrameSource(Protocol):
    """A camera as the receiver process sees it; methods block, one thread calls them."""

    info: CameraInfo

    def prepare(self, plan: TriggerPlan) -> None:
        """Get ready for one run."""

    def start(self, moment: float) -> None:
        """Time: first exposure starts at ``moment``. Position: arm. Software: nothing yet."""

    def trigger(self) -> None:
        """Software: expose the next frame now."""

    def acquire(self, index: int, frame: NDArray[Any], timeout: float) -> FrameStamp | None:
        """Write frame ``index`` into ``frame``; None when it did not come within ``timeout`` seconds."""

    def stop(self) -> None:
        """Abort or end; ``acquire`` returns None soon after. Called from another thread; idempotent."""

    def close(self) -> None:
        """Release the hardware."""


@runtime_checkable
class Shutter(Protocol):
    """A fast shutter."""

    name: str
    out_of_band: OutOfBand | None

    @property
    def is_open(self) -> bool:
        """Whether the beam passes now."""

    async def open(self) -> None:
        """Return when it is open."""

    async def close(self) -> None:
        """Return when it is closed; safe to call in any state."""


@runtime_checkable
class Trigger(Protocol):
    """Hardware that makes the pulses of a continuous scan: a timing card, or a clock."""

    name: str
    modes: frozenset[TriggerMode]

    async def prepare(self, plan: TriggerPlan) -> None:
        """Load the plan."""

    async def start(self, moment: float) -> None:
        """Time: first pulse at ``moment``. Position: arm the compare."""

    def pulses(self) -> NDArray[np.float64]:
        """Moments of the pulses given so far (s), one a started exposure."""

    async def stop(self) -> None:
        """No more pulses; idempotent."""


@runtime_checkable
class Truthful(Protocol):
    """A simulated device that tells what no measurement could: the values behind it, for tests of an analysis."""

    name: str

    def truth(self) -> Mapping[str, Any]:
        """A tree of JSON values, the unit of ``key`` under ``key@units``; stored with each run that uses the device."""
