"""Frame sources and steps that the tests run in receivers."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import (
    STATUS_MISSING,
    STATUS_SATURATED,
    Block,
    CameraInfo,
    ChannelKind,
    ChannelSpec,
    DeviceError,
    FrameStamp,
    TriggerMode,
    TriggerPlan,
)


class Counting:
    """Frame k is full of k; by software at each trigger, in time by the plan, by position as fast as it is asked."""

    def __init__(
        self,
        shape: tuple[int, int] = (4, 6),
        dtype: str = "<u2",
        lose: Sequence[int] = (),
        saturate: Sequence[int] = (),
        never_from: int | None = None,
        raise_at: int | None = None,
        raise_in: str = "",
        deaf: bool = False,
        modes: Sequence[str] = ("software", "time", "position"),
    ) -> None:
        self.info = CameraInfo(
            (shape[0], shape[1]), dtype, frozenset(map(TriggerMode, modes)), 0.001, 1000.0, (1e-6, 1e-6)
        )
        self.lose = set(lose)
        self.saturate = set(saturate)
        self.never_from = never_from
        self.raise_at = raise_at
        self.raise_in = raise_in
        self.deaf = deaf
        self.calls: list[str] = []
        self.threads: set[str] = set()
        self._stopped = threading.Event()

    def _note(self, call: str) -> None:
        self.calls.append(call)
        self.threads.add(threading.current_thread().name)
        if call == self.raise_in:
            raise ValueError(f"no {call} today")

    def prepare(self, plan: TriggerPlan) -> None:
        self._stopped.clear()
        self.plan = plan
        self._note("prepare")

    def start(self, moment: float) -> None:
        self.moment = moment
        self._note("start")

    def trigger(self) -> None:
        self.triggered = time.monotonic()
        self._note("trigger")

    def acquire(self, index: int, frame: NDArray[Any], timeout: float) -> FrameStamp | None:
        if index == self.raise_at:
            raise ValueError("the cable is loose")
        if self.never_from is not None and index >= self.never_from:
            (threading.Event() if self.deaf else self._stopped).wait(None if self.deaf else timeout)
            return None
        start = {
            TriggerMode.SOFTWARE: lambda: self.triggered,
            TriggerMode.TIME: lambda: self.moment + index * self.plan.period,
            TriggerMode.POSITION: lambda: time.monotonic(),
        }[self.plan.mode]()
        stop = start + self.plan.exposure
        if self._stopped.wait(min(timeout, max(0.0, stop - time.monotonic()))) or time.monotonic() < stop:
            return None
        if index in self.lose:
            return FrameStamp(0.0, 0.0, STATUS_MISSING)
        frame[...] = index
        return FrameStamp(start, stop, STATUS_SATURATED if index in self.saturate else 0)

    def stop(self) -> None:
        self.calls.append("stop")
        self._stopped.set()

    def close(self) -> None:
        self._note("close")


def counting(**options: Any) -> Counting:
    return Counting(**options)


def behind(door: str, **options: Any) -> Counting:
    """Starts as soon as no file is in its way."""
    while Path(door).exists():
        time.sleep(0.01)
    return Counting(**options)


def broken(**options: Any) -> Counting:
    raise DeviceError("cam", "is not plugged in.", hint="Plug it in.")


class Reduce:
    """Publishes of each frame its sum, a spectrum, the pixels above a threshold, a binned frame; at the end a total."""

    name = "reduce"

    def __init__(self, fail_at: int | None = None, forget: bool = False) -> None:
        self.fail_at = fail_at
        self.forget = forget
        self.total = 0
        self.seen: list[int] = []

    def prepare(self, frame: ChannelSpec) -> Sequence[ChannelSpec]:
        height, width = frame.shape
        self.camera = frame.name
        return [
            ChannelSpec(f"{frame.name}:sum", "<i8", source=self.name),
            ChannelSpec(f"{frame.name}:rows", "<f4", (height,), source=self.name),
            ChannelSpec(f"{frame.name}:pixels", "<u4", (), source=self.name, kind=ChannelKind.RAGGED),
            ChannelSpec(f"{frame.name}:small", frame.dtype, (height // 2, width // 2), kind=ChannelKind.RING),
        ]

    def process(self, index: int, frame: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        if index == self.fail_at:
            raise ZeroDivisionError("by nothing")
        assert not frame.flags.writeable
        self.seen.append(index)
        self.total += int(frame.sum())
        if self.forget:
            return {"cam:nowhere": np.zeros(1)}
        return {
            f"{self.camera}:sum": np.int64(frame.sum()),
            f"{self.camera}:rows": frame.mean(1, dtype=np.float32),
            f"{self.camera}:pixels": np.arange(index, dtype=np.uint32),
            f"{self.camera}:small": frame[::2, ::2],
        }

    def finish(self) -> Sequence[Block]:
        return []


def reduce(**options: Any) -> Reduce:
    return Reduce(**options)


class Total:
    """Publishes one item when the run ends."""

    name = "total"

    def prepare(self, frame: ChannelSpec) -> Sequence[ChannelSpec]:
        self.channel = f"{frame.name}:total"
        self.total = np.zeros(frame.shape, np.int64)
        return [ChannelSpec(self.channel, "<i8", frame.shape, source=self.name)]

    def process(self, index: int, frame: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        self.total += frame
        return {}

    def finish(self) -> Sequence[Block]:
        return [Block(self.channel, 0, self.total[np.newaxis], time.monotonic())]


def total() -> Total:
    return Total()


def no_step() -> None:
    raise KeyError("calibration")


def heavy_modules(context: Any) -> None:
    """Say which slow modules a receiver loads."""
    import_module("firstlight.detectors._receiver")
    heavy = {"numba", "scipy", "h5py", "pint", "scanspec"}
    context.ready(heavy=sorted(heavy & set(sys.modules)))
    context.stopping.wait()
