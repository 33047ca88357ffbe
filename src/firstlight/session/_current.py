"""The current proposal, sample and dataset: where the next run is saved."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firstlight.model import InvalidInput, NotFound, Saving
from firstlight.storage import DataPolicy, DatasetFolder, Experiment, require_root

if TYPE_CHECKING:
    from firstlight.buffer import Buffer


class Current:
    """What the next run belongs to.

    Without a word from the user, data go to the beamline's default proposal of the month, sample ``sample``.

    :param policy: of the beamline.
    :param ended: called with a dataset that was ended, when it holds runs.
    :param own: folder below which roots of proposals may be made; None where the facility makes them.
    :param taken: the largest number that a run of a dataset has which may still be saved; see :func:`largest_number`.
    """

    def __init__(
        self,
        policy: DataPolicy,
        ended: Callable[[DatasetFolder], None] = lambda dataset: None,
        own: Path | None = None,
        taken: Callable[[DatasetFolder], int] = lambda dataset: 0,
    ) -> None:
        self._policy = policy
        self._taken = taken
        self._own = own
        self._ended = ended
        self.experiment: Experiment = policy.experiment()
        self.sample = "sample"
        self.description = ""
        self._dataset = ""
        self._newest: dict[DatasetFolder, int] = {}

    def newproposal(self, name: str = "", date: dt.date | str | None = None) -> None:
        """Go to a proposal; its sample and dataset are chosen anew.

        :param name: the default proposal of the month when empty.
        :param date: first day of the session; today when None.
        :raises NotFound, Conflict: when it cannot be where its name says that it is.
        """
        experiment = self._policy.experiment(name, date)
        require_root(experiment, self._own)
        self.enddataset()
        self.experiment = experiment
        self.sample = "sample"
        self.description = ""

    def endproposal(self) -> None:
        """End the dataset, and go back to the beamline's own proposal of this month."""
        self.newproposal()

    def move_to(self, policy: DataPolicy, own: Path | None) -> None:
        """Save elsewhere from now on: the same proposal and sample, in a new dataset unless nothing changed."""
        experiment = policy.experiment(self.experiment.proposal, self.experiment.session)
        self._policy, self._own = policy, own
        if experiment != self.experiment:
            self.enddataset()
            self.experiment = experiment

    def newsample(self, name: str, description: str = "") -> None:
        """Go to a sample of the current proposal."""
        self.experiment.collection(name)
        self.enddataset()
        self.sample = name
        self.description = description

    def newdataset(self, name: str = "") -> None:
        """Go to a new dataset of the current sample; a name that is taken gets a number.

        :param name: a running number when empty.
        """
        fresh = self.experiment.fresh_dataset(self.sample, name)
        self.enddataset()
        self._dataset = fresh

    def enddataset(self) -> None:
        """End the current dataset; the next run starts another one."""
        if not self._dataset:
            return
        ended = self.dataset
        self._dataset = ""
        if ended.numbers():
            self._ended(ended)

    @property
    def state(self) -> dict[str, str]:
        """Where data go, as JSON values, for :meth:`restore`."""
        return {
            "proposal": self.experiment.proposal,
            "session": self.experiment.session,
            "sample": self.sample,
            "description": self.description,
            "dataset": self._dataset,
        }

    def restore(self, state: Mapping[str, str]) -> None:
        """Go on where an earlier session was; the proposal that the beamline chose for another month is left."""
        chosen = self._policy.experiment(date=state["session"]).proposal
        if state["proposal"] == chosen != self._policy.experiment().proposal:
            return
        experiment = self._policy.experiment(state["proposal"], state["session"])
        experiment.collection(state["sample"])
        if state["dataset"]:
            experiment.dataset(state["sample"], state["dataset"])
        self.experiment, self.sample = experiment, state["sample"]
        self.description, self._dataset = state["description"], state["dataset"]

    @property
    def dataset(self) -> DatasetFolder:
        """The current dataset; begins one when there is none."""
        if not self._dataset:
            self._dataset = self.experiment.fresh_dataset(self.sample)
        return self.experiment.dataset(self.sample, self._dataset)

    def saving(self, *, compression: str = "none") -> Saving:
        """Where the next run goes; takes its number."""
        require_root(self.experiment, self._own)
        dataset = self.dataset
        # Of every dataset: one whose folder was removed, and that is begun again, may have runs still to be saved, also
        # those of a session before this one.
        after = self._newest.get(dataset, 0)
        if not (after and dataset.scan_folder(after).exists()):
            after = max(after, self._taken(dataset))
        saving = dataset.saving(after=after, compression=compression)
        self._newest[dataset] = saving.number
        return saving

    def metadata(self) -> dict[str, Any]:
        """What is stored with every run."""
        sample: dict[str, Any] = {"name": self.sample}
        if self.description:
            sample["description"] = self.description
        return {"sample": sample, "proposal": self.experiment.proposal}

    def __repr__(self) -> str:
        dataset = self._dataset or "(none yet)"
        return f"<proposal {self.experiment.proposal}, sample {self.sample}, dataset {dataset}>"


def largest_number(buffer: Buffer, dataset: DatasetFolder) -> int:
    """The largest number of a run of the dataset that the buffer holds, saved or still to be saved; 0 for none."""
    numbers = [0]
    for entry in buffer.runs():
        # One that leaves the buffer at this moment is in its file.
        with contextlib.suppress(NotFound):
            saving = buffer.run(entry.key).info.saving if entry.saved else None
            if saving is not None and saving.dataset_file == str(dataset.file):
                numbers.append(saving.number)
    return max(numbers)


def check_compression(compression: str) -> str:
    """The name, when it is one that the saver knows.

    :raises InvalidInput: otherwise.
    """
    known = ("none", "bitshuffle-lz4")
    if compression not in known:
        raise InvalidInput(f"{compression!r} is no frame compression.", hint=f"Choose one of: {', '.join(known)}.")
    return compression
