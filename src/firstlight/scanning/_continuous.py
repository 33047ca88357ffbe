"""Points that devices make by themselves, in time or as an axis passes: continuous scans and free-running loops."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.devices import Axis
from firstlight.model import Block, DeviceError, DeviceTimeout, NotFound, Ragged, TriggerMode
from firstlight.model.motion import Segments, crossings, positions, trapezoid
from firstlight.scanning._acquisition import Acquisition
from firstlight.scanning._plan import LEAD, Sweep
from firstlight.scanning._rest import safe_point
from firstlight.scanning._store import Readable

FASTEST, SLOWEST = 0.02, 0.1
"""Seconds between two looks at what was acquired."""

Exposures = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Starts and ends (s) of consecutive exposures."""


class Continuous:
    """One continuous acquisition.

    Positions are those of the axis' own motion at the times when the exposures really were: as the first camera
    recorded them, else as the pulse device gave them, else by the plan.
    """

    def __init__(self, a: Acquisition) -> None:
        self._a = a
        assert a.plan.points is not None
        assert a.plan.period is not None
        self._points: int = a.plan.points
        self._period: float = a.plan.period
        self._exposure = a.plan.scan.count_time
        self._sweep = a.plan.sweep
        self._axis: Axis | None = a.devices.axis(a.plan.sweep.axis) if a.plan.sweep else None
        self._axes = [] if self._axis is None else [self._axis, *(a.devices.axis(name) for name in a.plan.reals)]
        self._followed = [a.devices.axis(name) for name in a.plan.selection.followed]
        self._moment = math.inf
        self._until = math.inf
        self._frames: list[tuple[str, Readable]] = []
        self._motion: asyncio.Task[None] | None = None

    async def acquire(self) -> None:
        """Go to the start, set everything going, follow it to the end."""
        a, clock = self._a, self._a.clock
        self._frames = [(camera.name, a.reader.channel(a.plan.frames_of(camera))) for camera in a.plan.cameras]
        await safe_point(a, 0)
        if self._sweep is not None:
            a.reporter.at(0, "moving to the start")
            # The play is taken up in the direction of the sweep, which then goes straight.
            await a.go(self._sweep.axis, self._sweep.departure, side=self._sweep.direction)
            await safe_point(a, 0)
        a.recorder.began = clock.now()
        heeded = a.steering.unheeded(clock, self.done)
        if not a.plan.scan.sequence:
            a.steering.refusal = f"{a.plan.scan.name} cannot wait: its devices make all points by themselves."
        try:
            if self._sweep is None:
                self._moment = clock.now() + LEAD
                await self._start()
            elif a.plan.scan.trigger is TriggerMode.POSITION:
                self._moment = clock.now()
                await self._start()
                self._depart(self._sweep)
            else:
                self._depart(self._sweep)
                self._moment = await self._passing(self._sweep)
                await self._start()
            await self._follow()
        except BaseException:
            self.interrupted()
            raise
        finally:
            a.steering.refusal = ""
            heeded()
            if self._motion is not None and not self._motion.done():
                # Only when something failed: its cancellation stops the axis.
                a.waits.abandon(self._motion)

    def interrupted(self) -> None:
        """The run ends now: exposures that end later are not what was asked for."""
        self._until = min(self._until, self._a.clock.now())

    async def drain(self) -> None:
        """Record whatever was acquired since the last look; also after an abort."""
        answers = await self._a.all(self._a.chain.drain)
        for counter, blocks in zip(self._a.plan.counters, answers, strict=True):
            self._keep(counter.name, blocks)
        self._stamp()

    def done(self) -> int:
        """Points that are complete: recorded by every device."""
        recorder = self._a.recorder
        counters = [recorder.counts[c.name] for counter in self._a.plan.counters for c in counter.channels]
        return min([recorder.rows, *counters, *(channel.count for _, channel in self._frames)])

    async def _start(self) -> None:
        """Tell all devices when the first exposure starts, in time for it."""
        a = self._a
        await a.all(a.chain.start, self._moment)
        late = a.clock.now() - self._moment
        if a.plan.scan.trigger is TriggerMode.TIME and late > 0:
            raise DeviceTimeout(
                a.chain.start[-1].device if a.chain.start else "timer",
                f"was told the start {late:.3g} s too late: arming all devices takes more than {LEAD:g} s.",
                hint="The machine may be overloaded; try again.",
            )

    def _depart(self, sweep: Sweep) -> None:
        self._motion = asyncio.ensure_future(self._a.go(sweep.axis, sweep.arrival, sweep.velocity, side=0))

    async def _passing(self, sweep: Sweep) -> float:
        """When the axis, now setting off, will pass the start of the first exposure.

        Taken from the motion that the axis publishes; computed from its speed and acceleration when it publishes
        only where it has been.
        """
        a, axis, motion = self._a, self._axis, self._motion
        assert axis is not None
        assert motion is not None
        before = a.clock.now()

        async def under_way() -> float:
            while not motion.done():
                now = a.clock.now()
                moment = float(crossings(self._segments(axis, before), [sweep.first])[0])
                if np.isfinite(moment):
                    return moment
                if axis.moving:
                    ideal = trapezoid(axis.position, sweep.arrival, sweep.velocity, axis.acceleration, now)
                    return float(crossings(ideal, [sweep.first])[0])
                await a.clock.sleep_until(now + 0.001)
            motion.result()
            raise DeviceError(sweep.axis, f"came to rest without passing {sweep.first:g} {axis.unit}.")

        moment: float = await a.waits.answer(sweep.axis, "to set off", under_way)
        return moment

    async def _follow(self) -> None:
        a, clock = self._a, self._a.clock
        look = min(max(self._period, FASTEST), SLOWEST)
        while True:
            await self.drain()
            a.steering.check()
            done = self.done()
            a.waits.point = done
            a.reporter.at(done)
            motion = self._motion
            if motion is not None and motion.done():
                motion.result()
            if done >= self._points:
                break
            self._check_alive(done)
            await clock.sleep_until(clock.now() + look)
        a.waits.point = None
        if self._motion is not None:
            a.reporter.at(self._points, "running down")
            await self._motion

    def _check_alive(self, done: int) -> None:
        a = self._a
        for camera, (_, channel) in zip(a.plan.cameras, self._frames, strict=True):
            if channel.count < self._points:
                a.camera_alive(camera, channel)
        now = a.clock.now()
        name, lacking = self._slowest()
        if now > self._end() + a.devices.allowed(name):
            raise DeviceTimeout(
                name,
                f"gave {lacking} of {self._points} points and then nothing for {a.devices.allowed(name):.3g} s: point "
                f"{done} is missing.",
                hint="Check that it gets its triggers.",
            )

    def _end(self) -> float:
        """When the last exposure should be over; for a position trigger, when the axis should have arrived."""
        lead = 0.0
        if self._sweep is not None and self._axis is not None:
            # By position, the clock starts at rest: the run-up comes on top.
            lead = self._sweep.velocity / self._axis.acceleration + 2 * LEAD
        return self._moment + lead + self._points * self._period

    def _slowest(self) -> tuple[str, int]:
        counts = {c.name: self._a.recorder.counts[c.channels[0].name] for c in self._a.plan.counters if c.channels}
        counts |= {name: channel.count for name, channel in self._frames}
        pulse = self._a.plan.pulse
        if pulse is not None:
            counts[pulse.name] = self._a.recorder.rows
        if not counts:
            return "timer", self._a.recorder.rows
        name = min(counts, key=lambda n: counts[n])
        return name, counts[name]

    def _keep(self, counter: str, blocks: Any) -> None:
        block: Block
        for block in blocks:
            there = self._a.recorder.counts.get(block.channel)
            if there is None:
                raise DeviceError(counter, f"gave data for {block.channel}, which is not one of its channels.")
            if block.first != there:
                raise DeviceError(counter, f"gave point {block.first} of {block.channel} when point {there} was due.")
            values, left = block.values, self._points - there
            self._a.recorder.block(
                block.channel, values.first(left) if isinstance(values, Ragged) else np.asarray(values)[:left]
            )

    def _stamp(self) -> None:
        """Record the times of new exposures, and the positions of the axis at them."""
        first = self._a.recorder.rows
        starts, stops = self._exposures(first)
        starts, stops = starts[: self._points - first], stops[: self._points - first]
        if not len(starts):
            return
        middle = (starts + stops) / 2
        for axis in self._axes:
            name = axis.name
            for channel, moments in ((name, middle), (f"{name}:start", starts), (f"{name}:stop", stops)):
                self._a.recorder.block(channel, self._positions(axis, moments))
        for axis in self._followed:
            self._a.recorder.block(axis.name, self._positions(axis, middle))
        self._a.recorder.stamp(starts)
        self._a.recorder.derive()

    def _positions(self, axis: Axis, moments: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where an axis was; a frame that never came was exposed nowhere."""
        known = moments[np.isfinite(moments)]
        values = positions(self._segments(axis, float(known[0]) if len(known) else self._moment), moments)
        values[~np.isfinite(moments)] = np.nan
        return values

    def _segments(self, axis: Axis, since: float) -> Segments:
        try:
            return axis.segments(since)
        except Exception as error:
            raise self._a.waits.named(error, axis.name, "to tell its motion") from error

    def _exposures(self, first: int) -> Exposures:
        """Exposures ``first``, ``first + 1``, ... that are over."""
        if self._frames:
            return self._frame_times(self._frames[0][0], first)
        if math.isinf(self._moment):
            return np.empty(0), np.empty(0)
        starts = self._starts(first)
        starts = starts[starts + self._exposure <= min(self._a.clock.now(), self._until)]
        return starts, starts + self._exposure

    def _starts(self, first: int) -> NDArray[np.float64]:
        """When exposures ``first``, ``first + 1``, ... start, as far as that is known, without a camera."""
        pulse = self._a.plan.pulse
        if pulse is not None:
            return np.asarray(pulse.pulses(), dtype=np.float64)[first:]
        steps = np.arange(first, self._points)
        if self._sweep is None or self._a.plan.scan.trigger is TriggerMode.TIME:
            return np.asarray(self._moment + steps * self._period, dtype=np.float64)
        assert self._axis is not None
        passed = crossings(self._segments(self._axis, self._moment), self._sweep.first + steps * self._sweep.step)
        return passed[np.isfinite(passed)]

    def _frame_times(self, camera: str, first: int) -> Exposures:
        try:
            begin, end = (self._a.reader.channel(f"{camera}:{part}") for part in ("start", "stop"))
        except NotFound:
            raise DeviceError(camera, "does not publish when its frames are exposed.") from None
        count = min(begin.count, end.count)
        if count <= first:
            return np.empty(0), np.empty(0)
        return np.asarray(begin.read(first, count)), np.asarray(end.read(first, count))
