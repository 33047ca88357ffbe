"""Exporters by name, and the rules that all of them keep: write beside, rename, never overwrite unasked."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstlight.data._source import nearest
from firstlight.model import Conflict, InvalidInput, NotFound, StorageFull

if TYPE_CHECKING:
    from firstlight.data._run import Run

GROUP = "firstlight.exporters"
"""Entry points of this group are exporters of other packages: each loads an :class:`Exporter`."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote."""

    path: Path
    """The file."""
    points: int
    """Rows, frames: items of the longest thing in it."""
    left_out: tuple[str, ...] = ()
    """Channels that do not fit the format."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """One file format."""

    name: str
    """The word after ``firstlight export``."""
    suffix: str
    """Ending of its files, with the dot."""
    summary: str
    """One line for the list."""
    write: Callable[..., Exported]
    """``write(runs, path, *, overwrite=False, **options)``."""
    several: bool = False
    """Whether one file holds several runs."""


def _nxtomo(runs: Sequence[Run], path: Path, **options: Any) -> Exported:
    from firstlight.data._nxtomo import export_nxtomo

    return export_nxtomo(runs, path, **options)


def _csv(runs: Sequence[Run], path: Path, **options: Any) -> Exported:
    from firstlight.data._columns import export_csv

    return export_csv(runs[0], path, **options)


def _text(runs: Sequence[Run], path: Path, **options: Any) -> Exported:
    from firstlight.data._columns import export_text

    return export_text(runs[0], path, **options)


_OWN = (
    Exporter("nxtomo", ".nx", "tomography as NXtomo: darks, flats and projections in one stack", _nxtomo, True),
    Exporter("csv", ".csv", "curves as comma-separated values, one header line", _csv),
    Exporter("text", ".dat", "curves as columns of text with a commented header, as numpy.loadtxt reads", _text),
)


def exporters() -> dict[str, Exporter]:
    """All formats by name, those of installed packages included."""
    found = {e.name: e for e in _OWN}
    for other in _installed():
        found.setdefault(other.name, other)
    return found


def _installed() -> Iterator[Exporter]:
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        other = point.load()
        if isinstance(other, Exporter):
            yield other


def export(
    name: str, runs: Run | Sequence[Run], path: Path | str, *, overwrite: bool = False, **options: Any
) -> Exported:
    """Write runs in the format of that name.

    :param name: one of :func:`exporters`.
    :param path: the new file; a missing suffix is added.
    :param overwrite: replace a file that exists.
    :param options: what the format knows beside.
    :raises NotFound: for an unknown format, or a folder that does not exist.
    :raises InvalidInput: for several runs in a format that holds one.
    :raises Conflict: when the file exists.
    """
    known = exporters()
    if name not in known:
        raise NotFound(f"There is no export format {name!r}.", hint=nearest(name, known, "format"))
    exporter = known[name]
    several = [runs] if not isinstance(runs, Sequence) else list(runs)
    if not several:
        raise InvalidInput(f"There is no run to export as {name}.")
    if len(several) > 1 and not exporter.several:
        raise InvalidInput(f"{name} holds one run, and {len(several)} were given.", hint="Export them one by one.")
    target = Path(path)
    if not target.suffix:
        target = target.with_suffix(exporter.suffix)
    return exporter.write(several, target, overwrite=overwrite, **options)


@contextmanager
def beside(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """A name beside ``path`` to write to; renamed to it when all went well, removed otherwise.

    :raises Conflict: when the file exists and is not to be replaced.
    :raises NotFound: when its folder does not exist.
    :raises InvalidInput: when the folder can not be written.
    :raises StorageFull: when the disk is full.
    """
    path = Path(path).absolute()
    if not path.parent.is_dir():
        raise NotFound(f"The folder {path.parent} does not exist.", hint="Make it first.")
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder.", hint="Give the name of a file.")
    if path.exists() and not overwrite:
        raise Conflict(f"{path} exists already.", hint="Choose another name, or allow to overwrite it.")
    part = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(3).hex()}.part")
    try:
        # Here, so that it is said of the file that was asked for.
        part.touch()
        part.unlink()
        yield part
        if path.exists() and not overwrite:
            raise Conflict(f"{path} appeared meanwhile.", hint="Choose another name, or allow to overwrite it.")
        part.replace(path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"{path} could not be written: the disk is full.", hint="Free some space.") from error
        if error.filename == str(part) or error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise InvalidInput(f"{path} can not be written: {reason}.", hint="Choose another place.") from error
        raise
    finally:
        # Where nothing can be written there is nothing to remove.
        with suppress(OSError):
            part.unlink()
