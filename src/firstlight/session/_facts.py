"""What a session tells its clients: plain values that cross the wire, known to both ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from firstlight.scanning import Chain, Client, DryRun, Estimate, Lock, MoveTo, Node, Progress, ScanSequence
from firstlight.storage import DatasetFolder, Experiment
from firstlight.wire import register

for _known in (Chain, Client, DryRun, Estimate, Lock, MoveTo, Node, Progress, ScanSequence):
    register(_known)


@register
@dataclass(frozen=True, slots=True)
class AxisFacts:
    """An axis at one moment, in user units.

    :param error: why the rest is not known; empty when it is.
    :param serial: higher for what was read later.
    """

    unit: str = ""
    position: float = 0.0
    dial: float = 0.0
    moving: bool = False
    limits: tuple[float, float] = (0.0, 0.0)
    velocity: float = 0.0
    acceleration: float = 0.0
    offset: float = 0.0
    sign: int = 1
    error: str = ""
    serial: int = field(default=0, compare=False)


@register
@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """A device.

    :param sort: ``axes``, ``counters``, ``cameras``, ``shutters``, ``triggers``, ``failed`` or empty.
    :param error: of one that failed: why.
    :param hint: what to do about it.
    :param parts: axes that it brings.
    """

    name: str
    sort: str
    kind: str = ""
    error: str = ""
    hint: str = ""
    parts: tuple[str, ...] = ()


@register
@dataclass(frozen=True, slots=True)
class GroupFacts:
    """A measurement group."""

    members: tuple[str, ...]
    channels: tuple[str, ...]
    off: tuple[str, ...]


@register
@dataclass(frozen=True, slots=True)
class GroupsFacts:
    """All measurement groups."""

    groups: dict[str, GroupFacts]
    active: str


@register
@dataclass(frozen=True, slots=True)
class DatasetFacts:
    """Where data go.

    :param dataset: empty as long as none has begun.
    """

    root: str
    proposal: str
    beamline: str
    session: str
    sample: str
    dataset: str
    description: str = ""

    @property
    def experiment(self) -> Experiment:
        """The session of the proposal."""
        return Experiment(Path(self.root), self.proposal, self.beamline, self.session)

    @property
    def folder(self) -> DatasetFolder:
        """The dataset."""
        return self.experiment.dataset(self.sample, self.dataset)


@register
@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What a client has to know of a session.

    :param config: path of its configuration; empty for a session that was made without.
    """

    name: str
    data: str
    buffer: str
    config: str
    aliases: dict[str, str]
    setups: dict[str, dict[str, dict[str, Any]]]
    scripts: tuple[str, ...]
    devices: tuple[DeviceFacts, ...]


@register
@dataclass(frozen=True, slots=True)
class JobEnd:
    """How a job ended well.

    :param run: key of the run of a scan; empty for anything else.
    :param axes: those that moved meanwhile.
    """

    run: str
    axes: dict[str, AxisFacts]


@register
@dataclass(frozen=True, slots=True)
class JobFacts:
    """Something that runs.

    :param paused: why it waits; empty while it goes on.
    """

    number: int
    sort: str
    doing: str
    client: Client
    paused: str = ""


@register
@dataclass(frozen=True, slots=True)
class TraceLine:
    """What a device or a room did, for those who read along.

    :param time: UTC, s.
    :param name: the full name of its logger.
    :param clients: who asked for it, by number.
    """

    time: float
    name: str
    text: str
    clients: tuple[int, ...]


@register
@dataclass(frozen=True, slots=True)
class ConsoleLine:
    """Something that was said or done.

    :param time: UTC, s.
    :param level: ``command``, ``info``, ``warning`` or ``error``.
    :param name: who said it: a device, a room, a client.
    :param hint: what to do about it.
    """

    time: float
    level: str
    name: str
    text: str
    hint: str = ""


@register
@dataclass(frozen=True, slots=True)
class StripFacts:
    """The light, for the strip of a page.

    :param beam: counter of the ring's current, its value and unit; None when there is none that can be asked.
    :param shutters: ``open``, ``closed``, or why it is not known, by name.
    """

    beam: tuple[str, float, str] | None
    shutters: dict[str, str]


@register
@dataclass(frozen=True, slots=True)
class SessionStatus:
    """What a session does now.

    :param hosted: whether it lives by itself, in no shell or program.
    :param clients: who is attached.
    :param log: its log file; empty when it is a shell's own.
    """

    name: str
    pid: int
    user: str
    since: float
    devices: int
    failed: tuple[str, ...]
    jobs: tuple[JobFacts, ...]
    clients: tuple[Client, ...]
    current: DatasetFacts
    hosted: bool
    log: str = ""
    locks: tuple[Lock, ...] = field(default_factory=tuple)
