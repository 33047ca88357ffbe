"""The folder of a run: what its files are called, its page of words, and its one-way state.

::

    runs/<key>/run                 one page: magic, version, state of the owner, closed, doorbell and its flag
               info.json           the description and the list of retaining readers, written before the folder appears
               end.json            how it ended, written before the state becomes STOPPED; its pages are allocated at
                                   the start, as end.json.new
               members/<id>        locked for life by each producing process; ``owner`` is the one that made the run;
                                   removed when nothing of that process is open any more
               readers/<name>      locked for life by each retaining reader
               channels/           heads, claims and segments of all channels

A claim ``channels/<name>.claim`` is a symbolic link whose target is the id of the member that claimed the channel:
made exclusively, and never seen without its content.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from firstlight.buffer._doorbell import Doorbell
from firstlight.buffer._head import Head, head_path, visible
from firstlight.buffer._mapping import PAGE, Mapping, full
from firstlight.buffer._policy import BackPressure
from firstlight.buffer._words import words
from firstlight.model import DataError, NotFound, RunEnd, RunInfo, RunState

_MAGIC = int.from_bytes(b"FLrun__1", "little")
_VERSION = 1
MAGIC, FORMAT = 0, 1
STATE = 8
"""Written by the owner, or by who holds its lock after its death: CREATED to STOPPED."""
CLOSED = 16
"""Written by the saver, or by who closes a run that nobody saves."""
BELL = 32

_END_DRAFT = "end.json.new"

OWNER = "owner"
CLAIM = ".claim"


class RunFolder:
    """One run on disk, opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.key = path.name
        self.channels = path / "channels"
        self.members = path / "members"
        self.readers_folder = path / "readers"
        try:
            mapping = Mapping.open(path / "run", writable=True)
        except NotFound as error:
            raise NotFound(f"There is no run {self.key} in the buffer.") from error
        self._words = words(mapping.memory)
        if self._words[MAGIC] != _MAGIC or self._words[FORMAT] != _VERSION:
            raise DataError(f"{path} is not a run of this version of the buffer.")
        self.bell = Doorbell(mapping, BELL)

    @classmethod
    def create(cls, path: Path, info: RunInfo, *, readers: Sequence[str], on_full: BackPressure, spill: Path) -> None:
        """Fill a new folder that nobody sees yet."""
        try:
            path.mkdir(mode=0o700)
            for sub in ("channels", "members", "readers"):
                (path / sub).mkdir()
            for name in readers:
                (path / "readers" / name).touch(mode=0o600)
            description = {
                "info": info.model_dump(mode="json"),
                "readers": list(readers),
                "on_full": on_full.value,
                "spill": str(spill),
            }
            (path / "info.json").write_text(json.dumps(description))
            mapping = Mapping.create(path / "run", PAGE)
            # Room for the end while there is room: a full memory must not keep a run from ending.
            Mapping.create(path / _END_DRAFT, 4 * PAGE)
        except OSError as error:
            raise full(error, path, PAGE) from error
        w = words(mapping.memory)
        w[FORMAT], w[STATE], w[MAGIC] = _VERSION, RunState.CREATED, _MAGIC

    @cached_property
    def _description(self) -> dict[str, object]:
        try:
            description: dict[str, object] = json.loads((self.path / "info.json").read_bytes())
        except FileNotFoundError as error:
            raise NotFound(f"There is no run {self.key} in the buffer.") from error
        return description

    @cached_property
    def info(self) -> RunInfo:
        """The description of the run."""
        return RunInfo.model_validate(self._description["info"])

    @cached_property
    def readers(self) -> tuple[str, ...]:
        """Names of the retaining readers."""
        names = self._description["readers"]
        return tuple(str(name) for name in names) if isinstance(names, list) else ()

    @cached_property
    def on_full(self) -> BackPressure:
        """What rings do when their readers lag."""
        return BackPressure(str(self._description["on_full"]))

    @cached_property
    def spill(self) -> Path:
        """Folder on disk for what the memory can not hold, for all members alike."""
        return Path(str(self._description["spill"]))

    @property
    def state(self) -> RunState:
        """Where the run stands."""
        return RunState.CLOSED if self._words[CLOSED] else RunState(self._words[STATE])

    def advance(self, state: RunState) -> None:
        """Move the owner's state forward; never back. Only the owner, or who holds its lock after its death."""
        if state > self._words[STATE]:
            self._words[STATE] = state
            self.bell.ring()

    def close(self) -> None:
        """Say that the run is complete in its file."""
        if not self._words[CLOSED]:
            self._words[CLOSED] = 1
            self.bell.ring()

    @property
    def end(self) -> RunEnd | None:
        """How the run ended; None while it has not."""
        try:
            return RunEnd.model_validate_json((self.path / "end.json").read_bytes())
        except FileNotFoundError:
            return None

    def write_end(self, end: RunEnd) -> None:
        """Record how the run ended; the first record stands. Only the owner, or who holds its lock."""
        final = self.path / "end.json"
        if final.exists():
            return
        draft = self.path / _END_DRAFT
        text = end.model_dump_json().encode()
        try:
            with draft.open("r+b" if draft.exists() else "wb") as file:
                file.write(text)
                file.truncate()
            draft.rename(final)
        except OSError as error:
            raise full(error, final, PAGE) from error

    def joined(self) -> list[Path]:
        """Lock files of all members; a name that starts with a dot belongs to one that is not locked yet."""
        return [path for path in self.members.iterdir() if not path.name.startswith(".")]

    def forget(self, member: str) -> None:
        """Remove the lock file of a member that has left nothing open; whoever removes it holds the lock.

        Without it nobody looks at that member again, so recovery passes quickly over runs that have ended.
        """
        (self.members / member).unlink(missing_ok=True)

    def claims(self) -> dict[str, str]:
        """Member that claimed each channel, also of channels that have not appeared yet."""
        found = {}
        for path in self.channels.iterdir():
            name = path.name
            if name.endswith(CLAIM):
                try:
                    found[name[: -len(CLAIM)]] = str(path.readlink())
                except FileNotFoundError:
                    continue
        return found

    def claim_path(self, channel: str) -> Path:
        """The claim of a channel."""
        return self.channels / (channel + CLAIM)

    def visible(self) -> list[str]:
        """Names of the channels that have appeared.

        :raises NotFound: when the run was removed.
        """
        try:
            return visible(self.channels)
        except FileNotFoundError as error:
            raise NotFound(f"The run {self.key} was removed from the buffer.") from error

    def head(self, channel: str) -> Head:
        """The head of a channel that has appeared.

        :raises NotFound: when it has not.
        """
        return Head(Mapping.open(head_path(self.channels, channel), writable=True))
