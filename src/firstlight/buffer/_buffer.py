"""The buffer of one machine: its root folder and what is done there."""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import SystemRandom
from weakref import WeakSet

from firstlight.buffer._adopt import adopt
from firstlight.buffer._doorbell import Doorbell
from firstlight.buffer._folder import OWNER, RunFolder
from firstlight.buffer._index import Index, IndexEntry
from firstlight.buffer._locks import Lock, acquire
from firstlight.buffer._mapping import PAGE, Mapping, full
from firstlight.buffer._member import Means, RunMember, RunWriter
from firstlight.buffer._memory import Memory, Usage, remove_tree
from firstlight.buffer._policy import BackPressure
from firstlight.buffer._reader import RunReader
from firstlight.buffer._spill import SpillRoom, orphans
from firstlight.buffer._summary import RunDetails, RunSummary, details, summary
from firstlight.buffer._words import require_platform
from firstlight.model import Conflict, FirstlightError, InvalidInput, NotFound, RunInfo, RunState

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108
_SMALLEST_SHM = 256 * 1024 * 1024
_VERSION = "firstlight-buffer 1"
_BELL = 32
_MAX_READERS = 16
_AT_ONCE = 16
"""Old runs that are removed when a new one is made, at most."""
_LOOK = 64
"""Old runs that are looked at then."""


class BufferWarning(UserWarning):
    """The buffer works, but not as well as it could."""


class Buffer:
    """A root folder with runs.

    :param root: ``$FIRSTLIGHT_BUFFER``, else a private folder in shared memory, by default. On a machine whose shared
        memory is smaller than 256 MiB (a container) it is a folder for temporary files, with a warning.
    :param budget: bytes that the root may hold; what was said when the root was made by default, and half of what is
        free for a new root.
    :param spill: folder on disk for what the memory cannot hold; ``$FIRSTLIGHT_SPILL``, else a private folder in
        the user's cache, by default.
    :param spill_limit: bytes that may be spilled; half of what is free on that disk by default.
    :param keep: closed runs that stay when this object makes another run, the newest; older ones leave their memory to
        the new run. None keeps them until the budget is reached.
    :param now: clock that stamps acknowledgements; the machine's monotonic clock by default.
    :raises UnsupportedPlatform: on a processor that does not order its stores.
    :raises Conflict: when the root belongs to another user or another version.
    """

    def __init__(
        self,
        root: Path | None = None,
        *,
        budget: int | None = None,
        spill: Path | None = None,
        spill_limit: int | None = None,
        keep: int | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        require_platform()
        self.root = Path(root) if root is not None else default_root()
        self._prepare_root(budget)
        self.spill = (spill or _default_spill()) / _digest(self.root)
        self._keep = keep
        self._read: WeakSet[RunReader] = WeakSet()
        self._index = Index(self.root / "index")
        self._bell = Doorbell(Mapping.open(self.root / "bell", writable=True), _BELL)
        settings = json.loads((self.root / "root.json").read_bytes())
        self._memory = Memory(self.root, budget or int(settings["budget"]), self.spill, self._evict)
        self._means = Means(
            self._memory,
            SpillRoom(self.spill, spill_limit if spill_limit is not None else _half_free(self.spill), self.root),
            now,
            self._bell.answer,
        )

    # -- producing

    def create_run(
        self, info: RunInfo, *, readers: Sequence[str] = (), on_full: BackPressure = BackPressure.SPILL
    ) -> RunWriter:
        """Make a run and own it.

        :param readers: names of the retaining readers; nothing that they have not released is given up.
        :param on_full: what rings do when retaining readers lag.
        :raises StorageFull: when there is no room.
        """
        if len(readers) > _MAX_READERS or len(set(readers)) != len(readers):
            raise InvalidInput(f"A run has at most {_MAX_READERS} retaining readers, each with its own name.")
        for name in readers:
            if not re.fullmatch(r"[\w-][\w.-]*", name):
                raise InvalidInput(f"{name!r} is not a name for a retaining reader.")
        self._retire()
        self._memory.reserve(32 * PAGE)  # its files and folders
        key = _key(info)
        draft, final = self._runs / f".new-{key}", self._runs / key
        # The lock of the index keeps a cleaning process from taking the draft for a dead one's.
        with self._index.lock():
            try:
                RunFolder.create(draft, info, readers=readers, on_full=on_full, spill=self.spill / key)
                lock = acquire(draft / "members" / OWNER)
                if lock is None:
                    raise Conflict(f"The new run {key} is locked by another process.")
                draft.rename(final)
                self._index.append(key, info)
            except BaseException:
                remove_tree(draft)
                remove_tree(final)
                raise
        self._bell.ring()
        return RunWriter(RunFolder(final), OWNER, lock, self._means)

    def join(self, key: str) -> RunMember:
        """Produce channels in a run that another process owns.

        :raises NotFound: when there is no such run.
        :raises Conflict: when it has ended.
        """
        folder = self._folder(key)
        if folder.state is RunState.CLOSED:
            raise Conflict(f"The run {key} is closed; nobody can join it.")
        member = f"{os.getpid()}-{SystemRandom().getrandbits(64):016x}"
        draft = folder.members / f".{member}"
        try:
            lock = acquire(draft)
            if lock is None:
                raise Conflict(f"{draft} is locked by another process.")
            # Locked before it has its name: nobody can find it unlocked while this process lives.
            draft.rename(folder.members / member)
        except FileNotFoundError as error:
            raise NotFound(f"The run {key} was removed from the buffer.") from error
        return RunMember(folder, member, lock, self._means)

    # -- reading

    def run(self, key: str) -> RunReader:
        """One run.

        :raises NotFound: when the buffer does not hold it (any more).
        """
        reader = RunReader(self._folder(key), self._bell.answer)
        self._read.add(reader)
        return reader

    def runs(self, since: int = 0) -> list[IndexEntry]:
        """The runs that the buffer holds, in the order in which they were made, from a position of the index on."""
        # The index first: a run whose entry is there has its folder, until it is removed.
        entries = self._index.entries(since)
        there = {path.name for path in self._runs.iterdir()} if entries else set()
        return [entry for entry in entries if entry.key in there]

    def wait_runs(self, since: int, timeout: float) -> list[IndexEntry]:
        """:meth:`runs`, once it is not empty; empty when the timeout (s) is over."""
        found: list[IndexEntry] = []

        def there() -> bool:
            found[:] = self.runs(since)
            return bool(found)

        self._bell.wait(there, timeout)
        return found

    def wait(self, condition: Callable[[], bool], timeout: float) -> bool:
        """Wait until the condition holds; looked at when a run is made, changes its state or is closed."""
        return self._bell.wait(condition, timeout)

    # -- keeping house

    def recover(self) -> list[str]:
        """Adopt what dead processes left: seal their channels, end their runs, remove half-made ones.

        :return: keys of the runs that were changed.
        """
        touched = []
        with self._index.lock():
            known = {entry.key for entry in self._index.entries()}
            for folder in list(self._runs.iterdir()):
                # A run that is not in the index was never handed out.
                if folder.name.startswith(".") or folder.name not in known:
                    self._bury(folder)
            for folder in orphans(self.spill, self._runs):
                remove_tree(folder)
        for key in sorted(p.name for p in self._runs.iterdir()):
            try:
                if adopt(RunFolder(self._runs / key)):
                    touched.append(key)
            except (NotFound, FileNotFoundError):
                continue  # removed by another process meanwhile
        if touched:
            self._bell.ring()
        return touched

    def remove(self, key: str, *, force: bool = False) -> None:
        """Remove a run from the buffer, with what it spilled.

        :param force: also a run that a living process uses, or that is not in a file yet.
        :raises NotFound: when there is no such run.
        :raises Conflict: without ``force``, when a living process uses it or its data were not saved.
        """
        folder = self._folder(key)
        if not force and folder.readers and folder.state is not RunState.CLOSED:
            raise Conflict(
                f"The run {key} is {folder.state.name}: {', '.join(folder.readers)} may still need it.",
                hint="Let the saver finish, or force the removal and lose what is not in a file.",
            )
        locks = self._all_locks(folder)
        if locks is None and not force:
            raise Conflict(f"The run {key} is in use by a living process.")
        try:
            self._discard(key, recycle=locks is not None)
        finally:
            for lock in locks or ():
                lock.release()

    def clean(self, *, unsaved: bool = False) -> list[str]:
        """Remove all closed runs that nobody uses, and the pool of recycled memory.

        :param unsaved: also runs that are not closed but dead: what is not in a file is lost.
        :return: keys of the removed runs.
        """
        self.recover()
        removed = []
        for entry in self.runs():
            try:
                self.remove(entry.key, force=unsaved and self._unused(entry.key))
                removed.append(entry.key)
            except (Conflict, NotFound):
                continue
        self._memory.empty_pool()
        return removed

    def usage(self) -> Usage:
        """What the root holds now."""
        return self._memory.usage()

    def summaries(self) -> list[RunSummary]:
        """One line about each run, oldest first."""
        found = []
        for entry in self.runs():
            try:
                found.append(summary(self._folder(entry.key)))
            except NotFound:
                continue
        return found

    def show(self, key: str) -> RunDetails:
        """Everything about one run.

        :raises NotFound: when there is no such run.
        """
        return details(self._folder(key))

    # -- inside

    @property
    def _runs(self) -> Path:
        return self.root / "runs"

    def _folder(self, key: str) -> RunFolder:
        if not key or "/" in key or key.startswith("."):
            raise NotFound(f"There is no run {key!r} in the buffer.")
        return RunFolder(self._runs / key)

    def _unused(self, key: str) -> bool:
        locks = self._all_locks(self._folder(key))
        for lock in locks or ():
            lock.release()
        return locks is not None

    def _all_locks(self, folder: RunFolder) -> list[Lock] | None:
        """The locks of all members and readers of a run, or None when one of them lives."""
        locks: list[Lock] = []
        for path in [*folder.joined(), *folder.readers_folder.iterdir()]:
            try:
                lock = acquire(path, create=False)
            except FileNotFoundError:
                continue  # a member that has left, or a run that somebody else removes
            if lock is None:
                for one in locks:
                    one.release()
                return None
            locks.append(lock)
        return locks

    def _discard(self, key: str, *, recycle: bool) -> None:
        buried = self._runs / f".gone-{key}"
        try:
            (self._runs / key).rename(buried)
        except FileNotFoundError as error:
            raise NotFound(f"There is no run {key} in the buffer.") from error
        if recycle:
            self._memory.recycle(buried / "channels")
        self._bury(buried)
        self._bell.answer()

    def _bury(self, folder: Path) -> None:
        # Half made or half removed: without its page or description it has spilled nothing, or no longer.
        with suppress(FirstlightError):
            remove_tree(RunFolder(folder).spill)
        remove_tree(folder)

    def _retire(self) -> None:
        """Remove old closed runs, so that the next one gets their memory and not fresh pages.

        What is in a file is read from there afterwards. What is not would be lost to whoever holds it in this process,
        so that stays until it is dropped, and the parts of a sequence as long as the sequence.
        """
        if self._keep is None:
            return
        entries = self.runs()
        here = {entry.key for entry in entries}
        held = {reader.key for reader in self._read}
        # A few at a time: the next run must not wait for the leftovers of a whole day.
        removed = 0
        for entry in entries[: max(0, len(entries) - self._keep)][:_LOOK]:
            if not entry.saved and (entry.key in held or entry.parent in here):
                continue
            with suppress(Conflict, NotFound):
                if self._folder(entry.key).state is RunState.CLOSED:
                    self.remove(entry.key)
                    removed += 1
            if removed == _AT_ONCE:
                break

    def _evict(self) -> bool:
        for entry in self.runs():
            try:
                if self._folder(entry.key).state is RunState.CLOSED:
                    self.remove(entry.key)
                    return True
            except (Conflict, NotFound):
                continue
        return False

    def _prepare_root(self, budget: int | None) -> None:
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = self.root.lstat()
            # Shared memory is open to everybody: somebody else may have made a folder of this name.
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                raise Conflict(
                    f"{self.root} does not belong to you.", hint="Choose another root: export FIRSTLIGHT_BUFFER=..."
                )
            with _made_once(self.root / "lock"):
                for sub in ("runs", "pool"):
                    (self.root / sub).mkdir(mode=0o700, exist_ok=True)
                (self.root / "index").touch(mode=0o600)
                if not (self.root / "bell").exists():
                    Mapping.create(self.root / "bell.new", PAGE)
                    (self.root / "bell.new").rename(self.root / "bell")
                settings = self.root / "root.json"
                if not settings.exists():
                    chosen = budget if budget is not None else _half_free(self.root)
                    draft = self.root / "root.json.new"
                    draft.write_text(json.dumps({"version": _VERSION, "budget": chosen}))
                    draft.rename(settings)
                elif json.loads(settings.read_bytes())["version"] != _VERSION:
                    raise Conflict(
                        f"{self.root} was made by another version of Firstlight.",
                        hint="Finish with that version, then remove the folder.",
                    )
        except OSError as error:
            known = full(error, self.root, PAGE)
            if isinstance(known, FirstlightError):
                raise known from error
            raise Conflict(
                f"{self.root} can not hold the buffer: {error.strerror}.",
                hint="Choose another root: export FIRSTLIGHT_BUFFER=...",
            ) from error


def default_root() -> Path:
    """Where the buffer is when nobody says so."""
    named = os.environ.get("FIRSTLIGHT_BUFFER")
    if named:
        return Path(named)
    # By its size, not by what is free now: all processes must come to the same answer.
    if SHARED_MEMORY.is_dir():
        disk = os.statvfs(SHARED_MEMORY)
        if disk.f_blocks * disk.f_frsize >= _SMALLEST_SHM and os.access(SHARED_MEMORY, os.W_OK):
            return SHARED_MEMORY / f"firstlight-{os.getuid()}"
    root = Path(tempfile.gettempdir()) / f"firstlight-buffer-{os.getuid()}"
    warnings.warn(
        f"{SHARED_MEMORY} is absent or below {_SMALLEST_SHM >> 20} MiB, so the buffer is in {root}, which is slower.",
        BufferWarning,
        stacklevel=3,
    )
    return root


def _default_spill() -> Path:
    named = os.environ.get("FIRSTLIGHT_SPILL")
    if named:
        return Path(named)
    cache = os.environ.get("XDG_CACHE_HOME")
    base = Path(cache) if cache else Path.home() / ".cache"
    return base / "firstlight" / "spill"


def _half_free(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize // 2


def _digest(root: Path) -> str:
    import hashlib

    return hashlib.blake2b(str(root.resolve()).encode(), digest_size=8).hexdigest()


def _key(info: RunInfo) -> str:
    name = re.sub(r"[^A-Za-z0-9]+", "-", info.name).strip("-")[:40] or "run"
    moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime(info.start_epoch))
    return f"{moment}-{name}-{SystemRandom().getrandbits(32):08x}"


def _made_once(path: Path) -> Lock:
    from firstlight.buffer._locks import insist

    return insist(path)
