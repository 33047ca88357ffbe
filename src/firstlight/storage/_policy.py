"""Where data go: the ESRF data policy, version 3, as paths.

::

    {root}/{proposal}/{beamline}/{YYYYMMDD}/
      RAW_DATA/{proposal}_{beamline}.h5                                       proposal master
      RAW_DATA/{sample}/{proposal}_{sample}.h5                                collection master
      RAW_DATA/{sample}/{sample}_{dataset}/{sample}_{dataset}.h5              dataset file
      RAW_DATA/{sample}/{sample}_{dataset}/scan0001/scan0001.h5               one run
      RAW_DATA/{sample}/{sample}_{dataset}/scan0001/{channel}_0000.h5         its frames
      PROCESSED_DATA/, NOBACKUP/   the same levels;   SCRIPTS/ GALLERY/ NOTES/

What people call a sample is a "collection" on disk and in the data portal.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from firstlight.model import Conflict, InvalidInput, NotFound, Saving

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.\-]*[A-Za-z0-9_\-])?")
_DATE = re.compile(r"\d{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_SCAN = re.compile(r"scan(\d{4,})")
_LONGEST = 100

RAW, PROCESSED, NOBACKUP = "RAW_DATA", "PROCESSED_DATA", "NOBACKUP"
SCRIPTS, GALLERY, NOTES = "SCRIPTS", "GALLERY", "NOTES"


def check_name(what: str, name: str) -> str:
    """The name, when it can stand in a path and in a file; the policy forbids separators, quotes and blanks.

    :param what: what it names, for the message: ``sample``, ``dataset``, ``proposal``, ``beamline``.
    :raises InvalidInput: otherwise.
    """
    hint = ""
    if not name:
        raise InvalidInput(f"The {what} has no name.", hint="Give letters, digits and _ - . only.")
    if len(name) > _LONGEST:
        raise InvalidInput(f"The {what} name {name[:20]}... is longer than {_LONGEST} characters.")
    if not _NAME.fullmatch(name) or name.endswith(".h5"):
        better = re.sub(r"[^A-Za-z0-9_.\-]+", "_", name.removesuffix(".h5")).strip("_.")
        hint = "Use letters, digits and _ - . only" + (f", for instance {better}." if better else ".")
        raise InvalidInput(f"{name!r} is not a name for a {what}.", hint=hint)
    return name


@dataclass(frozen=True, slots=True)
class Roots:
    """Where proposals of each sort live; ``{beamline}`` is replaced.

    :param visitor: experiments of users.
    :param inhouse: proposals whose name starts with the beamline's.
    :param tmp: proposals whose name starts with ``test``, ``tmp`` or ``temp``.
    """

    visitor: str = "/data/visitor"
    inhouse: str = "/data/{beamline}/inhouse"
    tmp: str = "/data/{beamline}/tmp"

    @classmethod
    def under(cls, base: Path) -> Roots:
        """All three in one folder, as on a machine that is no beamline."""
        return cls(f"{base}/visitor", f"{base}/{{beamline}}/inhouse", f"{base}/{{beamline}}/tmp")

    def root(self, proposal: str, beamline: str) -> Path:
        """The root for one proposal."""
        lower = proposal.lower()
        if lower.startswith(("test", "tmp", "temp")):
            root = self.tmp
        elif lower.startswith(beamline.lower()):
            root = self.inhouse
        else:
            root = self.visitor
        return Path(root.replace("{beamline}", beamline))


class DataPolicy:
    """The data policy of one beamline.

    :param beamline: its name, for instance ``id19``; written in lower case on disk.
    :raises InvalidInput: when the name can not stand in a path.
    """

    def __init__(self, beamline: str, roots: Roots | None = None) -> None:
        self.beamline = check_name("beamline", beamline).lower()
        self.roots = roots or Roots()

    def default_proposal(self, date: dt.date) -> str:
        """The proposal of people who gave none: beamline, year and month."""
        return f"{self.beamline}{date:%y%m}"

    def experiment(self, proposal: str = "", date: dt.date | str | None = None) -> Experiment:
        """One session of one proposal.

        :param proposal: its name; the default proposal of that month when empty.
        :param date: first day of the session, also as ``YYYYMMDD``; today when None.
        :raises InvalidInput: for a name or a date that is none.
        """
        if date is None:
            date = dt.datetime.now().astimezone().date()
        if isinstance(date, str):
            if not _DATE.fullmatch(date):
                raise InvalidInput(f"{date!r} is not a session date.", hint="Write it as YYYYMMDD.")
            try:
                date = dt.datetime.strptime(date, "%Y%m%d").date()
            except ValueError as error:
                raise InvalidInput(f"{date!r} is not a day of the calendar.", hint="Write it as YYYYMMDD.") from error
        proposal = check_name("proposal", proposal or self.default_proposal(date))
        return Experiment(
            root=self.roots.root(proposal, self.beamline),
            proposal=proposal,
            beamline=self.beamline,
            session=f"{date:%Y%m%d}",
        )


def require_root(experiment: Experiment, own: Path | None = None) -> None:
    """Refuse a proposal that cannot be where its name says that it is.

    :param own: folder below which everything may be made: that of a machine that is no beamline.
    :raises NotFound: the root of its sort of proposals does not exist.
    :raises Conflict: nothing may be written there.
    """
    root = experiment.root
    if own is not None and root.is_relative_to(own):
        return
    proposal = root / experiment.proposal
    if not root.is_dir():
        raise NotFound(
            f"The proposal {experiment.proposal} belongs in {root}, which does not exist.",
            hint="Is that disk mounted? Or choose another proposal, or another root in the configuration (storage).",
        )
    place = proposal if proposal.exists() else root
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        raise Conflict(
            f"The proposal {experiment.proposal} belongs in {root}, where you may not write.",
            hint="Check the name of the proposal; its folder may have to be made by the facility first.",
        )


@dataclass(frozen=True, slots=True)
class Experiment:
    """One session of a proposal at a beamline: the folder that holds everything of it."""

    root: Path
    proposal: str
    beamline: str
    session: str
    """YYYYMMDD."""

    @property
    def folder(self) -> Path:
        """Everything of the session."""
        return self.root / self.proposal / self.beamline / self.session

    @property
    def raw(self) -> Path:
        """Acquired data."""
        return self.folder / RAW

    @property
    def processed(self) -> Path:
        """Results."""
        return self.folder / PROCESSED

    @property
    def nobackup(self) -> Path:
        """Data that are never archived."""
        return self.folder / NOBACKUP

    @property
    def scripts(self) -> Path:
        """The users' scripts."""
        return self.folder / SCRIPTS

    @property
    def gallery(self) -> Path:
        """Pictures of the session."""
        return self.folder / GALLERY

    @property
    def notes(self) -> Path:
        """The users' notes."""
        return self.folder / NOTES

    @property
    def master(self) -> Path:
        """File with links to every run of the session."""
        return self.raw / f"{self.proposal}_{self.beamline}.h5"

    def collection(self, sample: str) -> Path:
        """Folder of one sample's acquired data."""
        return self.raw / check_name("sample", sample)

    def collection_master(self, sample: str) -> Path:
        """File with links to every run of one sample."""
        return self.collection(sample) / f"{self.proposal}_{sample}.h5"

    def dataset(self, sample: str, dataset: str) -> DatasetFolder:
        """One dataset of a sample, whether it exists or not.

        :raises InvalidInput: for names that can not stand in a path.
        """
        check_name("sample", sample)
        check_name("dataset", dataset)
        return DatasetFolder(self, sample, dataset)

    def samples(self) -> list[str]:
        """Names of the samples that have a folder, sorted."""
        return sorted(p.name for p in _folders(self.raw) if not p.name.startswith("__"))

    def datasets(self, sample: str) -> list[str]:
        """Names of the datasets of a sample that have a folder, sorted."""
        prefix = f"{sample}_"
        return sorted(
            p.name.removeprefix(prefix) for p in _folders(self.collection(sample)) if p.name.startswith(prefix)
        )

    def fresh_dataset(self, sample: str, name: str = "") -> str:
        """A dataset name that no folder has yet: ``0001``, ``0002`` ... or ``name``, ``name_0002`` ..."""
        taken = set(self.datasets(check_name("sample", sample)))
        if name and check_name("dataset", name) not in taken:
            return name
        number = 2 if name else 1
        while True:
            found = f"{name}_{number:04d}" if name else f"{number:04d}"
            if found not in taken:
                return found
            number += 1


@dataclass(frozen=True, slots=True)
class DatasetFolder:
    """One dataset: the smallest thing the data portal knows; its runs are numbered from 1."""

    experiment: Experiment
    sample: str
    name: str

    @property
    def stem(self) -> str:
        """``{sample}_{dataset}``, the name of folder and file."""
        return f"{self.sample}_{self.name}"

    @property
    def folder(self) -> Path:
        """Acquired data."""
        return self.experiment.raw / self.sample / self.stem

    @property
    def file(self) -> Path:
        """File with a link to (or, once compacted, the content of) every run."""
        return self.folder / f"{self.stem}.h5"

    @property
    def gallery(self) -> Path:
        """Pictures of the raw data, for the portal."""
        return self.folder / "gallery"

    @property
    def processed(self) -> Path:
        """Results from this dataset."""
        return self.experiment.processed / self.sample / self.stem

    @property
    def processed_file(self) -> Path:
        """The file of results."""
        return self.processed / f"{self.stem}.h5"

    @property
    def processed_gallery(self) -> Path:
        """Pictures of the results, for the portal."""
        return self.processed / "gallery"

    @property
    def nobackup(self) -> Path:
        """Data of this dataset that are never archived."""
        return self.experiment.nobackup / self.sample / self.stem

    @property
    def icat_file(self) -> Path:
        """Metadata that wait for the catalogue."""
        return self.experiment.raw / "__icat__" / f"{self.stem}.xml"

    def scan_folder(self, number: int) -> Path:
        """Folder of one run."""
        return self.folder / f"scan{number:04d}"

    def scan_file(self, number: int) -> Path:
        """File of one run; its entry is ``{number}.1``."""
        return self.scan_folder(number) / f"scan{number:04d}.h5"

    def numbers(self) -> list[int]:
        """Numbers that are taken: by a folder, or by a run inside a compacted dataset file; sorted."""
        taken = {int(m[1]) for p in _folders(self.folder) if (m := _SCAN.fullmatch(p.name))}
        return sorted(taken | set(self._stored()))

    def reserve(self, after: int = 0) -> int:
        """Take the next free number by creating its folder; safe among sessions that do so at the same moment.

        :param after: a number that the caller took before, from which it goes on without listing all earlier ones.
        :raises Conflict: when the folder can not be created.
        """
        # Without that folder the dataset was merged, and its file knows more; or the folder was removed, and its run
        # may still be saved there from the buffer: no other takes its number.
        newest = after if after and self.scan_folder(after).exists() else max([after, *self.numbers()])
        number = newest + 1
        folder = self.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            while True:
                folder = self.scan_folder(number)
                try:
                    folder.mkdir()  # atomic, on network file systems too: one of two callers gets it
                except FileExistsError:
                    number += 1
                else:
                    return number
        except OSError as error:
            raise Conflict(
                f"The folder {folder} can not be created: {error.strerror}.",
                hint="Check the data root, its permissions and the quota.",
            ) from error

    def saving(
        self, number: int | None = None, *, after: int = 0, frames_per_file: int = 0, compression: str = "none"
    ) -> Saving:
        """Where a run goes, for its description.

        :param number: its number; the next free one is reserved when None.
        :param after: as for :meth:`reserve`.
        """
        if number is None:
            number = self.reserve(after)
        return Saving(
            proposal=self.experiment.proposal,
            beamline=self.experiment.beamline,
            session=self.experiment.session,
            sample=self.sample,
            dataset=self.name,
            number=number,
            dataset_file=str(self.file),
            file=str(self.scan_file(number)),
            frames_per_file=frames_per_file,
            compression=compression,
        )

    def _stored(self) -> list[int]:
        from firstlight.storage._entries import stored_numbers

        # A dataset file without a folder of scans beside it was compacted: its runs live inside.
        return stored_numbers(self.file) if self.file.exists() else []


def dataset_of(saving: Saving) -> DatasetFolder:
    """The dataset to which a run was saved.

    :raises InvalidInput: when it was saved outside the data policy's tree.
    """
    file = Path(saving.dataset_file)
    parents = file.parents
    if len(parents) >= 7:
        experiment = Experiment(parents[6], saving.proposal, saving.beamline, saving.session)
        found = DatasetFolder(experiment, saving.sample, saving.dataset)
        if found.file == file:
            return found
    raise InvalidInput(f"{file} is not in the tree of the data policy.")


def _folders(folder: Path) -> Iterator[Path]:
    try:
        found = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    yield from (p for p in found if p.is_dir())
