"""Where data go: proposals, samples, datasets."""

from __future__ import annotations

from firstlight.shell._desk import Desk


def newproposal(desk: Desk, name: str = "") -> None:
    """Go to a proposal; without a name, to the beamline's own of this month.

    ::

        newproposal hc1234

    :param name: as the facility gave it.
    """
    _settle(desk)
    desk.session.newproposal(name)
    _tell(desk)


def newsample(desk: Desk, name: str, description: str = "") -> None:
    """Go to a sample of the proposal.

    ::

        newsample tooth
        newsample tooth "upper molar, left"

    :param name: letters, digits and _ - . only.
    :param description: stored with every run.
    """
    _settle(desk)
    desk.session.newsample(name, description)
    _tell(desk)


def newdataset(desk: Desk, name: str = "") -> None:
    """Go to a new dataset of the sample; the one before is ended.

    ::

        newdataset
        newdataset alignment

    :param name: a running number when empty.
    """
    _settle(desk)
    desk.session.newdataset(name)
    _tell(desk)


def enddataset(desk: Desk) -> None:
    """End the dataset; the next scan begins another.

    ::

        enddataset
    """
    _settle(desk)
    file = desk.session.dataset.file
    desk.session.enddataset()
    desk.say(f"The dataset is ended: {file}" if file.exists() else "The dataset is ended; it holds no scan.")


def endproposal(desk: Desk) -> None:
    """End the proposal: back to the beamline's own of this month.

    ::

        endproposal
    """
    _settle(desk)
    desk.session.endproposal()
    _tell(desk)


def _settle(desk: Desk) -> None:
    # Notes belong to the dataset in which they were made.
    if desk.notes is not None:
        desk.notes.flush()


def _tell(desk: Desk) -> None:
    dataset = desk.session.dataset
    experiment = dataset.experiment
    desk.say(f"proposal {experiment.proposal}, sample {dataset.sample}, dataset {dataset.name}")
    desk.say(f"data go to {dataset.folder}")
