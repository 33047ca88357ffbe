"""What a session is to its users, whether it lives in their process or in another one: names, commands, setups."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from firstlight.model import NotFound, Scan
from firstlight.scanning import (
    COMMANDS,
    DryRun,
    Estimate,
    Listener,
    Lock,
    ScanSequence,
    nearest,
    tomo,
)
from firstlight.session._command import Command
from firstlight.session._failed import Failed
from firstlight.session._scripts import Scripts
from firstlight.session._setups import Setup, Setups
from firstlight.session._view import View

if TYPE_CHECKING:
    from firstlight.data import Run
    from firstlight.storage import Logbook

_T = TypeVar("_T", covariant=True)


class Pending(Protocol[_T]):
    """A command under way."""

    @property
    def done(self) -> bool:
        """Whether it has ended."""

    def abort(self) -> bool:
        """Stop it, cleanly; whether it was running."""

    def result(self, timeout: float | None = None) -> _T:
        """What it gave, when it has ended."""


class Face(ABC):
    """Base of :class:`Session` and :class:`RemoteSession`."""

    name: str
    """Of the session."""
    data: Path
    """Folder of its data."""
    groups: Any
    """The measurement groups; what the active one names measures when a scan names nothing."""

    def __init__(self) -> None:
        self.commands: Mapping[str, Command] = {
            known: Command(self, function) for known, function in {**COMMANDS, "tomo": tomo}.items()
        }
        """The scan commands by name."""
        self.defaults: dict[str, Any] = {}
        """Values of parameters of the commands that a user leaves out: ``{"count_time": 0.1}``."""
        self._scripts = Scripts(self._script_files, self._script_folders, self.names)

    # -- devices

    @property
    @abstractmethod
    def aliases(self) -> Mapping[str, str]:
        """Other names of devices: alias to name."""

    @abstractmethod
    def _devices(self) -> Mapping[str, Any]:
        """All devices by name, as users see them; the same object as long as they are the same."""

    @abstractmethod
    def _sorted(self, sort: str) -> Sequence[str]:
        """Names of the devices of one sort: ``axes``, ``counters``, ``cameras``, ``shutters``."""

    @property
    def devices(self) -> Mapping[str, Any]:
        """All devices by name; :class:`Failed` for those that could not be made."""
        return View("device", self._devices)

    @property
    def axes(self) -> Mapping[str, Any]:
        """The axes by name, aliases too."""
        return self._view("axes", "axis")

    @property
    def counters(self) -> Mapping[str, Any]:
        """The counters by name, aliases too."""
        return self._view("counters", "counter")

    @property
    def cameras(self) -> Mapping[str, Any]:
        """The cameras by name, aliases too."""
        return self._view("cameras", "camera")

    @property
    def shutters(self) -> Mapping[str, Any]:
        """The shutters by name, aliases too."""
        return self._view("shutters", "shutter")

    @abstractmethod
    def retry(self, name: str) -> Any:
        """Try again to make a device that failed; it, when that succeeds.

        :raises FirstlightError: why it failed again.
        """

    @abstractmethod
    def reload(self) -> str:
        """Read the configuration again, and change only what changed in it; everything else stays as it is.

        :return: what was done, in words.
        :raises ConfigurationError: what is wrong in it; nothing was changed.
        :raises Conflict: while something runs, or when the session has no configuration.
        """

    # -- running

    @abstractmethod
    def run(self, what: Scan | ScanSequence, *, queue: bool = False) -> Run:
        """Run a scan or a sequence, and return it once its file is closed.

        :param queue: wait for devices that something else uses, in place of being refused.
        :raises Busy: somebody else uses what it needs; says who.
        :raises FirstlightError: what ended it early; :attr:`last` is then the run with what was acquired.
        """

    @abstractmethod
    def estimate(self, what: Scan | ScanSequence) -> Estimate:
        """What a scan would take, and why it may not run, if so; nothing moves."""

    @abstractmethod
    def dry_run(self, what: Scan | ScanSequence) -> DryRun:
        """The points that a scan would visit; nothing moves."""

    @abstractmethod
    def open(self, run: Any) -> Run:
        """The run of that key in the session's buffer."""

    @property
    @abstractmethod
    def last(self) -> Run | None:
        """The last run, however it ended."""

    @property
    @abstractmethod
    def runs(self) -> list[Run]:
        """The last runs, oldest first, as far as the buffer still has them."""

    @property
    def tomo(self) -> Command:
        """Darks, flats and projections of a rotating sample."""
        return self.commands["tomo"]

    @abstractmethod
    def listen(self, callback: Listener) -> Callable[[], None]:
        """Call with :class:`~firstlight.scanning.Progress` of every run, whoever started it.

        :param callback: called in another thread; it must be quick.
        :returns: call it to listen no more.
        """

    # -- moving

    def move(
        self,
        targets: Mapping[Any, float | str] | None = None,
        /,
        *,
        relative: bool = False,
        wait: bool = True,
        queue: bool = False,
        **more: float | str,
    ) -> Pending[None] | None:
        """Move axes to user positions, all at once, through the gate: ``session.move(rot=90)``.

        :param targets: axes, or their names, to positions (texts may have a unit); the same may be given by name.
        :param relative: positions are distances from where the axes are.
        :param wait: return when they are at rest; otherwise at once, with the job.
        :param queue: wait for axes that something else uses, in place of being refused.
        :raises LimitError: before anything moves.
        :raises Busy: somebody else uses an axis; says who.
        """
        goals = {self._name(axis): target for axis, target in (targets or {}).items()}
        goals |= {self._name(axis): target for axis, target in more.items()}
        return self._move(goals, relative=relative, wait=wait, queue=queue)

    @abstractmethod
    def _move(
        self, targets: Mapping[str, float | str], *, relative: bool, wait: bool, queue: bool
    ) -> Pending[None] | None:
        """See :meth:`move`."""

    @abstractmethod
    def stop(self, *axes: Any) -> None:
        """Stop axes, and what moves them; everything that moves when none is named."""

    @abstractmethod
    def abort(self, *, mine: bool = False) -> bool:
        """Stop everything that runs, cleanly; whether anything did.

        :param mine: only what this client has started.
        """

    # -- steering the scan that runs

    @abstractmethod
    def pause(self, why: str = "") -> None:
        """Let the scan that runs wait at its next safe point: before the next point, or between parts of a sequence.

        :param why: told to everybody, and kept with the data.
        :raises Conflict: no scan runs, or it cannot wait.
        """

    @abstractmethod
    def resume(self, *, anyway: bool = False) -> None:
        """Let the scan that waits go on.

        :param anyway: also when a condition such as the loss of the beam wants it to wait.
        :raises Conflict: nothing waits, or a condition still wants it to.
        """

    @abstractmethod
    def stop_scan(self, why: str = "") -> None:
        """End the scan that runs at its next safe point, as if it were complete.

        :raises Conflict: no scan runs.
        """

    @abstractmethod
    def skip(self, why: str = "") -> None:
        """End one scan of the sequence that runs in this way, and go on with the next.

        :raises Conflict: no scan runs.
        """

    # -- locks

    @contextmanager
    def lock(self, *devices: Any) -> Iterator[None]:
        """Keep devices for this client: ``with session.lock("rot"):``; others are refused, and told by whom.

        :raises Busy: somebody else uses or has locked one of them.
        """
        names = [self._name(device) for device in devices]
        self.take_lock(*names)
        try:
            yield
        finally:
            self.unlock(*names)

    @abstractmethod
    def take_lock(self, *devices: Any) -> None:
        """Keep devices for this client until :meth:`unlock`, or until its process ends."""

    @abstractmethod
    def unlock(self, *devices: Any) -> list[str]:
        """Let go of locks of this client; which they were."""

    @property
    @abstractmethod
    def locks(self) -> tuple[Lock, ...]:
        """Who has locked what."""

    # -- setups and scripts

    @property
    @abstractmethod
    def setups(self) -> Setups:
        """The named sets of parameters."""

    def setup(self, name: str) -> Setup:
        """A named set of parameters: ``with session.setup("fast"):`` sets it, and back at the end of the block."""
        return self.setups[name]

    @property
    def scripts(self) -> Scripts:
        """The users' scripts: those of the configuration, and those in the proposal's folder for scripts."""
        return self._scripts

    def script(self, name: str | Path) -> ModuleType:
        """Run a user's script with the session's names, and return what it defines; again only when it changed.

        :raises ScriptError: with file and line, when it fails.
        """
        return self._scripts.load(name)

    def names(self) -> dict[str, Any]:
        """What scripts and shells see: devices, aliases, commands, and the session."""
        devices = dict(self._devices())
        aliases = {alias: devices[name] for alias, name in self.aliases.items() if name in devices}
        return {**self.commands, **devices, **aliases, "session": self, "setup": self.setup}

    @abstractmethod
    def _script_files(self) -> Sequence[Path]:
        """The scripts of the configuration."""

    @abstractmethod
    def _script_folders(self) -> Sequence[Path]:
        """Where further scripts are looked for."""

    # -- where data go

    @abstractmethod
    def newproposal(self, name: str = "") -> None:
        """Go to a proposal; without a name, to the beamline's own of this month."""

    @abstractmethod
    def newsample(self, name: str, description: str = "") -> None:
        """Go to a sample."""

    @abstractmethod
    def newdataset(self, name: str = "") -> None:
        """Go to a new dataset; without a name it gets the next number."""

    @abstractmethod
    def enddataset(self) -> None:
        """End the dataset; the next run starts another."""

    @abstractmethod
    def endproposal(self) -> None:
        """End the proposal: back to the beamline's own of this month."""

    @property
    @abstractmethod
    def elog(self) -> Logbook:
        """The electronic log of the current dataset: a list, with ``add``."""

    # -- life

    @abstractmethod
    def close(self) -> None:
        """Give everything back; idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        # Only reached for names that are no attributes: the scan commands, then the devices.
        if name.startswith("_") or name == "commands":
            raise AttributeError(name)
        if name in self.commands:
            return self.commands[name]
        try:
            return self[name]
        except NotFound as error:
            raise AttributeError(str(error)) from None

    def __getitem__(self, name: str) -> Any:
        """A device by its name or alias.

        :raises NotFound: when there is none.
        """
        devices = self._devices()
        found = devices.get(self.aliases.get(name, name))
        if found is None:
            known = [*devices, *self.aliases, *self.commands]
            raise NotFound(f"{self.name} has no device {name}.", hint=nearest(name, known))
        return found

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.commands, *self._devices(), *self.aliases})

    def __repr__(self) -> str:
        devices = self._devices()
        failed = [name for name, device in devices.items() if isinstance(device, Failed)]
        words = f" ({', '.join(failed)} failed)" if failed else ""
        return f"<{type(self).__name__} {self.name}: {len(devices)} devices{words}, {self.current!r}>"

    # -- inside

    def _name(self, device: Any) -> str:
        name = str(getattr(device, "name", device))
        return self.aliases.get(name, name)

    def _view(self, sort: str, what: str) -> Mapping[str, Any]:
        known: list[tuple[Mapping[str, Any], dict[str, Any]]] = []

        def look() -> dict[str, Any]:
            devices = self._devices()
            # As long as the devices are the same, so are those of a sort: a mapping is asked for each of its names.
            if known and known[0][0] is devices:
                return known[0][1]
            found = {name: devices[name] for name in self._sorted(sort) if name in devices}
            found |= {alias: found[name] for alias, name in self.aliases.items() if name in found}
            known[:] = [(devices, found)]
            return found

        return View(what, look)
