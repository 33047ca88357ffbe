"""Points that the engine asks for, one by one: time scans and step scans."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import Clock, FakeClock, FirstlightError
from firstlight.scanning._acquisition import Acquisition
from firstlight.scanning._gate import Motion
from firstlight.scanning._plan import position_of
from firstlight.scanning._rest import safe_point
from firstlight.scanning._travel import travel_all

YIELD = 0.005
"""Seconds after which a loop in which nothing waits lets others run: abort, time limits, progress."""
OFTEN = 256
"""Points after which it does so in any case: fake time may stand still."""
SHORT = 0.002
"""Waits shorter than this (s) block the loop: its own timers are no finer than a millisecond."""


async def acquire(a: Acquisition) -> None:
    """Make all points: move, settle, start, wait, read, record.

    Where no device makes us wait, a point costs some function calls and no task: drivers are asked directly, and rows
    are written in batches.
    """
    plan, scan, clock, waits, recorder = a.plan, a.plan.scan, a.clock, a.waits, a.recorder
    steering = a.steering
    before, after = a.hooks("point_before"), a.hooks("point_after")
    starts = a.chain.start
    frames = [(camera, a.reader.channel(plan.frames_of(camera))) for camera in plan.cameras]
    reads = [(call, len(c.channels)) for call, c in zip(a.chain.read, plan.counters, strict=True)]
    direct = not any(call.blocking for call in (*starts, *a.chain.read))
    steps = _Steps(a) if plan.axes else None
    followed = [a.devices.axis(name) for name in plan.selection.followed]
    exposure, sleep, stab = scan.count_time, scan.sleep_time, scan.stab_time
    now = clock.now
    yielded = recorder.began = now()
    for index in range(plan.points) if plan.points is not None else itertools.count():
        waits.point = index
        if steering.asked:
            await safe_point(a, index)
        positions: tuple[float, ...] = ()
        if steps is not None:
            moved = await steps.go(index)
            if moved and stab:
                await clock.sleep_until(now() + stab)
            positions = steps.positions()
        if before:
            await a.hook("point_before", index, dict(zip(plan.axes, positions, strict=False)))
        if followed:
            positions = (*positions, *[position_of(axis) for axis in followed])
        moment = now()
        if direct:
            await _start(a, moment)
        else:
            await a.all(starts, moment)
        if exposure:
            await _until(clock, moment + exposure)
        if direct:
            values = await _read(a, reads, positions)
        else:
            answers = await a.all(a.chain.read)
            for (call, expected), answer in zip(reads, answers, strict=True):
                a.check_count(call, answer, expected)
            values = (*positions, *itertools.chain.from_iterable(answers))
        for camera, channel in frames:
            await a.frame(camera, channel, index)
        done = now()
        recorder.add(moment, values, done)
        if after:
            await a.hook("point_after", index, values)
        a.reporter.at(index + 1)
        if sleep:
            await clock.sleep_until(now() + sleep)
        elif done - yielded > YIELD or index % OFTEN == 0:
            await asyncio.sleep(0)
            yielded = now()
    waits.point = None


async def _until(clock: Clock, moment: float) -> None:
    if moment - clock.now() < SHORT and not isinstance(clock, FakeClock):
        clock.pause_until(moment)
    else:
        await clock.sleep_until(moment)


async def _start(a: Acquisition, moment: float) -> None:
    pending = None
    for call in a.chain.start:
        try:
            result = call.function(moment)
        except FirstlightError:
            raise
        except Exception as error:
            raise a.waits.named(error, call.device, call.doing) from error
        if result is not None and inspect.isawaitable(result):
            pending = [] if pending is None else pending
            pending.append(a.waits.answer(call.device, call.doing, _given(result), call.extra))
    if pending is not None:
        await a.waits.together(*pending)


async def _read(a: Acquisition, reads: Sequence[tuple[Any, int]], positions: tuple[float, ...]) -> tuple[Any, ...]:
    values: list[Any] = list(positions)
    for call, expected in reads:
        try:
            result = call.function()
        except FirstlightError:
            raise
        except Exception as error:
            raise a.waits.named(error, call.device, call.doing) from error
        if inspect.isawaitable(result):
            result = await a.waits.answer(call.device, call.doing, _given(result), call.extra)
        if len(result) != expected:
            a.check_count(call, result, expected)
        values += result
    return tuple(values)


def _given(result: Any) -> Any:
    return lambda: result


class _Steps:
    """The axes of a step scan, and where they have to be at each point."""

    def __init__(self, a: Acquisition) -> None:
        self._a = a
        self._axes = [a.devices.axis(name) for name in a.plan.axes]
        columns: Mapping[str, NDArray[np.float64]] = a.plan.positions
        self._targets = [(name, columns[name].tolist()) for name in a.plan.axes]
        self._at: list[float | None] = [None] * len(self._axes)
        self._calculated = any(axis.calculation is not None for axis in self._axes)
        self._axes += [a.devices.axis(name) for name in a.plan.reals]

    async def go(self, index: int) -> bool:
        """Move what is not yet at its place, all at once; whether anything moved."""
        due = []
        for k, (name, targets) in enumerate(self._targets):
            target = targets[index]
            if target != self._at[k]:
                due.append((name, target))
                self._at[k] = target
        if not due:
            return False
        if self._calculated:
            await travel_all(self._a.gate, self._a.waits, [Motion(name, target) for name, target in due])
        else:
            await self._a.waits.together(*(self._a.go(name, target) for name, target in due))
        return True

    def positions(self) -> tuple[float, ...]:
        """Where the axes really are."""
        return tuple([position_of(axis) for axis in self._axes])
