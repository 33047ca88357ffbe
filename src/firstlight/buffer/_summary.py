"""What ``firstlight buffer`` shows: plain values about runs and channels."""

from __future__ import annotations

from dataclasses import dataclass

from firstlight.buffer._channel import open_channel
from firstlight.buffer._folder import OWNER, RunFolder
from firstlight.buffer._locks import held
from firstlight.buffer._memory import allocated, spilled_bytes
from firstlight.model import ChannelSpec, RunEnd, RunInfo, RunState


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in one line.

    :param alive: whether its owner lives.
    :param channels: number of channels.
    :param memory: bytes in memory.
    :param spilled: bytes on disk.
    :param file: the run's file, empty when it is not saved.
    """

    key: str
    name: str
    title: str
    state: RunState
    epoch: float
    end: RunEnd | None
    alive: bool
    channels: int
    memory: int
    spilled: int
    file: str


@dataclass(frozen=True, slots=True)
class ChannelSummary:
    """A channel in one line.

    :param first: from this item on everything is held in memory or spill.
    :param producer: id of the member that produces it, and whether that lives.
    :param released: items that each retaining reader has released.
    """

    spec: ChannelSpec
    count: int
    first: int
    missing: int
    sealed: bool
    seal_reason: str
    producer: str
    producer_alive: bool
    released: dict[str, int]


@dataclass(frozen=True, slots=True)
class RunDetails:
    """Everything about a run.

    :param readers: retaining readers, and whether each lives.
    """

    summary: RunSummary
    info: RunInfo
    channels: tuple[ChannelSummary, ...]
    readers: dict[str, bool]


def summary(folder: RunFolder) -> RunSummary:
    """The line of one run."""
    info = folder.info
    return RunSummary(
        key=folder.key,
        name=info.name,
        title=info.title,
        state=folder.state,
        epoch=info.start_epoch,
        end=folder.end,
        alive=held(folder.members / OWNER),
        channels=len(folder.visible()),
        memory=allocated(folder.channels),
        spilled=spilled_bytes(folder.spill),
        file=info.saving.file if info.saving else "",
    )


def details(folder: RunFolder) -> RunDetails:
    """All about one run."""
    claims = folder.claims()
    channels = []
    for name in folder.visible():
        reader = open_channel(folder.channels, name, folder.bell)
        count = reader.count
        producer = claims.get(name, OWNER)
        channels.append(
            ChannelSummary(
                spec=reader.spec,
                count=count,
                first=reader.first,
                missing=len(reader.missing(0, count)),
                sealed=reader.sealed,
                seal_reason=reader.seal_reason,
                producer=producer,
                producer_alive=held(folder.members / producer),
                released={r: reader.released(r) for r in folder.readers},
            )
        )
    readers = {name: held(folder.readers_folder / name) for name in folder.readers}
    return RunDetails(summary(folder), folder.info, tuple(channels), readers)
