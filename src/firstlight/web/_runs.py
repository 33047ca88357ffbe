"""The runs that can be looked at: those of the buffer and those of files below the data roots, each once, by one id."""

from __future__ import annotations

import base64
import binascii
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from firstlight.buffer import Buffer, IndexEntry, default_root
from firstlight.data import Catalogue, CatalogueEntry, Reach, Run, reach
from firstlight.data import open as open_run
from firstlight.model import ChannelKind, FirstlightError, NotFound, RunState, Saving
from firstlight.web._payload import number

KEPT = 24
"""Runs that stay open, for those who look at them."""
AGAIN = 1.0
"""Seconds after which it is looked again whether the files of an open run are still those that may be read."""
LISTED = 500
_RECENT = 64
"""Runs of the buffer that are looked at for changes."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """What is known of a run that is read from a file which others may have made."""

    path: Path
    scan: str
    reach: Reach
    time: float


def _merged(path: Path, saving: Saving | None) -> Path | None:
    """Where storage looks for the run when its own file is no longer there: in that of its dataset."""
    if saving is None or path.name != Path(saving.file).name:
        return None
    beside = os.path.relpath(saving.dataset_file, Path(saving.file).parent)
    return Path(os.path.realpath(path.parent / beside))


class Runs:
    """Finds, opens and describes runs; any thread.

    :param root: of the buffer; the machine's default when None.
    :param roots: the folders whose data may be read.
    :param again: after how many seconds it is looked again where the files of a run lead.
    """

    def __init__(self, root: Path | None, roots: Callable[[], Iterable[Path]], *, again: float = AGAIN) -> None:
        self._root = root or default_root()
        self._roots = roots
        self._buffer: Buffer | None = None
        self._catalogue: Catalogue | None = None
        self._lock = threading.RLock()
        self._again = again
        self._open: OrderedDict[str, Run] = OrderedDict()
        self._looked: dict[str, _Looked] = {}
        self._closed: dict[str, dict[str, Any]] = {}
        self.pool = ThreadPoolExecutor(4, "web-data")

    def close(self) -> None:
        """Give all files free."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for run in self._open.values():
                run.close()
            self._open.clear()
            if self._catalogue is not None:
                self._catalogue.close()
                self._catalogue = None

    @property
    def buffer(self) -> Buffer | None:
        """The buffer; None as long as nobody has made one."""
        with self._lock:
            if self._buffer is None and (self._root / "runs").is_dir():
                self._buffer = Buffer(self._root)
            return self._buffer

    def open(self, identity: str) -> Run:
        """The run of an id.

        :raises NotFound: there is none, or it is not below the data roots.
        """
        with self._lock:
            run = self._open.get(identity)
            if run is not None:
                self._open.move_to_end(identity)
        if run is not None and self._still(identity):
            return run
        run, looked = self._find(identity)
        with self._lock:
            kept = self._open.setdefault(identity, run)
            if kept is not run:
                run.close()
            if looked is not None:
                self._looked[identity] = looked
            while len(self._open) > KEPT:
                # Not closed: somebody may be reading it; its files go with it.
                old, _ = self._open.popitem(last=False)
                self._looked.pop(old, None)
            return kept

    def _still(self, identity: str) -> bool:
        """Whether an open run may be read on. Files change, and whoever may write them may let them lead elsewhere."""
        looked = self._looked.get(identity)
        now = time.monotonic()
        # The first file is looked at each time: without it, the run is looked for in another one.
        if looked is None or (now - looked.time < self._again and looked.reach.same(looked.path)):
            return True
        try:
            found = looked.reach if looked.reach.same() else reach(looked.path, looked.scan, self._served)
        except FirstlightError:
            with self._lock:
                self._open.pop(identity, None)
                self._looked.pop(identity, None)
            return False
        self._looked[identity] = replace(looked, reach=found, time=now)
        return True

    def _find(self, identity: str) -> tuple[Run, _Looked | None]:
        buffer = self.buffer
        if buffer is not None and any(entry.key == identity for entry in buffer.runs()):
            # The session of this user made it, and its file.
            return open_run(identity, buffer=buffer), None
        path, scan = self._place(identity)
        if not self._allowed(path) or not path.is_file():
            raise NotFound("There is no such run.", hint="It was removed, or its folder is not served here.")
        # Before HDF5 goes where links lead.
        looked = _Looked(path, scan, reach(path, scan, self._served), time.monotonic())
        run = open_run(path, scan=scan, buffer=buffer)
        other = _merged(path, run.info.saving)
        if other is not None and other.exists() and not self._served(other):
            run.close()
            raise NotFound("There is no such run.", hint="The folder of its dataset is not served here.")
        return run, looked

    def _place(self, identity: str) -> tuple[Path, str]:
        """File and entry of a run that is not in the buffer."""
        if in_file(identity):
            try:
                coded = identity[2:]
                text = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode()
                name, _, scan = text.rpartition("#")
                if name and "\0" not in name:
                    return Path(name), scan
            except (ValueError, binascii.Error):
                pass
            raise NotFound("That is no id of a run.", hint="Choose one of the list.")
        entry = self.catalogue.find(identity)
        if entry is None:
            raise NotFound("There is no such run.", hint="It was removed, or was never saved.")
        return entry.path, f"{entry.number}.1"

    def _allowed(self, path: Path) -> bool:
        try:
            real = path.resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            return False
        return self._served(real)

    def _served(self, real: Path) -> bool:
        """Whether a path without links is below the data roots."""
        return any(real.is_relative_to(root.resolve()) for root in self._roots())

    @property
    def catalogue(self) -> Catalogue:
        """The index of saved runs."""
        with self._lock:
            if self._catalogue is None:
                self._catalogue = Catalogue.default()
            return self._catalogue

    def search(
        self, text: str = "", before: float | None = None, limit: int = 50, session: str = ""
    ) -> tuple[list[dict[str, Any]], bool]:
        """Runs, newest first, and whether there are more.

        :param text: a query of the catalogue.
        :param before: UTC seconds: only those that began before.
        """
        found = {run["id"]: run for run in self.live(LISTED) if not text or _fits(run, text)}
        roots = [root.resolve() for root in self._roots()]
        for entry in self.catalogue.search(text, limit=LISTED + limit) if roots else []:
            identity = entry.key or file_id(entry.path, f"{entry.number}.1")
            if identity not in found and any(entry.path.is_relative_to(root) for root in roots):
                found[identity] = _catalogued(entry, identity)
        chosen = sorted(found.values(), key=lambda run: run["start"] or 0.0, reverse=True)
        chosen = [r for r in chosen if before is None or (r["start"] or 0.0) < before]
        chosen = [r for r in chosen if not session or r["session"] in ("", session)]
        return chosen[:limit], len(chosen) > limit

    def newest(self, limit: int = _RECENT) -> list[IndexEntry]:
        """The newest measurements in the index of the buffer, oldest first."""
        buffer = self.buffer
        return [entry for entry in buffer.runs()[-limit:] if _shown(entry)] if buffer is not None else []

    def live(self, limit: int = _RECENT) -> list[dict[str, Any]]:
        """The newest runs of the buffer, oldest first."""
        found = []
        for entry in self.newest(limit):
            try:
                found.append(self._summary(entry.key))
            except FirstlightError:
                continue  # removed meanwhile
        return found

    def _summary(self, key: str) -> dict[str, Any]:
        """A run of the buffer in a list; one that is closed stays as it is."""
        known = self._closed.get(key)
        if known is not None:
            return known
        with self._lock:
            run = self._open.get(key)
        if run is not None:
            return self._describe(run, key)
        # Not kept: a list must not put out the runs that somebody looks at.
        with open_run(key, buffer=self.buffer) as run:
            return self._describe(run, key)

    def _describe(self, run: Run, key: str) -> dict[str, Any]:
        closed = run.state >= RunState.CLOSED
        found = summary(run, key)
        if closed:
            with self._lock:
                self._closed[key] = found
                while len(self._closed) > 4 * LISTED:
                    self._closed.pop(next(iter(self._closed)))
        return found

    def children(self, key: str) -> list[dict[str, Any]]:
        """Runs of the buffer that belong to this one, or were computed from it."""
        return [run for run in self.live() if key and run["parent"] == key]


def in_file(identity: str) -> bool:
    """Whether an id names a place in a file, and not the key of a run."""
    return identity.startswith("f~")


def file_id(path: Path, scan: str) -> str:
    """The id of a run in a file that was never in a buffer here."""
    return "f~" + base64.urlsafe_b64encode(f"{path}#{scan}".encode()).decode().rstrip("=")


def summary(run: Run, identity: str) -> dict[str, Any]:
    """A run in a list."""
    info, end = run.info, run.end
    saving = info.saving
    return {
        "id": identity,
        "title": info.title,
        "name": info.name,
        "number": run.number,
        "state": run.state.name,
        "end": None if end is None else {"reason": end.reason.value, "message": end.message, "epoch": end.epoch},
        "start": info.start_epoch,
        "session": info.session,
        "proposal": saving.proposal if saving else "",
        "sample": saving.sample if saving else "",
        "dataset": saving.dataset if saving else "",
        "parent": info.parent,
        "npoints": run.npoints,
        "total": info.npoints,
        "live": run.live,
        "technique": str(info.metadata.get("technique", {}).get("name", ""))
        if isinstance(info.metadata.get("technique"), dict)
        else str(info.metadata.get("technique", "")),
    }


def detail(run: Run, identity: str, children: list[dict[str, Any]]) -> dict[str, Any]:
    """All that a page needs to choose its plots."""
    info = run.info
    channels = {}
    for name, channel in run.items():
        spec = channel.spec
        channels[name] = {
            "name": name,
            "dtype": spec.dtype,
            "shape": list(spec.shape),
            "unit": spec.unit,
            "source": spec.source,
            "kind": spec.kind.value,
            "role": spec.role.value,
            "count": len(channel),
            "sealed": channel.sealed,
            "info": plain(spec.info),
        }
    return {
        **summary(run, identity),
        "axes": list(info.axes),
        "shape": list(info.shape),
        "count_time": info.count_time,
        "plots": [{"x": plot.x, "y": list(plot.y)} for plot in info.plots],
        "channels": channels,
        "positioners": {n: {"value": number(q.value), "unit": q.unit} for n, q in info.positioners.items()},
        "parameters": plain(info.parameters),
        "metadata": plain(info.metadata),
        "path": str(run.path) if run.path is not None else None,
        "children": children,
    }


def plain(value: Any) -> Any:
    """As JSON has it: no infinities, no arrays, no foreign objects."""
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, str | bool) or value is None:
        return value
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, int | float):
        return number(value)
    return str(value)


def scalar(run: Run, name: str) -> Any:
    """A channel of plain numbers.

    :raises NotFound: when there is none of that name, or its items are no numbers.
    """
    channel = run.channel(name)
    if channel.spec.shape or channel.spec.kind not in (ChannelKind.LOG,):
        raise NotFound(f"{name} has no single number a point.", hint="Show it as an image or a spectrum.")
    return channel


def _shown(entry: IndexEntry) -> bool:
    # The devices of a session publish in a run of their own, which is no measurement.
    return entry.name != "devices"


def _fits(run: dict[str, Any], text: str) -> bool:
    words = (
        f"{run['title']} {run['name']} {run['sample']} {run['dataset']} {run['proposal']} {run['technique']}".lower()
    )
    return all(word.lower().rpartition(":")[2] in words for word in text.split())


def _catalogued(entry: CatalogueEntry, identity: str) -> dict[str, Any]:
    done = entry.state >= RunState.STOPPED
    return {
        "id": identity,
        "title": entry.title or entry.name,
        "name": entry.name,
        "number": entry.number,
        "state": entry.state.name,
        "end": {
            "reason": entry.reason.value if entry.reason else "",
            "message": entry.problem,
            "epoch": entry.stop or 0.0,
        }
        if done
        else None,
        "start": entry.start,
        "session": "",
        "proposal": entry.proposal,
        "sample": entry.sample,
        "dataset": entry.dataset,
        "parent": None,
        "npoints": entry.npoints,
        "total": entry.npoints,
        "live": False,
        "technique": entry.technique,
    }
