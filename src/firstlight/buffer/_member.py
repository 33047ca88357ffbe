"""Producing processes of a run: its owner, and those that joined it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from firstlight.buffer._adopt import adopt_member, free_claim
from firstlight.buffer._blocks import PART as BLOCKS_PART
from firstlight.buffer._folder import OWNER, RunFolder
from firstlight.buffer._head import LONGEST_NAME, Head, Part, head_path
from firstlight.buffer._locks import Lock, held
from firstlight.buffer._log import LogWriter, values_part
from firstlight.buffer._mapping import PAGE
from firstlight.buffer._memory import Memory, Segment
from firstlight.buffer._policy import BackPressure
from firstlight.buffer._ragged import ENDS_PART, RaggedWriter
from firstlight.buffer._ring import MISSING_PART, SLOTS_FILE, RingWriter, slots_nbytes
from firstlight.buffer._spill import INDEX_PART, SpillRoom, records_per_file
from firstlight.buffer._words import WORD
from firstlight.buffer._writer import ChannelWriter, Place
from firstlight.model import (
    ChannelKind,
    ChannelSpec,
    Conflict,
    EndReason,
    InvalidInput,
    RunEnd,
    RunInfo,
    RunState,
    StorageFull,
)

_W = TypeVar("_W", bound=ChannelWriter)


@dataclass(frozen=True, slots=True)
class Means:
    """What producers get from their buffer.

    :param now: clock that stamps acknowledgements.
    :param announce: rings the doorbell of the root.
    """

    memory: Memory
    room: SpillRoom
    now: Callable[[], float]
    announce: Callable[[], None]


class RunMember:
    """A process that produces channels of a run; holds its lock for life.

    :param member: its id in the run.
    """

    def __init__(self, folder: RunFolder, member: str, lock: Lock, means: Means) -> None:
        self._folder = folder
        self._member = member
        self._lock: Lock | None = lock
        self._means = means
        self._writers: list[ChannelWriter] = []

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
    def owner_alive(self) -> bool:
        """Whether the process that owns the run lives."""
        return held(self._folder.members / OWNER)

    def create_log(self, spec: ChannelSpec, *, capacity: int | None = None) -> LogWriter:
        """Make a log.

        :param capacity: items to have memory ready for; more may come.
        :raises Conflict: when the channel is claimed already, or the run has stopped.
        :raises StorageFull: when there is no room; the name stays free.
        """
        parts = [BLOCKS_PART, values_part(_checked(spec, ChannelKind.LOG, ChannelKind.REFERENCE), capacity)]
        return self._create(spec, parts, lambda place: LogWriter(place, capacity))

    def create_ragged(
        self, spec: ChannelSpec, *, capacity: int | None = None, values: int | None = None
    ) -> RaggedWriter:
        """Make a ragged channel; ``spec.shape`` is ``()``.

        :param capacity: items to have memory ready for.
        :param values: values, of all items together, to have memory ready for.
        """
        if spec.shape != ():
            raise InvalidInput(f"Channel {spec.name}: items of a ragged channel are 1-D, so its shape is ().")
        parts = [BLOCKS_PART, values_part(_checked(spec, ChannelKind.RAGGED), values), ENDS_PART]
        return self._create(spec, parts, lambda place: RaggedWriter(place, capacity, values))

    def create_ring(self, spec: ChannelSpec, slots: int, *, on_full: BackPressure | None = None) -> RingWriter:
        """Make a ring.

        :param slots: frames it holds; at least two more than the run has retaining readers are made.
        :param on_full: what gives when readers lag; the run's policy by default.
        :raises StorageFull: when the memory cannot hold the slots.
        """
        _checked(spec, ChannelKind.RING)
        if slots < 1:
            raise InvalidInput(f"Channel {spec.name}: a ring of {slots} slots holds nothing.")
        slots = max(slots, len(self._folder.readers) + 2)
        parts = [BLOCKS_PART, Part(WORD, slots), MISSING_PART, INDEX_PART]

        def make(place: Place) -> RingWriter:
            # Frames must be in memory: a ring on disk would be slower than any spill.
            segment = self._segment(place.head, SLOTS_FILE, slots_nbytes(spec.item_nbytes, slots), spill=False)
            return RingWriter(place, segment, on_full or self._folder.on_full, self._means.room)

        return self._create(spec, parts, make)

    def close(self) -> None:
        """Seal what is still open and drop the lock; idempotent."""
        lock, self._lock = self._lock, None
        if lock is None:
            return
        try:
            self._leave()
            self._folder.forget(self._member)
        finally:
            # Without the lock, whatever could not be done is done by an adopter.
            lock.release()
            self._writers.clear()  # a removed run gives its memory back when nobody maps it any more

    def __enter__(self: _M) -> _M:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- making channels

    def _create(self, spec: ChannelSpec, parts: list[Part], make: Callable[[Place], _W]) -> _W:
        self._claim(spec.name)
        channels = self._folder.channels
        draft = channels / (spec.name + ".new")
        spill = self._folder.spill
        try:
            self._means.memory.reserve(2 * PAGE + sum(part.item_nbytes * part.capacity for part in parts))
            head = Head.create(
                draft,
                spec,
                readers=list(self._folder.readers),
                parts=parts,
                extra={
                    "spill": str(spill),
                    "spill_records": records_per_file(spec.item_nbytes, self._means.room.limit),
                },
            )
            place = Place(
                head,
                lambda suffix, size: self._segment(head, suffix, size, spill=True),
                self._folder.bell,
                self._means.now,
                spill,
            )
            writer = make(place)
        except BaseException:
            # The claim last, as long as it stands nobody else makes these files.
            for path in channels.iterdir():
                if path.name.rpartition(".")[0] == spec.name and path != self._folder.claim_path(spec.name):
                    if path.is_symlink():
                        path.resolve().unlink(missing_ok=True)
                    path.unlink(missing_ok=True)
            self._folder.claim_path(spec.name).unlink(missing_ok=True)
            raise
        draft.rename(head_path(channels, spec.name))
        self._writers.append(writer)
        self._folder.bell.ring()
        return writer

    def _claim(self, name: str) -> None:
        if self._lock is None:
            raise Conflict(f"This process has left the run {self.key}.")
        state = self._folder.state
        if state is RunState.CLOSED or (state is RunState.STOPPED and name not in self.info.online):
            raise Conflict(f"The run {self.key} has ended; it takes no new channel {name}.")
        path = self._folder.claim_path(name)
        for _ in range(2):
            try:
                path.symlink_to(self._member)
            except FileNotFoundError:
                raise Conflict(f"The run {self.key} was removed from the buffer.") from None
            except FileExistsError:
                if not free_claim(self._folder, name):
                    raise Conflict(f"The channel {name} of the run {self.key} is claimed already.") from None
            else:
                return
        raise Conflict(f"The channel {name} of the run {self.key} is claimed already.")

    def _segment(self, head: Head, suffix: str, size: int, *, spill: bool) -> Segment:
        path = self._folder.channels / f"{head.spec.name}.{suffix}"
        try:
            return self._means.memory.segment(path, size, head.epoch)
        except StorageFull:
            if not spill or not self._means.room.take(size):
                raise
            try:
                self._means.room.make(self._folder.spill)
                return self._means.memory.on_disk(path, size, head.epoch, self._folder.spill)
            except OSError as error:
                self._means.room.give(size)
                raise StorageFull(
                    f"The memory is full, and {self._folder.spill} can not take {size} bytes: {error}.",
                    hint="Let the saver catch up, or give the buffer another folder to spill to (FIRSTLIGHT_SPILL).",
                ) from error

    def _leave(self) -> None:
        for writer in self._writers:
            if not writer.sealed:
                writer.seal("Its producer left before it had ended it.")


_M = TypeVar("_M", bound=RunMember)


class RunWriter(RunMember):
    """The owner of a run."""

    def prepared(self) -> None:
        """Everything is armed."""
        self._folder.advance(RunState.PREPARED)
        self._means.announce()

    def running(self) -> None:
        """Acquisition goes on."""
        self._folder.advance(RunState.RUNNING)
        self._means.announce()

    def stop(self, end: RunEnd) -> None:
        """End the acquisition: seal the own channels and those of dead members, record how it ended; idempotent.

        Members seal theirs before; what a living member has not sealed yet ends when it does.
        """
        if self._lock is not None:
            self._stop(end)

    def _stop(self, end: RunEnd) -> None:
        if self._folder.state >= RunState.STOPPED:
            return
        online = self._folder.info.online
        for writer in self._writers:
            if not writer.sealed and writer.name not in online:
                writer.seal()
        for member in self._folder.joined():
            if member.name != self._member:
                adopt_member(self._folder, member.name)
        self._folder.write_end(end)
        self._folder.advance(RunState.STOPPED)
        self._means.announce()

    def close(self) -> None:
        """Stop (as failed) if that did not happen, seal, and drop the lock. A run without readers is CLOSED then."""
        super().close()
        self._means.announce()

    def _leave(self) -> None:
        message = "The run was left before it was stopped."
        self._stop(RunEnd(reason=EndReason.FAILED, message=message, epoch=time.time()))
        super()._leave()
        if not self._folder.readers:
            self._folder.close()


def _checked(spec: ChannelSpec, *kinds: ChannelKind) -> ChannelSpec:
    if spec.kind not in kinds:
        raise InvalidInput(f"Channel {spec.name} is described as {spec.kind.value}, not as {kinds[0].value}.")
    if spec.item_nbytes <= 0:
        raise InvalidInput(f"Channel {spec.name}: an item of shape {spec.shape} holds nothing.")
    if len(spec.name.encode()) > LONGEST_NAME:
        raise InvalidInput(f"Channel {spec.name[:40]}...: the name is longer than {LONGEST_NAME} bytes.")
    return spec


__all__ = ["Means", "RunMember", "RunWriter"]
