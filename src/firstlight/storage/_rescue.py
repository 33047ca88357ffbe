"""Runs that no buffer knows any more: what is in their files and journals is brought into order.

The buffer is memory. After a power cut, what the saver had flushed is in the run's file, and the frames that it had
written are named by their journals. Both are put together in a new file, which takes the old one's place.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from firstlight.model import ChannelKind, Conflict, EndReason, FirstlightError, NotFound, RunEnd, RunInfo, Saving
from firstlight.storage._entry import SUCCEEDED
from firstlight.storage._framefile import dataset_path
from firstlight.storage._frames import Part, remove_journals
from firstlight.storage._journal import Contents, read_journal
from firstlight.storage._links import master_files, write_dataset_links, write_masters
from firstlight.storage._runfile import RunFile
from firstlight.storage._salvage import salvage
from firstlight.storage._scan import FileChannel, ScanFile, open_scan

_PORTION = 64 * 2**20
_MESSAGE = "The machine stopped while it was acquired; this is what had reached the disk."


@dataclass(frozen=True, slots=True)
class Rescued:
    """What was brought into order.

    :param file: the run's file.
    :param counts: items of each channel in it.
    """

    file: Path
    counts: dict[str, int]


def unfinished(folder: Path) -> list[Path]:
    """Folders of runs, anywhere below ``folder``, that hold journals or a file of ours without an end."""
    found = {path.parent for path in folder.rglob("scan*/*.journal")}
    for path in folder.rglob("scan*/scan*.h5"):
        if path.stem == path.parent.name and path.parent not in found and not _complete(path):
            found.add(path.parent)
    return sorted(found)


def rescue(folder: Path) -> Rescued:
    """Bring one run's folder into order, without its buffer.

    :param folder: ``scanNNNN`` of a run that nobody writes any more.
    :raises Conflict: when a saver writes it; use :func:`~firstlight.storage.recover` while the buffer has the run.
    :raises NotFound: when it holds nothing of a run.
    :raises DataError: when a frame's payload is not what was written.
    """
    file = folder / f"{folder.name}.h5"
    with _alone(file):
        journals = _journals(folder)
        frames: dict[str, tuple[Contents, list[Part]]] = {}
        for contents in journals:
            name = contents.spec.name
            if name not in frames:
                parts = [Part(p.file, dataset_path(name), p.count) for p in salvage(folder, contents.spec)]
                frames[name] = (contents, parts)
        old = _open(file)
        if old is None and not frames:
            raise NotFound(f"{folder} holds nothing of a run.")
        try:
            counts = _counts(old) if old is not None and old.finished else _put_together(file, old, frames)
        finally:
            if old is not None:
                old.close()
    remove_journals(folder)
    dataset = folder.parent / f"{folder.parent.name}.h5"
    if master_files(dataset):
        write_dataset_links(dataset)
        write_masters(dataset)
    return Rescued(file, counts)


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Hold the lock of the run's file, as its writer does."""
    if not file.exists():
        yield
        return
    with file.open("rb") as stream:
        try:
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(f"{file} is being written.", hint="Let its run end.") from error
        yield


def _put_together(file: Path, old: ScanFile | None, frames: dict[str, tuple[Contents, list[Part]]]) -> dict[str, int]:
    info = old.info if old is not None else _info(file)
    saving = (info.saving or _saving(file)).model_copy(update={"file": str(file)})
    made = RunFile(saving, info, old.key if old is not None else "")
    try:
        channels = old.channels if old is not None else {}
        for channel in channels.values():
            if channel.name not in frames and channel.spec.kind is not ChannelKind.RING:
                _copy(channel, made)
        for name, (contents, parts) in frames.items():
            spec = channels[name].spec if name in channels else contents.spec
            made.add(spec).link(parts, final=True)
        counts = {name: channel.count for name, channel in made.channels.items()}
        end = RunEnd(reason=EndReason.LOST, message=_MESSAGE, epoch=_newest(file.parent))
        made.finish(end, {}, status=SUCCEEDED)
    except BaseException:
        made.give_up()
        raise
    return counts


def _copy(channel: FileChannel, made: RunFile) -> None:
    target = made.add(channel.spec, rate=channel.count / 100)
    step = max(1, _PORTION // max(1, channel.spec.item_nbytes))
    for start in range(0, channel.count, step):
        stop = min(start + step, channel.count)
        target.append(channel.read(start, stop), float(channel.times(stop - 1, stop)[0]))


def _journals(folder: Path) -> Iterator[Contents]:
    for path in sorted(folder.glob("*.journal")):
        contents = read_journal(path)
        if contents is not None and not path.name.startswith("."):
            yield contents


def _open(file: Path) -> ScanFile | None:
    """The run's own file, None when it can not be read."""
    try:
        return open_scan(file)
    except FirstlightError:
        return None
    except (OSError, KeyError, RuntimeError, ValueError):  # HDF5 found it broken
        return None


def _complete(file: Path) -> bool:
    scan = _open(file)
    if scan is None:
        return False
    with contextlib.closing(scan):
        # What other programs have not finished is theirs.
        return scan.finished or not scan.key


def _counts(scan: ScanFile) -> dict[str, int]:
    return {name: channel.count for name, channel in scan.channels.items()}


def _newest(folder: Path) -> float:
    return max(path.stat().st_mtime for path in folder.iterdir())


def _info(file: Path) -> RunInfo:
    return RunInfo(name="unknown", title=f"{file.stem} (its description is lost)", start_epoch=_newest(file.parent))


def _saving(file: Path) -> Saving:
    names = [p.name for p in file.parents]
    proposal, beamline, session = (names[k] if len(names) > k else "" for k in (6, 5, 4))
    sample = names[2] if len(names) > 2 else ""
    number = file.stem.removeprefix("scan")
    return Saving(
        proposal=proposal,
        beamline=beamline,
        session=session,
        sample=sample,
        dataset=names[1].removeprefix(f"{sample}_"),
        number=int(number) if number.isdigit() and int(number) else 1,
        dataset_file=str(file.parents[1] / f"{names[1]}.h5"),
        file=str(file),
    )
