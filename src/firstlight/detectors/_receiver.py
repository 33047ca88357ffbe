"""The receiver: the process that owns one camera."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from firstlight.buffer import Buffer
from firstlight.detectors._acquisition import Acquisition
from firstlight.detectors._load import build_source
from firstlight.detectors._pipeline import StepSpec
from firstlight.detectors._status import ReceiverState, Status
from firstlight.model import (
    CameraInfo,
    ChannelSpec,
    Conflict,
    DeviceError,
    FirstlightError,
    FrameSource,
    NotFound,
    TriggerPlan,
)
from firstlight.process import ChildContext
from firstlight.wire import Role, Server, Service, address, method

_logger = logging.getLogger(__name__)
_T = TypeVar("_T")

POLL = 0.001
"""Seconds between looks at the number of frames, while somebody waits for it."""


class Receiver(Service):
    """Serves one camera to its session.

    One thread touches the source: it builds it, prepares it, and acquires.

    :param patience: seconds that a frame, a start or a stop may be late.
    """

    def __init__(self, name: str, buffer: Buffer, source: Mapping[str, Any], *, patience: float = 5.0) -> None:
        self._name = name
        self._buffer = buffer
        self._patience = patience
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"camera {name}")
        self._lock = threading.Lock()
        self._acquisition: Acquisition | None = None
        self._source: FrameSource = self._there(lambda: build_source(source)).result()

    @method(Role.VIEW)
    async def info(self) -> CameraInfo:
        """What the camera can do."""
        return self._source.info

    @method(Role.VIEW)
    async def truth(self) -> dict[str, Any]:
        """What is true of a simulated camera's sample and geometry; nothing for a real one."""
        found = getattr(self._source, "truth", None)
        return dict(found()) if callable(found) else {}

    @method(Role.VIEW)
    def status(self) -> Status:
        """What it does now."""
        acquisition = self._acquisition
        if acquisition is None:
            return Status(ReceiverState.IDLE)
        behind, spilled = self._lag(acquisition)
        return Status(
            state=acquisition.state,
            run=acquisition.key,
            frames=acquisition.frames,
            points=acquisition.plan.points,
            missing=acquisition.missing,
            dropped=acquisition.dropped,
            rate=acquisition.rate,
            slots=acquisition.slots,
            behind=behind,
            spilled=spilled,
            message=str(acquisition.error) if acquisition.error is not None else "",
        )

    @method()
    def prepare(
        self,
        run_key: str,
        plan: TriggerPlan,
        slots: int = 0,
        steps: Sequence[StepSpec] = (),
        frames: bool = True,
    ) -> list[ChannelSpec]:
        """Join a run, get the camera ready, make the channels.

        :param slots: of the ring; 0 lets the receiver choose.
        :param frames: whether frames are published, or only reduced.
        :returns: all channels that it publishes in the run.
        :raises Conflict: it acquires for another run that is alive.
        """
        with self._lock:
            self._make_way()
            if plan.mode not in self._source.info.modes:
                raise DeviceError(self._name, f"cannot be triggered by {plan.mode.value}.")
            built = [step.build() for step in steps]
            member = self._buffer.join(run_key)
            acquisition = Acquisition(
                self._name,
                self._source,
                member,
                plan,
                slots=slots,
                steps=built,
                patience=self._patience,
                frames=frames,
            )
            made = self._there(acquisition.prepare).result()
            self._acquisition = acquisition
            self._there(acquisition.run)
        acquisition.finished.add_done_callback(lambda _: self._tell(acquisition))
        self._tell(acquisition)
        return made

    @method()
    def start(self, moment: float) -> None:
        """Time: the first exposure starts at ``moment``. Position: arm. Software: get ready."""
        acquisition = self._prepared()
        acquisition.start(moment, self._patience)
        self._tell(acquisition)

    @method()
    async def trigger(self) -> None:
        """Software: expose the next frame now, or as soon as the last one has come."""
        self._prepared().trigger()

    @method(Role.VIEW)
    async def wait_frames(self, count: int) -> int:
        """Wait until so many frames are acknowledged; how many are.

        :raises DeviceError: it ended with fewer, with the error that ended it if there was one.
        """
        acquisition = self._prepared()
        while acquisition.frames < count:
            over = acquisition.finished.done()
            if over and acquisition.frames < count:
                if acquisition.error is not None:
                    raise acquisition.error
                raise DeviceError(self._name, f"ended after {acquisition.frames} frames; {count} were waited for.")
            await asyncio.sleep(POLL)
        return acquisition.frames

    @method(Role.VIEW)
    async def result(self) -> int:
        """Wait until no frame will follow; how many there are.

        :raises FirstlightError: what ended the run.
        """
        acquisition = self._prepared()
        # Several may wait, and one that goes away must not take the result from the others.
        await asyncio.shield(asyncio.wrap_future(acquisition.finished))
        return acquisition.frames

    @method()
    def stop(self) -> Status:
        """End the acquisition and seal the channels; idempotent, also without a run."""
        acquisition = self._acquisition
        if acquisition is not None:
            acquisition.stop(self._patience + acquisition.plan.exposure)
        return self.status()

    def close(self) -> None:
        """End the acquisition and release the camera."""
        try:
            self.stop()
        except FirstlightError:
            _logger.exception("%s could not be stopped.", self._name)
            return
        self._there(self._source.close).result()
        self._thread.shutdown()

    def _there(self, function: Callable[[], _T]) -> Future[_T]:
        return self._thread.submit(function)

    def _prepared(self) -> Acquisition:
        acquisition = self._acquisition
        if acquisition is None:
            raise Conflict(f"{self._name} is not prepared.")
        return acquisition

    def _make_way(self) -> None:
        """End a former run that nobody needs any more."""
        former = self._acquisition
        if former is None or former.over:
            return
        try:
            alive = self._buffer.run(former.key).owner_alive
        except NotFound:
            alive = False
        if alive:
            raise Conflict(f"{self._name} acquires for the run {former.key}.", hint="Stop that run first.")
        former.stop(self._patience + former.plan.exposure)

    def _lag(self, acquisition: Acquisition) -> tuple[int, int]:
        """Frames that the slowest retaining reader still needs, and bytes that were spilled for the run."""
        try:
            run = self._buffer.run(acquisition.key)
            channel = run.channel(self._name)
            released = [channel.released(reader) for reader in run.readers]
            behind = channel.count - min(released, default=channel.count)
            spilled = next((s.spilled for s in self._buffer.summaries() if s.key == acquisition.key), 0)
        except NotFound:
            return 0, 0
        return behind, spilled

    def _tell(self, acquisition: Acquisition) -> None:
        if acquisition is self._acquisition:
            self.emit("state", (acquisition.state, acquisition.key, acquisition.frames))


def socket_of(name: str, buffer: Path, session: str = "") -> Path:
    """Where the receiver of a camera is found.

    :param session: that it belongs to; empty for a receiver that belongs to nobody.
    """
    return address(f"camera-{session}-{name}" if session else f"camera-{name}", buffer)


def main(
    context: ChildContext, *, buffer: str, name: str, source: Mapping[str, Any], socket: str = "", patience: float = 5.0
) -> None:
    """Target of the receiver process.

    :param buffer: root of the buffer.
    :param name: of the camera and of its channel.
    :param source: configuration of the frame source: its ``kind`` and what that takes.
    :param socket: where to serve; by default where :func:`socket_of` says.
    :param patience: seconds that a frame, a start or a stop may be late.
    """
    # Sources that look into the buffer by themselves (simulated ones) find the same.
    os.environ["FIRSTLIGHT_BUFFER"] = buffer
    path = Path(socket) if socket else socket_of(name, Path(buffer))
    receiver = Receiver(name, Buffer(Path(buffer)), source, patience=patience)
    with Server(receiver, path):
        context.ready(socket=str(path))
        context.stopping.wait()
        receiver.close()
