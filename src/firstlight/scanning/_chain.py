"""The acquisition chain: who triggers whom, as a tree for people, and as flat lists of calls for the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from firstlight.model import ScanKind, TriggerMode, TriggerPlan
from firstlight.scanning._devices import Camera, Devices
from firstlight.scanning._plan import Plan

_WORDS = {TriggerMode.SOFTWARE: "asked by the engine", TriggerMode.TIME: "in time", TriggerMode.POSITION: "by position"}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of one device in a phase.

    :param doing: what it is asked, for errors: ``to prepare``.
    :param blocking: the driver says that its methods block: they run in a thread.
    """

    device: str
    doing: str
    function: Callable[..., Any]
    blocking: bool = False
    extra: float = 0.0


@dataclass
class Node:
    """One master or slave of the tree."""

    name: str
    what: str
    children: list[Node] = field(default_factory=list)

    def lines(self, indent: str = "", branch: str = "") -> Iterator[str]:
        """The subtree as text, a line each."""
        yield f"{indent}{branch}{self.name}  {self.what}" if self.what else f"{indent}{branch}{self.name}"
        inner = indent + {"": "", "├─ ": "│  ", "└─ ": "   "}[branch]
        for child in self.children:
            yield from child.lines(inner, "└─ " if child is self.children[-1] else "├─ ")


@dataclass(frozen=True)
class Chain:
    """The tree of one run, and its phases in the order in which they are called.

    :param prepare: once, all slaves and the pulse device learn the plan.
    :param start: with the moment: once a run when devices trigger themselves, once a point otherwise. Slaves come
        before what triggers them.
    :param read: once a point, software only: what gives the values of the point.
    :param drain: again and again, time and position: what gives the blocks acquired since.
    :param stop: once, masters first.
    """

    root: Node
    prepare: Sequence[Call]
    start: Sequence[Call]
    read: Sequence[Call]
    drain: Sequence[Call]
    stop: Sequence[Call]

    def __str__(self) -> str:
        return "\n".join(self.root.lines())

    @property
    def info(self) -> dict[str, Any]:
        """The tree as JSON values, stored with the run."""

        def node(n: Node) -> dict[str, Any]:
            return {"name": n.name, "what": n.what, "children": [node(c) for c in n.children]}

        return node(self.root)


def build(plan: Plan, devices: Devices, run_key: str = "") -> Chain:
    """Put every device of a plan in its place.

    :param run_key: the run that cameras join; empty for a chain that is only looked at.
    """
    trigger = plan.trigger(devices)
    software = trigger.mode is TriggerMode.SOFTWARE
    exposure = plan.scan.count_time
    prepare: list[Call] = []
    start: list[Call] = []
    read: list[Call] = []
    drain: list[Call] = []
    stop: list[Call] = []
    leaves: list[Node] = []
    if plan.pulse is not None:
        pulse = plan.pulse
        stop.append(Call(pulse.name, "to stop", pulse.stop, _blocks(pulse)))
    for counter in plan.counters:
        name, blocks = counter.name, _blocks(counter)
        prepare.append(Call(name, "to prepare", _with(counter.prepare, trigger), blocks))
        start.append(Call(name, "to start", counter.start, blocks))
        read.append(Call(name, "to read", counter.read, blocks))
        drain.append(Call(name, "for its data", counter.collect, blocks))
        stop.append(Call(name, "to stop", counter.stop, blocks))
        leaves.append(Node(name, f"counter: {', '.join(_channel(c.name, c.shape, c.unit) for c in counter.channels)}"))
    for camera in plan.cameras:
        published = plan.selection.published.get(camera.name)
        joining = _joining(camera, run_key, trigger, published)
        prepare.append(Call(camera.name, "to prepare", joining, extra=_comeback(camera)))
        start.append(Call(camera.name, "to start", _exposing(camera) if software else camera.start))
        stop.append(Call(camera.name, "to stop", camera.stop, False, exposure))
        height, width = camera.info.shape
        only = "" if published is None else f", only {', '.join(sorted(published))}"
        leaves.append(Node(camera.name, f"camera: {height} × {width} {camera.info.dtype}{only}"))
    for derived in plan.derived:
        what = ", ".join(_channel(c.name, c.shape, c.unit) for c in derived.derivation.channels)
        leaves.append(Node(derived.name, f"computed from {', '.join(derived.inputs)}: {what}"))
    if plan.pulse is not None:
        prepare.append(Call(plan.pulse.name, "to prepare", _with(plan.pulse.prepare, trigger), _blocks(plan.pulse)))
        start.append(Call(plan.pulse.name, "to start", plan.pulse.start, _blocks(plan.pulse)))
    return Chain(_tree(plan, devices, trigger, leaves), prepare, start, read, drain, stop)


def _tree(plan: Plan, devices: Devices, trigger: TriggerPlan, leaves: list[Node]) -> Node:
    scan = plan.scan
    how = _WORDS[trigger.mode]
    points = "points until it is stopped" if plan.points is None else f"{plan.points} points"
    timing = f"{points} of {scan.count_time:g} s"
    if plan.period is not None and plan.period > scan.count_time:
        timing += f", one every {plan.period:.6g} s"
    if plan.pulse is not None:
        source = Node(plan.pulse.name, f"pulses {how}: {timing}", leaves)
    else:
        source = Node("timer" if trigger.mode is not TriggerMode.POSITION else "compare", f"{how}: {timing}", leaves)
    node = source
    if plan.sweep is not None:
        s, unit = plan.sweep, devices.axis(plan.sweep.axis).unit
        moves = f"moves from {s.first:g} to {s.last:g} {unit} at {s.velocity:.6g} {unit}/s"
        node = Node(s.axis, f"axis: {moves}, run-up from {s.departure:.6g}, run-down to {s.arrival:.6g}", [source])
    elif scan.kind is ScanKind.STEP:
        sizes = plan.shape if len(plan.shape) == len(plan.axes) else (plan.points or 0,) * len(plan.axes)
        for name, size in zip(reversed(plan.axes), reversed(sizes), strict=True):
            p, unit = plan.positions[name], devices.axis(name).unit
            stops = f"{size} stops between {p.min():g} and {p.max():g} {unit}"
            node = Node(name, f"axis: {stops}", [node])
    return Node(scan.title, "", [node])


def _channel(name: str, shape: tuple[int, ...], unit: str) -> str:
    size = " × ".join(map(str, shape))
    return " ".join(part for part in (name, f"[{size}]" if size else "", f"({unit})" if unit else "") if part)


def _blocks(driver: object) -> bool:
    return bool(getattr(driver, "blocking", False))


def _comeback(camera: Camera) -> float:
    """Seconds that a camera whose process died needs to be there again, on top of its time to answer."""
    return float(getattr(camera, "comeback", 0.0))


def _with(function: Callable[[TriggerPlan], Any], plan: TriggerPlan) -> Callable[[], Any]:
    return lambda: function(plan)


def _joining(camera: Camera, run_key: str, plan: TriggerPlan, published: frozenset[str] | None) -> Callable[[], Any]:
    if published is None:
        return lambda: camera.prepare(run_key, plan)
    return lambda: camera.prepare(run_key, plan, only=published)


def _exposing(camera: Camera) -> Callable[[float], Any]:
    return lambda moment: camera.trigger()
