"""What the two ways of acquiring share: one run's parts, and calling all devices of a phase."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from firstlight.model import Clock, DeviceError, FirstlightError, ProcessError, TriggerMode
from firstlight.scanning._chain import Call, Chain
from firstlight.scanning._devices import Camera, Devices
from firstlight.scanning._gate import Gate, Motion
from firstlight.scanning._heard import heard
from firstlight.scanning._plan import Plan
from firstlight.scanning._presets import EndScan, Hook, Preset, hooks
from firstlight.scanning._progress import Reporter
from firstlight.scanning._record import Recorder
from firstlight.scanning._steering import Steering
from firstlight.scanning._store import Readable, Reader
from firstlight.scanning._travel import travel
from firstlight.scanning._waits import Waits

FRAME_POLL = 0.001
"""Seconds between looks at a frame that should be there."""


class Acquisition:
    """The parts of one run, for the coroutine that makes its points."""

    def __init__(
        self,
        *,
        clock: Clock,
        devices: Devices,
        gate: Gate,
        waits: Waits,
        plan: Plan,
        chain: Chain,
        recorder: Recorder,
        reporter: Reporter,
        reader: Reader,
        presets: Sequence[Preset],
        steering: Steering,
    ) -> None:
        self.clock = clock
        self.devices = devices
        self.gate = gate
        self.waits = waits
        self.plan = plan
        self.chain = chain
        self.recorder = recorder
        self.reporter = reporter
        self.reader = reader
        self.presets = presets
        self.steering = steering
        self._heard = heard({*devices.counters, *devices.cameras, *devices.triggers})

    @property
    def software(self) -> bool:
        """Whether the engine asks for each point."""
        return self.plan.scan.trigger is TriggerMode.SOFTWARE

    def hooks(self, name: str) -> tuple[Hook, ...]:
        """Presets' overridden methods."""
        return hooks(self.presets, name)

    async def hook(self, name: str, *arguments: Any) -> None:
        """Call the presets' hooks of one level and phase."""
        for hook in self.hooks(name):
            try:
                result = hook(*arguments)
            except StopIteration as stop:
                # As watchdogs elsewhere say it.
                raise EndScan(str(stop) or "A preset ended it.") from stop
            if inspect.isawaitable(result):
                await result

    async def all(self, calls: Sequence[Call], *arguments: Any) -> list[Any]:
        """Call devices of one phase in order; those that make us wait are waited for together."""
        results: list[Any] = [None] * len(calls)
        pending = []
        for index, call in enumerate(calls):
            if self._heard and (log := self._heard.get(call.device)) is not None:
                log.debug("asked %s", call.doing)
            if call.blocking:
                pending.append((index, self._threaded(call, arguments)))
                continue
            try:
                result = call.function(*arguments)
            except FirstlightError:
                raise
            except Exception as error:
                raise self.waits.named(error, call.device, call.doing) from error
            if inspect.isawaitable(result):
                pending.append((index, self.waits.answer(call.device, call.doing, _given(result), call.extra)))
            else:
                results[index] = result
        if pending:
            answers = await self.waits.together(*(waiting for _, waiting in pending))
            for (index, _), answer in zip(pending, answers, strict=True):
                results[index] = answer
        return results

    async def go(self, name: str, target: float, velocity: float | None = None, side: int | None = None) -> None:
        """Move one axis through the gate, and wait for it as long as its own speed makes it take."""
        await travel(self.gate, self.waits, Motion(name, target, velocity, "scan", side=side))

    async def frame(self, camera: Camera, channel: Readable, index: int) -> None:
        """Return when frame ``index`` of a camera is acknowledged."""

        async def arrival() -> None:
            while channel.count <= index:
                self.camera_alive(camera, channel)
                await self.clock.sleep_until(self.clock.now() + FRAME_POLL)

        if channel.count <= index:
            await self.waits.answer(camera.name, "for a frame", arrival)

    def camera_alive(self, camera: Camera, channel: Readable) -> None:
        """Raise when no more frames will come from a camera.

        :raises FirstlightError: what ended its part of the run.
        """
        if camera.error is not None:
            raise camera.error
        if channel.sealed:
            why = f": {channel.seal_reason.rstrip('.')}" if channel.seal_reason else ""
            raise ProcessError(
                f"{camera.name}: ended before the run{self.waits.at_point()}{why}.",
                hint="What it acknowledged is kept; see its log.",
            )

    def check_count(self, call: Call, values: Sequence[Any], expected: int) -> None:
        """Refuse a counter that gives another number of values than it has channels."""
        if len(values) != expected:
            raise DeviceError(call.device, f"gave {len(values)} values for {expected} channels{self.waits.at_point()}.")

    def _threaded(self, call: Call, arguments: tuple[Any, ...]) -> Any:
        return self.waits.blocking(call.device, call.doing, lambda: call.function(*arguments), call.extra)


def _given(result: Any) -> Any:
    return lambda: result
