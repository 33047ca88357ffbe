"""What a client sees of the devices, groups and jobs of a session in another process."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

from firstlight.model import DeviceError, FirstlightError
from firstlight.scanning import MeasurementGroup, MeasurementGroups, interruptible, uninterrupted
from firstlight.session._facts import AxisFacts, DatasetFacts, DeviceFacts, GroupsFacts, JobEnd
from firstlight.session._failed import Failed
from firstlight.session._link import Link
from firstlight.storage import DatasetFolder, Experiment


class RemoteJob:
    """A command under way in the session."""

    def __init__(self, link: Link, number: int) -> None:
        self._link = link
        self.number = number

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return bool(self._link.call("done", job=self.number))

    def abort(self) -> bool:
        """Stop it, cleanly; call it again to make haste."""
        return bool(self._link.call("abort_job", job=self.number))

    def result(self, timeout: float | None = None) -> Any:
        """The key of the run of a scan, when it has ended and is in its file.

        :raises FirstlightError: why it ended early.
        """
        end: JobEnd = self._link.call("result", math.inf if timeout is None else timeout, job=self.number)
        self._link.learn(end.axes)
        return end.run or None


def conclude(start: Callable[[], RemoteJob]) -> Any:
    """The result of a job that is started here; each Ctrl-C stops it, none leaves before it has ended."""

    def abort(job: RemoteJob) -> None:
        # When the session is gone meanwhile, the main thread is told.
        with suppress(FirstlightError):
            job.abort()

    return uninterrupted(start, lambda job: job.result(), abort)


class RemoteDevice:
    """A device: its public attributes are asked for, and set, in the session; its methods run there."""

    _own = frozenset({"_link", "name", "kind", "sort"})

    def __init__(self, link: Link, facts: DeviceFacts) -> None:
        self._link = link
        self.name = facts.name
        self.kind = facts.kind
        self.sort = facts.sort

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            value = self._link.call("get", device=self.name, name=name)
        except FirstlightError as error:
            if isinstance(error, AttributeError) or "has no attribute" in error.message:
                raise AttributeError(f"{self.name} has no attribute {name}.") from None
            raise
        if isinstance(value, Mapping) and set(value) == {"method"}:
            return self._method(name, value["method"])
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if name in type(self)._own:
            object.__setattr__(self, name, value)
        else:
            self._link.call("set", device=self.name, name=name, value=value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._link.call("members", device=self.name)})

    def __repr__(self) -> str:
        return str(self._link.call("show", device=self.name))

    def _method(self, name: str, doc: str) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            with interruptible(lambda: self._link.call("abort_mine")):
                return self._link.call(
                    "call", math.inf, device=self.name, name=name, arguments=list(arguments), keywords=keywords
                )

        call.__name__ = name
        call.__doc__ = doc
        return call


class RemoteAxis(RemoteDevice):
    """An axis; what it is now is known here, pushed by the session.

    :param look: gives that.
    """

    _own = frozenset({*RemoteDevice._own, "_look"})

    def __init__(self, link: Link, facts: DeviceFacts, look: Callable[[str], AxisFacts]) -> None:
        super().__init__(link, facts)
        self._look = look

    def move(
        self,
        target: float | str,
        velocity: float | None = None,
        *,
        relative: bool = False,
        wait: bool = True,
        queue: bool = False,
    ) -> RemoteJob | None:
        """Go to a user position, and return at rest.

        :param velocity: of this move (unit/s); None for the axis' own.
        :param relative: the target is a distance.
        :param wait: return when it is at rest; otherwise at once, with the job.
        :param queue: wait for an axis that something else uses, in place of being refused.
        """
        options: dict[str, Any] = {"relative": relative, "velocity": velocity, "queue": queue}

        def start() -> RemoteJob:
            number = self._link.call("launch_move", math.inf, targets={self.name: target}, **options)
            return RemoteJob(self._link, number)

        if not wait:
            return start()
        conclude(start)
        return None

    def jog(self, velocity: float | str, *, queue: bool = False) -> RemoteJob:
        """Run at a signed speed, and return at once; :meth:`stop` ends it, or its limit."""
        number = self._link.call("launch_jog", math.inf, axis=self.name, velocity=velocity, queue=queue)
        return RemoteJob(self._link, number)

    def stop(self) -> None:
        """End whatever moves the axis, and return at rest."""
        self._link.call("stop", math.inf, axes=[self.name])
        self._link.look_again(self.name)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name not in type(self)._own:
            self._link.look_again(self.name)

    def _method(self, name: str, doc: str) -> Callable[..., Any]:
        method = super()._method(name, doc)

        def call(*arguments: Any, **keywords: Any) -> Any:
            try:
                return method(*arguments, **keywords)
            finally:
                with suppress(FirstlightError):
                    self._link.look_again(self.name)

        call.__name__, call.__doc__ = name, doc
        return call

    def __repr__(self) -> str:
        facts = self._look(self.name)
        if facts.error:
            return f"<Axis {self.name}: {facts.error}>"
        low, high = facts.limits
        return f"<Axis {self.name} at {facts.position:g} {facts.unit}, limits {low:g} to {high:g}>"

    def _fact(self, name: str) -> Any:
        facts = self._look(self.name)
        if facts.error and name != "unit":
            raise DeviceError(self.name, facts.error.removeprefix(f"{self.name}: "))
        return getattr(facts, name)


def _fact(name: str, doc: str) -> property:
    def get(axis: RemoteAxis) -> Any:
        return axis._fact(name)

    return property(get, doc=doc)


for _name, _doc in {
    "unit": "Unit of positions.",
    "position": "User position now.",
    "dial": "Dial position now.",
    "moving": "Whether it moves now.",
    "limits": "(low, high) in user units; assign to change them.",
    "velocity": "Cruise speed, unit/s; assign to change it.",
    "acceleration": "unit/s²; assign to change it.",
    "offset": "User position at dial zero.",
    "sign": "1 or -1.",
}.items():
    setattr(RemoteAxis, _name, _fact(_name, _doc))


class RemoteAssembly(RemoteDevice):
    """A device that brings several axes: ``slits.gap``."""

    _own = frozenset({*RemoteDevice._own, "axes"})

    def __init__(self, link: Link, facts: DeviceFacts, axes: Mapping[str, Any]) -> None:
        super().__init__(link, facts)
        self.axes = dict(axes)

    def __getattr__(self, name: str) -> Any:
        axes = self.__dict__.get("axes", {})
        return axes[name] if name in axes else super().__getattr__(name)


class Proxies:
    """Makes what a client sees of each device; the same object as long as the device is the same."""

    def __init__(self, link: Link, look: Callable[[str], AxisFacts]) -> None:
        self._link = link
        self._look = look
        self._made: dict[str, tuple[DeviceFacts, Any]] = {}
        self._of: tuple[tuple[DeviceFacts, ...], dict[str, Any]] = ((), {})

    def of(self, devices: tuple[DeviceFacts, ...]) -> dict[str, Any]:
        """By name."""
        if self._of[0] is not devices:
            self._of = (devices, {facts.name: self._one(facts) for facts in devices})
        return self._of[1]

    def _one(self, facts: DeviceFacts) -> Any:
        made = self._made.get(facts.name)
        if made is None or made[0] != facts:
            made = self._made[facts.name] = (facts, self._new(facts))
        return made[1]

    def _new(self, facts: DeviceFacts) -> Any:
        if facts.sort == "failed":
            return Failed(facts.name, facts.kind, FirstlightError(facts.error, hint=facts.hint))
        if facts.sort == "axes":
            return RemoteAxis(self._link, facts, self._look)
        if facts.parts:
            axes = {part: self._one(DeviceFacts(f"{facts.name}.{part}", "axes")) for part in facts.parts}
            return RemoteAssembly(self._link, facts, axes)
        return RemoteDevice(self._link, facts)


class RemoteGroup(MeasurementGroup):
    """A measurement group of the session."""

    def __init__(
        self, name: str, members: Collection[str], channels: Collection[str], off: Collection[str], groups: RemoteGroups
    ) -> None:
        super().__init__(name, tuple(members), groups)
        self.off = frozenset(off)
        self._channels = tuple(channels)

    @property
    def channels(self) -> tuple[str, ...]:
        """All channels of its members; a camera counts as one."""
        return self._channels


class RemoteGroups(MeasurementGroups):
    """The measurement groups of the session: looked at here, changed there."""

    def __init__(self, link: Link, look: Callable[[], GroupsFacts]) -> None:
        super().__init__(lambda: _nothing())
        self._link = link
        self._facts = look

    @property
    def active_name(self) -> str:
        """Name of the active group; empty when there is none."""
        return self._facts().active

    @property
    def active(self) -> MeasurementGroup | None:
        """What measures when a scan names nothing; assign a group or its name."""
        self._refresh()
        return self._groups.get(self._active)

    @active.setter
    def active(self, group: MeasurementGroup | str) -> None:
        self._link.call("activate_group", name=group if isinstance(group, str) else group.name)

    def add(self, name: str, *members: Any) -> MeasurementGroup:
        """Make a group, or give one other members; the first becomes the active one."""
        self._link.call("add_group", name=name, members=[str(getattr(m, "name", m)) for m in members])
        return self[name]

    def remove(self, name: str) -> None:
        """Forget a group."""
        self._link.call("remove_group", name=name)

    def switch(self, group: MeasurementGroup, off: frozenset[str]) -> None:
        """Choose the channels of a group that are off."""
        group.off = off
        self._link.call("switch_group", name=group.name, off=sorted(off))

    def __getitem__(self, name: str) -> MeasurementGroup:
        self._refresh()
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        return name in self._facts().groups

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts().groups)

    def __len__(self) -> int:
        return len(self._facts().groups)

    def __repr__(self) -> str:
        self._refresh()
        return super().__repr__()

    def _refresh(self) -> None:
        facts = self._facts()
        self._active = facts.active
        self._groups = {
            name: RemoteGroup(name, group.members, group.channels, group.off, self)
            for name, group in facts.groups.items()
        }


def _nothing() -> Any:
    raise NotImplementedError


class RemoteCurrent:
    """Where data go, in the session."""

    def __init__(self, link: Link) -> None:
        self._link = link

    @property
    def facts(self) -> DatasetFacts:
        """All of it."""
        facts: DatasetFacts = self._link.call("current")
        return facts

    @property
    def experiment(self) -> Experiment:
        """The session of the proposal."""
        return self.facts.experiment

    @property
    def sample(self) -> str:
        """Name of the sample."""
        return self.facts.sample

    @property
    def description(self) -> str:
        """Of the sample."""
        return self.facts.description

    @property
    def dataset(self) -> DatasetFolder:
        """The current dataset; begins one when there is none."""
        facts: DatasetFacts = self._link.call("current", begin=True)
        return facts.folder

    def newproposal(self, name: str = "") -> None:
        """Go to a proposal; its sample and dataset are chosen anew."""
        self._link.call("go", to="newproposal", name=name)

    def newsample(self, name: str, description: str = "") -> None:
        """Go to a sample of the current proposal."""
        self._link.call("go", to="newsample", name=name, description=description)

    def newdataset(self, name: str = "") -> None:
        """Go to a new dataset of the current sample; a name that is taken gets a number."""
        self._link.call("go", math.inf, to="newdataset", name=name)

    def enddataset(self) -> None:
        """End the current dataset; the next run starts another one."""
        self._link.call("go", math.inf, to="enddataset")

    def endproposal(self) -> None:
        """End the dataset, and go back to the beamline's own proposal of this month."""
        self._link.call("go", math.inf, to="endproposal")

    def __repr__(self) -> str:
        facts = self.facts
        return f"<proposal {facts.proposal}, sample {facts.sample}, dataset {facts.dataset or '(none yet)'}>"
