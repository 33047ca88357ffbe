"""What waits for ICAT: datasets whose record is to be written, and records that are to be sent.

A request is a small file in the state folder; it stays until its record was handed to a broker, or, where none is
configured, for ever. So nothing is lost when the session, the machine or the broker goes away, and a scan never waits.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstlight.model import Conflict, FirstlightError, InvalidInput, MissingExtra
from firstlight.storage._icat import icat_record, write_icat
from firstlight.storage._policy import DatasetFolder, Experiment

if TYPE_CHECKING:
    from firstlight.process import ChildContext

LOOK = 1.0
"""Seconds between two looks at the spool."""
FIRST, LONGEST = 10.0, 600.0
"""Seconds before the first further try, and at most, between two tries of one request."""

SENT = "sent"
"""Folder in ``__icat__`` for records that a broker has."""


@dataclass(frozen=True, slots=True)
class IcatRequest:
    """One dataset on its way to ICAT.

    :param folder: of the dataset's acquired data.
    :param extra: ICAT fields that are not in its files.
    :param written: its record; empty while there is none.
    :param tries: that failed.
    :param problem: why the last one failed.
    :param due: UTC seconds of the next try.
    """

    root: str
    proposal: str
    beamline: str
    session: str
    sample: str
    dataset: str
    extra: Mapping[str, Any]
    written: str = ""
    tries: int = 0
    problem: str = ""
    due: float = 0.0

    @property
    def place(self) -> DatasetFolder:
        """The dataset."""
        return DatasetFolder(
            Experiment(Path(self.root), self.proposal, self.beamline, self.session), self.sample, self.dataset
        )


class IcatSpool:
    """The requests in one folder.

    :param folder: made when it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInput(
                f"The spool for ICAT {folder} cannot be made: {error.strerror}.", hint="Check FIRSTLIGHT_STATE."
            ) from error

    @classmethod
    def default(cls) -> IcatSpool:
        """That of this user."""
        from firstlight.storage._state import state_folder

        return cls(state_folder() / "icat")

    def put(self, dataset: DatasetFolder, extra: Mapping[str, Any] | None = None) -> IcatRequest:
        """Ask for a dataset's record; asking again makes it anew."""
        e = dataset.experiment
        request = IcatRequest(
            str(e.root), e.proposal, e.beamline, e.session, dataset.sample, dataset.name, dict(extra or {})
        )
        self._write(request)
        return request

    def pending(self) -> list[IcatRequest]:
        """All requests, by the names of their datasets' folders."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            try:
                found.append(IcatRequest(**json.loads(path.read_text())))
            except FileNotFoundError:
                continue  # done meanwhile
            except (OSError, ValueError, TypeError):
                # Nobody can do anything with it, and it must not keep the others waiting.
                path.rename(path.with_suffix(".broken"))
        return sorted(found, key=lambda request: str(request.place.folder))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only one who works on the spool.

        :raises Conflict: when another process does.
        """
        fd = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Conflict(f"Another process works on {self.folder}.", hint="It sends what waits.") from None
            yield
        finally:
            os.close(fd)

    def work(
        self, send: Callable[[Path], None] | None, *, now: float | None = None, all_due: bool = False
    ) -> list[IcatRequest]:
        """Try every request that is due once; only inside :meth:`alone`.

        :param send: hands a record to a broker, raises when it cannot; None only writes records.
        :param now: UTC seconds.
        :param all_due: also those whose time has not come.
        :returns: the requests that were tried, as they are now; those that are done have no ``problem``.
        """
        moment = time.time() if now is None else now
        tried = []
        for request in self.pending():
            if (request.written and send is None) or (request.due > moment and not all_due):
                continue
            done = self._try(request, send, moment)
            tried.append(done)
            if done.problem or send is None:
                self._write(done)
            else:
                self._path(done).unlink(missing_ok=True)
        return tried

    def _try(self, request: IcatRequest, send: Callable[[Path], None] | None, moment: float) -> IcatRequest:
        place = request.place
        try:
            if not request.written or not Path(request.written).is_file():
                file = write_icat(icat_record(place, request.extra), place.icat_file)
                request = replace(request, written=str(file))
            if send is not None:
                send(Path(request.written))
                kept = Path(request.written).parent / SENT
                kept.mkdir(exist_ok=True)
                Path(request.written).replace(kept / Path(request.written).name)
        except Exception as error:  # noqa: BLE001 - whatever it is, the request stays and is tried again
            text = error.message if isinstance(error, FirstlightError) else f"{type(error).__name__}: {error}"
            wait = min(LONGEST, FIRST * 2.0 ** min(request.tries, 16))
            return replace(request, tries=request.tries + 1, problem=text, due=moment + wait)
        return replace(request, problem="", due=0.0)

    def _path(self, request: IcatRequest) -> Path:
        place = str(request.place.folder)
        return self.folder / f"{request.place.stem}-{hashlib.sha256(place.encode()).hexdigest()[:12]}.json"

    def _write(self, request: IcatRequest) -> None:
        path = self._path(request)
        fresh = path.with_suffix(f".{os.getpid()}.new")
        fresh.write_text(json.dumps(asdict(request), default=str))
        fresh.replace(path)


def icat_broker(urls: Sequence[str], timeout: float = 5.0) -> Callable[[Path], None]:
    """Hands records to ICAT's message broker (STOMP).

    :param urls: ``host:port`` of each broker of a failover group.
    :raises MissingExtra: without pyicat-plus.
    """
    try:
        from pyicat_plus.client.main import IcatClient
    except ImportError as error:
        raise MissingExtra("pyicat-plus", "icat") from error

    def send(record: Path) -> None:
        client = IcatClient(metadata_urls=list(urls), queue_timeout=timeout)
        try:
            client.store_dataset_from_file(str(record))
        finally:
            client.disconnect()

    return send


def main(context: ChildContext, *, spool: str, brokers: Sequence[str]) -> None:
    """Target of the process that writes and sends records.

    :param spool: its folder.
    :param brokers: where records are sent to; none only writes them.
    """
    work = IcatSpool(Path(spool))
    send = icat_broker(brokers) if brokers else None
    context.ready()
    while not context.stopping.is_set():
        try:
            with work.alone():
                _follow(context, work, send)
        except Conflict:
            # The process of another session does it; this one takes over when that ends.
            context.stopping.wait(LOOK)


def _follow(context: ChildContext, spool: IcatSpool, send: Callable[[Path], None] | None) -> None:
    while not context.stopping.is_set():
        for request in spool.work(send):
            if request.problem:
                context.log.warning("%s: %s", request.place.folder, request.problem)
            else:
                context.log.info("%s: %s", request.place.folder, "sent" if send is not None else "written")
        context.stopping.wait(LOOK)
