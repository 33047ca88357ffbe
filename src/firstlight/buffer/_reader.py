"""A run as any other process sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from firstlight.buffer._channel import ChannelReader, open_channel
from firstlight.buffer._folder import OWNER, RunFolder
from firstlight.buffer._locks import acquire, held
from firstlight.buffer._retain import RetainingReader
from firstlight.buffer._waiter import wait_async
from firstlight.model import Conflict, NotFound, RunEnd, RunInfo, RunState


class RunReader:
    """One run, while it grows and after."""

    def __init__(self, folder: RunFolder, announce: Callable[[], None]) -> None:
        self._folder = folder
        self._announce = announce
        self._channels: dict[str, ChannelReader] = {}

    @property
    def key(self) -> str:
        """Key of the run."""
        return self._folder.key

    @property
    def path(self) -> Path:
        """Folder of the run."""
        return self._folder.path

    @property
    def info(self) -> RunInfo:
        """Description of the run."""
        return self._folder.info

    @property
    def state(self) -> RunState:
        """Where the run stands."""
        return self._folder.state

    @property
    def end(self) -> RunEnd | None:
        """How the run ended; None while it has not."""
        return self._folder.end

    @property
    def readers(self) -> tuple[str, ...]:
        """Names of the retaining readers."""
        return self._folder.readers

    @property
    def owner_alive(self) -> bool:
        """Whether the process that owns the run lives."""
        return held(self._folder.members / OWNER)

    @property
    def channels(self) -> dict[str, ChannelReader]:
        """The channels that have appeared so far, by name."""
        return {name: self.channel(name) for name in self._folder.visible()}

    def channel(self, name: str) -> ChannelReader:
        """One channel.

        :raises NotFound: when it has not appeared.
        """
        channel = self._channels.get(name)
        if channel is None:
            channel = self._channels[name] = open_channel(self._folder.channels, name, self._folder.bell)
        return channel

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait in this thread until the condition holds; looked at after every commit, seal and change of state.

        :param timeout: seconds.
        :return: whether it holds.
        """
        return self._folder.bell.wait(condition, timeout)

    async def wait_async(self, condition: Callable[[], bool], timeout: float) -> bool:
        """The same without a thread: one waiter thread of this process listens for all."""
        return await wait_async(self._folder.bell, condition, timeout)

    def attended(self, name: str) -> bool:
        """Whether somebody is at work now as the retaining reader of that name."""
        return name in self.readers and held(self._folder.readers_folder / name)

    def retain(self, name: str) -> RetainingReader:
        """Become the run's retaining reader ``name``, where the last one of that name left off.

        :raises NotFound: when the run lists no such reader.
        :raises Conflict: when another process is that reader.
        """
        if name not in self.readers:
            raise NotFound(
                f"The run {self.key} has no retaining reader {name!r}.", hint="They are listed when the run is made."
            )
        lock = acquire(self._folder.readers_folder / name, patience=0.2)
        if lock is None:
            raise Conflict(f"Another process is the retaining reader {name!r} of the run {self.key}.")
        return RetainingReader(name, self._folder.channels, self._folder.bell, lock)

    def mark_closed(self) -> None:
        """Say that the run's file was closed and opened again successfully: the memory may be used for other runs.

        :raises Conflict: when the run has not stopped.
        """
        if self.state < RunState.STOPPED:
            raise Conflict(f"The run {self.key} is {self.state.name}; only a stopped run can be closed.")
        self._folder.close()
        self._announce()
