"""A camera whose process is still starting: it has its name at once, and the rest when it is ready."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any

from firstlight.detectors import Camera
from firstlight.model import CameraInfo, ChannelKind, ChannelSpec, DeviceError, FirstlightError, TriggerPlan
from firstlight.session._failed import as_failure


class LateCamera:
    """A camera as the engine sees it; whoever needs more than its name waits for its process.

    :param start: makes it, called in a thread of its own.
    :param ended: called when that is done, with the error or None.
    :param patience: seconds to wait for it.
    """

    def __init__(
        self,
        name: str,
        start: Callable[[], Camera],
        ended: Callable[[FirstlightError | None], None],
        patience: float,
    ) -> None:
        self.name = name
        self._start = start
        self._ended = ended
        self._patience = patience
        self._made: Camera | None = None
        self._failure: FirstlightError | None = None
        self._done = threading.Event()
        threading.Thread(target=self._make, name=f"camera {name}", daemon=True).start()

    @property
    def camera(self) -> Camera:
        """The camera itself; waits for it.

        :raises FirstlightError: why it could not be started.
        """
        if not self._done.wait(self._patience):
            raise DeviceError(self.name, f"is still starting after {self._patience:g} s.", hint="Try again later.")
        if self._made is None:
            assert self._failure is not None
            raise self._failure
        return self._made

    @property
    def starting(self) -> bool:
        """Whether its process is not ready yet."""
        return not self._done.is_set()

    @property
    def ready(self) -> bool:
        """Whether it can be used now."""
        return self._made is not None

    @property
    def info(self) -> CameraInfo:
        """What it can do."""
        return self.camera.info

    def channels(self, plan: TriggerPlan | None = None) -> Sequence[ChannelSpec]:
        """What it publishes; while its process is not there, all that is known is its name."""
        if self._made is None:
            return (ChannelSpec(self.name, shape=(0, 0), source=self.name, kind=ChannelKind.RING),)
        return self.camera.channels(plan)

    @property
    def error(self) -> FirstlightError | None:
        """What ended its part of the present run early."""
        return self.camera.error

    async def prepare(
        self, run_key: str, plan: TriggerPlan, slots: int = 0, *, only: Collection[str] | None = None
    ) -> Any:
        """Join a run and get ready."""
        return await self.camera.prepare(run_key, plan, slots, only=only)

    async def start(self, moment: float) -> None:
        """The first exposure starts at ``moment``, or it is armed."""
        await self.camera.start(moment)

    async def trigger(self) -> None:
        """Expose the next frame now."""
        await self.camera.trigger()

    async def stop(self) -> Any:
        """End the acquisition."""
        return await self.camera.stop()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.camera, name)

    def __repr__(self) -> str:
        if self.starting:
            return f"<Camera {self.name}: starting>"
        return repr(self._made) if self._made is not None else f"<Camera {self.name} failed: {self._failure}>"

    def _make(self) -> None:
        try:
            self._made = self._start()
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever uses the camera is told
            self._failure = as_failure(self.name, error)
        self._done.set()
        self._ended(self._failure)
