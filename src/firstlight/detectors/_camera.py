"""The camera as the session sees it: the proxy of a receiver."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from firstlight.detectors._channels import channels, region_channels
from firstlight.detectors._pipeline import StepSpec
from firstlight.detectors._receiver import socket_of
from firstlight.detectors._status import Status
from firstlight.devices import AnyRegion, Regions, area_region
from firstlight.model import (
    CameraInfo,
    ChannelSpec,
    Conflict,
    FirstlightError,
    InvalidInput,
    ProcessError,
    TriggerPlan,
    WireError,
)
from firstlight.process import Child, ChildState, ProcessSpec, Restart, Supervisor
from firstlight.wire import AsyncClient, Client, Role, WireTimeout

_T = TypeVar("_T")

_logger = logging.getLogger(__name__)

DEATH = 2.0
"""Seconds that a process which closed its connection may take to end."""

_TAKEN = frozenset({"start", "stop", "status"})

TARGET = "firstlight.detectors._receiver:main"


class Camera:
    """One camera; its frames go into the buffer, only words pass here.

    A connection lasts one run, from :meth:`prepare` to :meth:`stop`, in one event loop; the next run may use another.

    :param socket: where its receiver serves.
    :param child: the receiver process, when it is supervised here.
    :param timeout: seconds that the receiver may take to answer, beyond what the exposures take.
    :param ready: seconds that it may take to start again after it died.
    :param rois: regions of the frames that are counted.
    :raises WireError: no receiver serves there.
    :raises InvalidInput: for a region that leaves the frames.
    """

    def __init__(
        self,
        name: str,
        socket: Path,
        *,
        child: Child | None = None,
        timeout: float = 10.0,
        ready: float = 60.0,
        rois: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.socket = Path(socket)
        self.child = child
        self._timeout, self._ready = timeout, ready
        with Client(self.socket, role=Role.VIEW, timeout=timeout) as client:
            self.info: CameraInfo = client.call("info")
            """What it can do."""
            self._truth: dict[str, Any] = client.call("truth")
        self.changed: list[Callable[[Camera], None]] = []
        """Called after the regions were changed."""
        self.rois: Regions[AnyRegion] = Regions(name, self._region, self._tell, lambda: _TAKEN)
        """Regions of the frames that are counted, by name: ``cam.rois["spot"] = (x, y, width, height)``, pixels;
        a list of such, or a grid, is counted into an array."""
        self.rois.replace(rois or {})
        self._configured = dict(self.rois.items())
        self._exposure = 0.0
        self._client: AsyncClient | None = None
        self._watch: asyncio.Task[None] | None = None
        self._error: FirstlightError | None = None
        self._dead: int | None = None

    @classmethod
    def spawn(
        cls,
        supervisor: Supervisor,
        name: str,
        source: Mapping[str, Any],
        buffer: Path,
        *,
        patience: float = 5.0,
        timeout: float = 10.0,
        ready: float = 60.0,
        max_restarts: int = 5,
        nice: int = 0,
        session: str = "",
    ) -> Self:
        """Start the receiver of a camera and connect to it; it is restarted when it dies.

        :param source: ``kind`` and configuration of its frame source; ``rois`` among it are for the camera.
        :param buffer: root of the buffer.
        :param patience: seconds that a frame may be late.
        :param ready: seconds until it must be ready, also when it is started again.
        :param max_restarts: within a minute; one more failure is final.
        :param session: whose camera it is: sessions that share a buffer may have cameras of one name.
        :raises ProcessError: it cannot be started; with the last lines of its log.
        """
        taking = {key: value for key, value in source.items() if key != "rois"}
        arguments = {"buffer": str(buffer), "name": name, "source": taking, "patience": patience}
        if session:
            arguments["socket"] = str(socket_of(name, buffer, session))
        spec = ProcessSpec(
            name=name,
            target=TARGET,
            arguments=arguments,
            restart=Restart.ON_FAILURE,
            max_restarts=max_restarts,
            stop_timeout=patience + 5.0,
            nice=nice,
        )
        child = supervisor.spawn(spec)
        info = child.wait_ready(ready)
        return cls(name, Path(info["socket"]), child=child, timeout=timeout, ready=ready, rois=source.get("rois"))

    @classmethod
    def attach(cls, name: str, buffer: Path, *, timeout: float = 10.0) -> Self:
        """Connect to a receiver that another process supervises."""
        return cls(name, socket_of(name, buffer), timeout=timeout)

    def __repr__(self) -> str:
        height, width = self.info.shape
        return f"<Camera {self.name}: {height} × {width} {self.info.dtype}>"

    def channels(self, plan: TriggerPlan | None = None) -> tuple[ChannelSpec, ...]:
        """The channels that it publishes in its next run: frames, when they were exposed, regions; those of further
        steps come on top.
        """
        frame, *stamps = channels(self.name, self.info, plan)
        return (frame, *stamps, *region_channels(frame, dict(self.rois.items())))

    def settings(self) -> dict[str, Any]:
        """What was changed since it was built and is kept, JSON values."""
        if dict(self.rois.items()) == self._configured:
            return {}
        return {"rois": {name: region.model_dump(mode="json") for name, region in self.rois.items()}}

    def restore(self, settings: Mapping[str, Any]) -> list[str]:
        """Set again what was changed in an earlier session.

        :param settings: of :meth:`settings`.
        :return: a sentence for what could not be restored; nothing was changed then.
        """
        try:
            self.rois.replace(settings.get("rois", dict(self.rois.items())))
        except InvalidInput as error:
            return [str(error)]
        return []

    def truth(self) -> dict[str, Any]:
        """What is true of a simulated sample, as JSON values; empty for a real camera."""
        return self._truth

    @property
    def error(self) -> FirstlightError | None:
        """What ended its part of the present run early; None while all is well."""
        return self._error

    @property
    def lost(self) -> str:
        """The same as a sentence, empty while all is well."""
        return "" if self._error is None else str(self._error)

    @property
    def comeback(self) -> float:
        """Seconds that its receiver, which died, may take until it serves again; 0 while it is there or given up."""
        child = self.child
        if child is None or child.error is not None:
            return 0.0
        # The supervisor may not have noticed yet what ended the last run.
        there = child.state is ChildState.READY and child.pid != self._dead
        return 0.0 if there else self._ready

    async def prepare(
        self,
        run_key: str,
        plan: TriggerPlan,
        slots: int = 0,
        steps: Sequence[StepSpec] = (),
        *,
        only: Collection[str] | None = None,
    ) -> list[ChannelSpec]:
        """Join a run and get ready.

        :param slots: of the ring; 0 lets the receiver choose.
        :param steps: what to compute from each frame, in this order; regions are counted in any case.
        :param only: channels of frames and regions that are published; None for all. Without the frames themselves they
            are reduced and forgotten.
        :returns: all channels that it publishes in the run; they exist now.
        """
        await self._leave()
        self._error = None
        self._exposure = plan.exposure
        client = await self._connect()
        try:
            made: list[ChannelSpec] = await client.call(
                "prepare",
                self._timeout,
                run_key=run_key,
                plan=plan,
                slots=slots,
                steps=[*self._counting(only), *steps],
                frames=only is None or self.name in only,
            )
        except WireError as error:
            died = client.closed
            await client.close()
            if died:
                raise self._died(error) from error
            raise
        except BaseException:
            await client.close()
            raise
        self._client = client
        self._watch = asyncio.create_task(self._follow(client), name=f"watch {self.name}")
        return made

    def _counting(self, only: Collection[str] | None) -> list[StepSpec]:
        """The step that counts in the regions, as far as that is wanted."""
        wanted: dict[str, Any] = {}
        for name, region in self.rois.items():
            given = region.model_dump(mode="json")
            for setting in ("statistics", "profiles"):
                if only is not None and setting in given:
                    given[setting] = [part for part in given[setting] if f"{self.name}:{name}_{part}" in only]
            if given["statistics"] or given.get("profiles"):
                wanted[name] = given
        return [StepSpec("firstlight.detectors._regions:step", {"regions": wanted})] if wanted else []

    def _region(self, name: str, given: Any) -> AnyRegion:
        return area_region(self.name, name, given, self.info.shape)

    def _tell(self) -> None:
        for listener in tuple(self.changed):
            listener(self)

    async def start(self, moment: float) -> None:
        """Time: the first exposure starts at ``moment``. Position: arm. Returns when that is done."""
        await self._run_call(lambda client: client.call("start", self._timeout, moment=moment))

    async def trigger(self) -> None:
        """Software: expose the next frame now."""
        await self._run_call(lambda client: client.call("trigger", self._timeout))

    async def wait_frames(self, count: int, timeout: float | None = None) -> int:
        """Wait until so many frames are acknowledged; how many are.

        :raises DeviceTimeout: the receiver gave up waiting for one of them.
        :raises ProcessError: the receiver died.
        """
        patience = math.inf if timeout is None else timeout
        return await self._run_call(lambda client: client.call("wait_frames", patience, count=count))

    async def stop(self) -> Status | None:
        """End the acquisition and seal the channels; idempotent.

        :returns: how it went; None when the receiver died and there is nothing left to stop.
        """
        client = self._client
        if client is not None and client.closed and self._watch is not None:
            await asyncio.wait([self._watch])
        try:
            if client is not None and not client.closed:
                return await self._stop(client)
            if self._error is None:
                # Not prepared here, or only half: what a former session left is stopped too.
                async with AsyncClient(self.socket, timeout=self._timeout) as other:
                    return await self._stop(other)
        except WireTimeout:
            raise
        except WireError:
            return None
        finally:
            await self._leave()
        return None

    async def status(self) -> Status:
        """What the receiver does now."""
        async with AsyncClient(self.socket, role=Role.VIEW, timeout=self._timeout) as client:
            status: Status = await client.call("status")
            return status

    async def _stop(self, client: AsyncClient) -> Status:
        status: Status = await client.call("stop", self._timeout + self._exposure)
        return status

    async def _run_call(self, call: Callable[[AsyncClient], Awaitable[_T]]) -> _T:
        if self._error is not None:
            raise self._error
        client = self._client
        if client is None:
            raise Conflict(f"{self.name} is not prepared for a run.")
        try:
            return await call(client)
        except WireError as error:
            if client.closed:
                if self._watch is not None:
                    await asyncio.wait([self._watch])
                raise self._died(error) from error
            raise

    async def _connect(self) -> AsyncClient:
        """Connect, waiting for a receiver that is being restarted."""
        deadline = time.monotonic() + self._timeout + self.comeback
        while True:
            try:
                return await AsyncClient(self.socket, timeout=self._timeout).connect()
            except WireError as error:
                if self.child is None or self.child.error is not None or time.monotonic() > deadline:
                    raise self._died(error) from error
            await asyncio.sleep(0.02)

    async def _follow(self, client: AsyncClient) -> None:
        """Take note of whatever ends the run early."""
        try:
            await client.call("result", math.inf)
        except FirstlightError as error:
            if not client.closed:
                self._error = error
        # The frames may be complete, but the process can still die before it is stopped.
        await client.wait_closed()
        if client.left:
            return
        # Its connection ends a little before its locks do; whoever ends the run now must find those free.
        await _gone(client.peer.pid)
        self._dead = client.peer.pid
        if self._error is None:
            try:
                client.check_open()
            except WireError as error:
                self._error = self._died(error)

    async def _leave(self) -> None:
        client, self._client = self._client, None
        watch, self._watch = self._watch, None
        if client is None or watch is None or watch.get_loop() is not asyncio.get_running_loop():
            return
        await client.close()
        await asyncio.wait([watch])

    def _died(self, error: WireError) -> FirstlightError:
        """The receiver cannot be reached: it has died, and will not come back when its supervisor gave up."""
        if self.child is not None and self.child.error is not None:
            return self.child.error
        if self.child is None:
            return ProcessError(f"{self.name}: its receiver cannot be reached. {error.message}", hint=error.hint)
        return ProcessError(
            f"{self.name}: the receiver process died.",
            hint=f"What it acknowledged is kept, and it is started again. Its log is {self.child.log}.",
        )


async def _gone(pid: int) -> None:
    """Return when a process has ended and all that it held is free; after two seconds in any case."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        async with asyncio.timeout(DEATH):
            await ended.wait()
    except TimeoutError:
        _logger.warning("Process %d closed its connection but lives on.", pid)
    finally:
        loop.remove_reader(handle)
        os.close(handle)
