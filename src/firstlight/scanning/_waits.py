"""Who is being waited for, so that a device that never answers is named; and threads for drivers that block."""

from __future__ import annotations

import asyncio
import inspect
import queue
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from firstlight.model import Clock, DeviceError, DeviceTimeout, FakeClock, FirstlightError
from firstlight.scanning._devices import Devices

_T = TypeVar("_T")


@dataclass(slots=True)
class Wait:
    """One thing waited for.

    :param doing: what the device was asked, for the error: ``to move to 3 deg``.
    :param allowed: seconds it may take.
    """

    device: str
    doing: str
    since: float
    allowed: float


class Waits:
    """All that one run waits for now.

    The engine's supervisor looks here from time to time; nothing is scheduled per call, so a wait costs well under a
    microsecond.
    """

    def __init__(self, clock: Clock, devices: Devices) -> None:
        self._clock = clock
        self._devices = devices
        self._active: dict[int, Wait] = {}
        self._next = 0
        self._threads = not isinstance(clock, FakeClock)
        self.left: set[asyncio.Future[Any]] = set()
        """Cancelled calls that have not ended yet."""
        self.point: int | None = None
        """Index of the point being made, for errors."""

    async def answer(self, device: str, doing: str, call: Callable[[], Any], extra: float = 0.0) -> Any:
        """Call a device, wait for it if it makes us wait, and put its name on whatever goes wrong.

        :param extra: seconds that the device needs by its own settings.
        """
        self._next = token = self._next + 1
        self._active[token] = Wait(device, doing, self._clock.now(), self._devices.allowed(device) + extra)
        try:
            result = call()
            return await result if inspect.isawaitable(result) else result
        except FirstlightError:
            raise
        except Exception as error:
            raise self.named(error, device, doing) from error
        finally:
            del self._active[token]

    async def blocking(self, device: str, doing: str, call: Callable[[], Any], extra: float = 0.0) -> Any:
        """The same for a driver that blocks: in a thread, unless time is fake."""
        if not self._threads:
            return await self.answer(device, doing, call, extra)
        return await self.answer(device, doing, lambda: asyncio.to_thread(call), extra)

    async def together(self, *coroutines: Coroutine[Any, Any, Any]) -> list[Any]:
        """Run all at once and return their results; the first error wins, and the others are cancelled.

        Those are not waited for then: they may hang, and whoever ends the run stops their devices (:attr:`left`).
        """
        if len(coroutines) == 1:
            return [await coroutines[0]]
        tasks = [asyncio.ensure_future(c) for c in coroutines]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        except asyncio.CancelledError:
            for task in tasks:
                self.abandon(task)
            raise
        failed = next((t for t in tasks if t.done() and not t.cancelled() and t.exception() is not None), None)
        if failed is None:
            return [t.result() for t in tasks]
        for task in tasks:
            if task is not failed:
                self.abandon(task)
        error = failed.exception()
        assert error is not None
        raise error

    def abandon(self, task: asyncio.Future[Any]) -> None:
        """Cancel a task without waiting for it; nothing complains about its end."""
        if not task.done():
            task.cancel()
            self.left.add(task)
        task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Future[Any]) -> None:
        self.left.discard(task)
        retrieve(task)

    def named(self, error: BaseException, device: str, doing: str) -> FirstlightError:
        """An error that says which device failed at what."""
        if isinstance(error, FirstlightError):
            return error
        text = str(error).strip().rstrip(".")
        return DeviceError(
            device, f"failed {doing}{self.at_point()}: {type(error).__name__}{': ' if text else ''}{text}."
        )

    def at_point(self) -> str:
        """Words that say which point is being made."""
        return "" if self.point is None else f" at point {self.point}"

    def late(self) -> DeviceTimeout | None:
        """The error of the first device that has not answered in its time."""
        now = self._clock.now()
        for wait in self._active.values():
            if now - wait.since > wait.allowed:
                return DeviceTimeout(
                    wait.device,
                    f"did not answer within {wait.allowed:.3g} s when asked {wait.doing}{self.at_point()}.",
                    hint="Check the device and its connection; its time limit is in the configuration.",
                )
        return None

    def next_look(self, longest: float) -> float:
        """Moment at which to look for late devices again.

        :param longest: seconds; the shortest time that any device is allowed.
        """
        now = self._clock.now()
        ends = [wait.since + wait.allowed for wait in self._active.values()]
        return max(min([now + longest, *ends]), now) + 1e-3


def retrieve(task: asyncio.Future[Any]) -> None:
    """Take note of the error of a task that nobody waits for."""
    if task.done() and not task.cancelled():
        task.exception()


class DaemonThreads(ThreadPoolExecutor):
    """An executor whose threads never keep the interpreter alive: a driver that hangs must not hang the exit.

    It derives from ThreadPoolExecutor because an event loop accepts no other default executor; its machinery is not
    used. A thread that is free takes the next call; when none is, one more is started.
    """

    def __init__(self) -> None:
        super().__init__(max_workers=1)
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._free = 0
        self._count = 0
        self._guard = threading.Lock()

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """Call ``fn`` in a thread."""
        future: Future[_T] = Future()
        with self._guard:
            if self._free:
                self._free -= 1
            else:
                self._count += 1
                threading.Thread(target=self._work, name=f"driver-{self._count}", daemon=True).start()
            self._calls.put((future, lambda: fn(*args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let free threads end; those inside a call end after it."""
        super().shutdown(wait=False)
        with self._guard:
            count, self._count = self._count, 0
        for _ in range(count):
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            future, function = call
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function())
                except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits for the future
                    future.set_exception(error)
            with self._guard:
                self._free += 1
