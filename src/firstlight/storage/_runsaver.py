"""Saving one run: from the buffer into its file, from the first item to the last, whatever died before."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import h5py

from firstlight.buffer import Buffer, ChannelReader, RetainingReader, RunReader
from firstlight.model import (
    ChannelKind,
    DataError,
    EndReason,
    InvalidInput,
    RunEnd,
    RunState,
)
from firstlight.storage._entry import SUCCEEDED
from firstlight.storage._following import FrameFollower
from firstlight.storage._frames import FrameWriter, remove_journals
from firstlight.storage._options import SaverOptions
from firstlight.storage._report import write_report
from firstlight.storage._runfile import RunFile
from firstlight.storage._space import require_space

READER = "saver"
"""Name of the retaining reader; a run that is to be saved lists it."""

_LATE = "Its producer had not ended it in time."
_ADOPT = 1.0
_AHEAD = 0.5


class Interrupted(Exception):
    """The saver was told to end; the run is saved by the next one."""


class RunSaver:
    """Saves one run.

    Its logs are read from item 0 each time: they stay in the buffer until the file was closed and opened again. A file
    that an earlier saver left is replaced as a whole. Frames, whose memory is released as they are saved, are taken
    over from their files and journals.

    :param started: called once the file has its name.
    :param stopping: when set, :meth:`save` leaves off and raises :class:`Interrupted`.
    :raises InvalidInput: when the run is not to be saved.
    """

    def __init__(
        self,
        buffer: Buffer,
        run: RunReader,
        options: SaverOptions,
        *,
        started: Callable[[], None] = lambda: None,
        stopping: threading.Event | None = None,
    ) -> None:
        saving = run.info.saving
        if saving is None:
            raise InvalidInput(f"The run {run.key} is not to be saved.")
        self.run = run
        self.saving = saving
        self._buffer = buffer
        self._options = options
        self._started = started
        self._stopping = stopping or threading.Event()
        self._followers: dict[str, FrameFollower] = {}
        self._born = time.monotonic()
        self._looked = self._adopted = float("-inf")

    @property
    def frames(self) -> int:
        """Frames saved so far, of all channels."""
        return sum(f.count for f in self._followers.values())

    def save(self) -> None:
        """Save until the run is complete in its file, and close it in the buffer.

        :raises Conflict: when another process saves it.
        :raises StorageFull, StorageError: when the file can not be written; what is not in it stays in the buffer.
        :raises Interrupted: when told to leave off.
        """
        with self.run.retain(READER) as reader:
            if self.run.state is RunState.CLOSED:
                return
            require_space(Path(self.saving.file), minimum=self._options.minimum_free)
            write_report(self.run.path, "saving", self.saving.file)
            file = RunFile(self.saving, self.run.info, self.run.key)
            try:
                if not Path(self.saving.file).exists():
                    self._publish(file)
                seals = self._follow(reader, file)
                self._finish(file, seals)
            except BaseException:
                for follower in self._followers.values():
                    follower.stop()
                file.give_up()
                raise
            self.run.mark_closed()
        remove_journals(Path(self.saving.file).parent)
        write_report(self.run.path, "closed", self.saving.file)

    # -- following

    def _follow(self, reader: RetainingReader, file: RunFile) -> dict[str, str]:
        """Until everything is in the file; returns how channels ended that did not end ordinarily."""
        known: dict[str, ChannelReader] = {}
        due = time.monotonic() + self._options.flush
        while True:
            began = time.monotonic()
            # In this order: what is there after the state was read is all that there will be.
            state = self.run.state
            known = self._look(state, known)
            complete = self._round(reader, file, known, create=state >= RunState.RUNNING)
            if not file.published:
                # It takes the place of an earlier saver's file, which readers know: not before it has as much.
                self._link(file)
                self._publish(file)
            if state >= RunState.STOPPED and complete and not self._awaited(known):
                ends = {name: c.seal_reason if c.sealed else _LATE for name, c in known.items()}
                return {name: reason for name, reason in ends.items() if reason}
            if time.monotonic() >= due:
                self._show(file, state)
                due = time.monotonic() + self._options.flush
            self._adopt(state, known)
            self._pause(state, began, known, file)
            if self._stopping.is_set():
                raise Interrupted

    def _look(self, state: RunState, known: dict[str, ChannelReader]) -> dict[str, ChannelReader]:
        """The channels; looking for new ones costs a listing, so it is done less often as the run grows older."""
        now = time.monotonic()
        if state < RunState.STOPPED and now - self._looked < min(_AHEAD, (now - self._born) / 4):
            return known
        self._looked = now
        return self.run.channels

    def _round(self, reader: RetainingReader, file: RunFile, known: dict[str, ChannelReader], *, create: bool) -> bool:
        """Save what is there; say whether all channels are sealed and saved.

        :param create: give also those channels a place that have no item yet.
        """
        complete = True
        for name, channel in known.items():
            sealed = channel.sealed
            if channel.spec.kind is ChannelKind.RING:
                follower = self._followers.get(name) or self._start(reader, file, channel)
                if follower.error is not None:
                    raise follower.error
                complete &= follower.done or self._overdue(name)
                continue
            count = channel.count
            if name not in file.channels and (count or create or sealed):
                file.add(channel.spec, rate=_rate(channel, count))
            if name in file.channels:
                self._append(reader, file, channel, count)
            complete &= sealed or self._overdue(name)
        return complete

    def _append(self, reader: RetainingReader, file: RunFile, channel: ChannelReader, count: int) -> None:
        target = file.channels[channel.name]
        while (saved := target.count) < count:
            with reader.view(channel.name, saved, count) as items:
                upto = saved + len(items)
                target.append(items, float(channel.times(upto - 1, upto)[0]))
                del items

    def _start(self, reader: RetainingReader, file: RunFile, channel: ChannelReader) -> FrameFollower:
        file.add(channel.spec)
        options, folder = self._options, Path(self.saving.file).parent
        per_file = self.saving.frames_per_file or max(1, options.frame_file_bytes // channel.spec.item_nbytes)
        writer = FrameWriter(
            folder,
            channel.spec,
            frames_per_file=per_file,
            compression=self.saving.compression,
            threads=options.threads,
        )
        try:
            follower = FrameFollower(reader, channel, writer, options.flush)
        except BaseException:
            writer.give_up()
            raise
        self._followers[channel.name] = follower
        follower.start()
        return follower

    def _publish(self, file: RunFile) -> None:
        file.flush()
        self._started()

    def _link(self, file: RunFile) -> None:
        for name, follower in self._followers.items():
            parts, newest = follower.visible
            file.channels[name].link(parts, newest)

    def _show(self, file: RunFile, state: RunState) -> None:
        self._link(file)
        if state >= RunState.RUNNING:
            file.running()
        file.flush()

    def _pause(self, state: RunState, began: float, known: dict[str, ChannelReader], file: RunFile) -> None:
        """Let items gather: the older the run the longer, so that short runs end at once and long ones cost little."""
        rest = began + min(self._options.collect, (began - self._born) / 10) - time.monotonic()
        if rest > 0:
            self._stopping.wait(rest)
        done = sum(f.done for f in self._followers.values())
        logs = [(c, file.channels.get(n)) for n, c in known.items() if n not in self._followers]

        def something() -> bool:
            if self._stopping.is_set() or self.run.state is not state:
                return True
            if sum(f.done for f in self._followers.values()) != done:
                return True
            return any(c.count > (t.count if t is not None else 0) for c, t in logs)

        self.run.wait(something, min(_AHEAD, self._options.flush) / 2)

    # -- the end

    def _awaited(self, known: dict[str, ChannelReader]) -> bool:
        """Whether an online channel is still to come."""
        return any(name not in known and not self._overdue(name) for name in self.run.info.online)

    def _overdue(self, name: str) -> bool:
        """Whether an online channel has had its time."""
        info, end = self.run.info, self.run.end
        return name in info.online and end is not None and time.time() > end.epoch + info.online_deadline

    def _adopt(self, state: RunState, known: dict[str, ChannelReader]) -> None:
        """End in order what dead producers left open."""
        now = time.monotonic()
        if now - self._adopted < _ADOPT:
            return
        self._adopted = now
        if (state < RunState.STOPPED and not self.run.owner_alive) or (
            state is RunState.STOPPED and any(not c.sealed for c in known.values())
        ):
            self._buffer.recover()

    def _finish(self, file: RunFile, seals: dict[str, str]) -> None:
        for name, follower in self._followers.items():
            follower.finish()
            parts, newest = follower.visible
            file.channels[name].link(parts, newest, final=True)
        end = self.run.end or RunEnd(reason=EndReason.LOST, message="", epoch=time.time())
        file.finish(end, seals, status=SUCCEEDED)
        _verify(file)


def _rate(channel: ChannelReader, count: int) -> float:
    """Items per second so far."""
    if not count:
        return 1.0
    first, last = channel.times(0, 1)[0], time.monotonic()
    return count / max(0.1, float(last - first))


def _verify(file: RunFile) -> None:
    """Open the closed file again and count what is in it.

    :raises DataError: when that is not what was put in.
    """
    try:
        with h5py.File(file.path, "r", locking=False) as again:
            entry = again[file.name].id
            complete = b"end_time" in entry
            there = {n: h5py.h5d.open(entry, c.counted.encode()).shape[0] for n, c in file.channels.items()}
    except FileNotFoundError as error:
        raise DataError(
            f"{file.path} was removed while it was written.", hint="Nobody should clean up data during a scan."
        ) from error
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise DataError(f"{file.path} was closed but can not be read: {error}.") from error
    for name, channel in file.channels.items():
        if not complete or there[name] != channel.rows:
            raise DataError(f"{file.path} was closed with {there[name]} rows of {name} instead of {channel.rows}.")
