"""Frame files that a dead process left: what their journals promise is brought into order.

Nothing is ever repaired in place. A file whose index agrees with its journal stays; any other is rebuilt beside itself
from the payloads that the journal names, and takes its place by renaming.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from firstlight.model import ChannelSpec, DataError, FirstlightError
from firstlight.storage._digest import digest
from firstlight.storage._framefile import FrameFile, frame_files, frame_records, journal_path
from firstlight.storage._journal import Contents, Journal, Record, read_journal
from firstlight.storage._space import full


@dataclass(frozen=True, slots=True)
class Salvaged:
    """A frame file in order: its name and how many frames it holds."""

    file: str
    count: int


def salvage(folder: Path, spec: ChannelSpec) -> list[Salvaged]:
    """Bring the frame files of a channel into order.

    :return: the files, in order, without gap from frame 0.
    :raises DataError: when a payload on the disk is not what its journal says.
    """
    found: list[Salvaged] = []
    total = 0
    for path, _ in frame_files(folder, spec.name):
        journal = journal_path(path)
        if not journal.exists():
            count = _closed(path, spec)
            if count:
                found.append(Salvaged(path.name, count))
                total += count
            continue
        contents = read_journal(journal)
        if contents is not None and contents.spec.name != spec.name:
            continue
        if contents is None or not contents.records:
            path.unlink(missing_ok=True)
            journal.unlink(missing_ok=True)
            continue
        if contents.first != total:
            raise DataError(
                f"{path} starts with frame {contents.first} of {spec.name}, but {total} frames come before it.",
                hint="A frame file of this run was removed or renamed.",
            )
        if not _agrees(path, spec, contents.records):
            _rebuild(path, journal, spec, contents)
        found.append(Salvaged(path.name, len(contents.records)))
        total += len(contents.records)
    return found


def verify(path: Path, spec: ChannelSpec, records: Sequence[Record]) -> None:
    """Open a closed frame file and compare it with its journal: every place and length, first and last payload.

    :raises DataError: when they differ.
    """
    ends = {0, len(records) - 1}
    try:
        found = frame_records(path, spec, check=sorted(ends))
    except FileNotFoundError as error:
        raise DataError(
            f"{path} was removed while it was written.", hint="Nobody should clean up data during a scan."
        ) from error
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise DataError(f"{path} was closed but can not be read: {error}.") from error
    same = [_place(r) for r in found] == [_place(r) for r in records]
    if not same or any(found[k].check != records[k].check for k in ends):
        raise DataError(f"{path} was closed but does not hold the frames of its journal.")


def _closed(path: Path, spec: ChannelSpec) -> int:
    """Frames in a file whose journal is gone: it was closed and verified before. None in a file that is not ours."""
    try:
        return len(frame_records(path, spec))
    except (OSError, KeyError, RuntimeError, ValueError):
        return 0


def _agrees(path: Path, spec: ChannelSpec, records: Sequence[Record]) -> bool:
    try:
        found = frame_records(path, spec)
        if [_place(r) for r in found] == [_place(r) for r in records]:
            return True
        # A rebuilt file whose journal had not followed yet has the same payloads in other places.
        found = frame_records(path, spec, check=range(len(found)))
    except (OSError, KeyError, RuntimeError, ValueError):
        return False
    return [(r.nbytes, r.check) for r in found] == [(r.nbytes, r.check) for r in records]


def _rebuild(path: Path, journal: Path, spec: ChannelSpec, contents: Contents) -> None:
    beside = path.with_name(f".{path.stem}.rebuilt.h5")
    beside_journal = path.with_name(f".{path.stem}.rebuilt.journal")
    beside.unlink(missing_ok=True)
    beside_journal.unlink(missing_ok=True)
    try:
        records = _copy(path, beside, spec, contents.records, contents.compressed)
        new_journal = Journal(beside_journal, spec, contents.first, compressed=contents.compressed)
        new_journal.append(records)
        new_journal.close()
        verify(beside, spec, records)
        beside.replace(path)
        beside_journal.replace(journal)
    except FirstlightError:
        raise
    except OSError as error:
        raise full(path, error) from error


def _copy(source: Path, target: Path, spec: ChannelSpec, records: Sequence[Record], compressed: bool) -> list[Record]:
    copied: list[Record] = []
    file = FrameFile(target, spec, compressed=compressed)
    try:
        with source.open("rb") as stream:
            for record in records:
                stream.seek(record.offset)
                payload = stream.read(record.nbytes)
                if len(payload) != record.nbytes or digest(payload) != record.check:
                    raise DataError(
                        f"Frame {record.frame} in {source} is damaged: its payload is not what was written.",
                        hint="The file is left as it is; was the machine switched off?",
                    )
                copied.append(file.write_chunk(payload))
    except BaseException:
        file.give_up()
        raise
    file.close()
    return copied


def _place(record: Record) -> tuple[int, int, int]:
    return record.frame, record.offset, record.nbytes
