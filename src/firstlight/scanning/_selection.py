"""What measures in a scan: from names of devices, channels and groups to drivers, and what is computed from them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from firstlight.model import (
    ChannelRole,
    ChannelSpec,
    CounterDriver,
    Derivation,
    DerivedCounter,
    FirstlightError,
    InvalidInput,
    NotFound,
    nearest,
)
from firstlight.scanning._selected import Selected

if TYPE_CHECKING:
    from firstlight.scanning._devices import Camera, Devices


@dataclass(frozen=True)
class Derived:
    """A derived counter bound to its inputs.

    :param inputs: names of the channels that it is computed from.
    """

    name: str
    inputs: tuple[str, ...]
    derivation: Derivation
    counter: DerivedCounter


@dataclass(frozen=True)
class Selection:
    """What measures.

    :param counters: those of which only some channels are wanted give only these.
    :param published: of cameras of which only some channels are wanted, these.
    :param derived: each after those that it is computed from.
    :param followed: axes that do not move by the scan itself, but whose positions are wanted.
    """

    counters: list[CounterDriver]
    cameras: list[Camera]
    published: Mapping[str, frozenset[str]]
    derived: list[Derived]
    followed: tuple[str, ...]


def channels_of(device: Any) -> tuple[ChannelSpec, ...]:
    """What a counter or a camera gives in its next run; of a camera that does not tell, its frames.

    When and how frames were exposed is not among it: cameras publish that in any case.
    """
    told = getattr(device, "channels", None)
    if callable(told):
        return tuple(spec for spec in told() if spec.role not in (ChannelRole.TIME, ChannelRole.STATUS))
    if told is not None:
        return tuple(told)
    return (ChannelSpec(device.name, device.info.dtype, device.info.shape, device.info.unit, device.name),)


def select(devices: Devices, names: Sequence[str], axes: Collection[str] = ()) -> Selection:
    """What names stand for, in the order given, each once.

    :param names: of counters, cameras, axes, groups and channels (``cam:spot_sum``, ``mca:Fe_*``); one that begins with
        ``-`` takes channels out. Empty for the default group.
    :param axes: that the scan moves.
    :raises NotFound: with the nearest name.
    """
    return _Selector(devices, axes).select(names)


class _Selector:
    def __init__(self, devices: Devices, axes: Collection[str]) -> None:
        self._devices = devices
        self._axes = axes
        self._sources: dict[str, Any] = {**devices.counters, **devices.cameras, **devices.derived}
        self._specs: dict[str, dict[str, ChannelSpec]] = {}
        self._owners: dict[str, str] | None = None
        self._wanted: dict[str, set[str]] = {}
        self._followed: dict[str, None] = {}
        self._bound: dict[str, Derived] = {}

    def select(self, names: Sequence[str]) -> Selection:
        some = [name for name in names if not name.startswith("-")]
        entries = self._devices.spread([*(some or self._devices.default), *(set(names) - set(some))])
        for name, off in entries:
            if not name.startswith("-"):
                self._want(name, off)
        for name, _ in entries:
            if name.startswith("-"):
                self._without(name.removeprefix("-"))
        for name in [n for n in self._wanted if n in self._devices.derived]:
            self._derive(name, ())
        return self._selection()

    def _want(self, name: str, off: Collection[str]) -> None:
        if name in self._sources:
            self._add(name, (spec for spec in self._of(name) if spec not in off))
            return
        if name in self._devices.axes:
            self._follow(name)
            return
        matching = [(n, c) for n, c in self._all() if fnmatchcase(c, name) or fnmatchcase(n, name)]
        if not matching:
            raise self._unknown(name)
        for owner, channel in matching:
            if channel not in off:
                self._add(owner, [channel])

    def _without(self, pattern: str) -> None:
        """Take out what matches: whole devices by their name, channels by theirs."""
        pattern = self._devices.aliases.get(pattern, pattern)
        matching = [(n, c) for n, c in self._all() if fnmatchcase(c, pattern) or fnmatchcase(n, pattern)]
        if not matching:
            raise self._unknown(pattern)
        for owner, channel in matching:
            self._wanted.get(owner, set()).discard(channel)

    def _derive(self, name: str, within: tuple[str, ...]) -> None:
        """See that everything a derived counter needs is measured, and bind it."""
        if name in self._bound or not self._wanted.get(name, True):
            return
        if name in within:
            raise InvalidInput(f"{name} is computed from itself.", hint=f"By way of {', '.join(within)}.")
        counter = self._devices.derived[name]
        found: dict[str, ChannelSpec] = {}
        for wanted in counter.inputs:
            found[wanted] = self._input(name, wanted, (*within, name))
        self._bound[name] = Derived(
            name, tuple(found[wanted].name for wanted in counter.inputs), counter.derive(found), counter
        )

    def _input(self, name: str, wanted: str, within: tuple[str, ...]) -> ChannelSpec:
        wanted = self._devices.aliases.get(wanted, wanted)
        if wanted in self._devices.axes:
            if wanted not in self._axes:
                self._follow(wanted)
            axis = self._devices.axes[wanted]
            return ChannelSpec(wanted, unit=axis.unit, source=wanted, role=ChannelRole.AXIS)
        owner = self._owner(wanted)
        if owner is None:
            if wanted in self._sources:
                channels = self._of(wanted)
                if len(channels) != 1:
                    some = ", ".join(list(channels)[:8])
                    raise InvalidInput(f"{name}: {wanted} has several channels.", hint=f"Name one of them: {some}.")
                owner, wanted = wanted, next(iter(channels))
            else:
                raise self._unknown(wanted, f"{name} is computed from {wanted}, which does not exist.")
        self._add(owner, [wanted])
        if owner in self._devices.derived:
            self._derive(owner, within)
            channels = {spec.name: spec for spec in self._bound[owner].derivation.channels}
            return channels[wanted]
        return self._of(owner)[wanted]

    def _follow(self, name: str) -> None:
        if name not in self._axes:
            self._followed[name] = None

    def _add(self, owner: str, channels: Any) -> None:
        self._wanted.setdefault(owner, set()).update(channels)

    def _of(self, name: str) -> dict[str, ChannelSpec]:
        if name not in self._specs:
            self._specs[name] = {spec.name: spec for spec in channels_of(self._sources[name])}
        return self._specs[name]

    def _all(self) -> Iterator[tuple[str, str]]:
        return ((name, channel) for name in self._sources for channel in self._of(name))

    def _owner(self, channel: str) -> str | None:
        if self._owners is None:
            self._owners = {c: n for n, c in self._all()}
        return self._owners.get(channel)

    def _unknown(self, name: str, what: str = "") -> FirstlightError:
        if not what:
            self._devices.check_failed(name)
        known = {*self._sources, *self._devices.groups, *self._devices.axes, *(c for _, c in self._all())}
        if not what and not any(sign in name for sign in ":*?["):
            what = f"There is no counter, camera or group {name}."
            known = {*self._sources, *self._devices.groups}
        return NotFound(what or f"There is no channel {name}.", hint=nearest(name, known) or "None is configured.")

    def _selection(self) -> Selection:
        counters: list[CounterDriver] = []
        cameras: list[Camera] = []
        published: dict[str, frozenset[str]] = {}
        for name, wanted in self._wanted.items():
            if not wanted:
                continue
            everything = self._of(name).keys()
            if name in self._devices.counters:
                counter = self._devices.counters[name]
                counters.append(counter if wanted >= everything else Selected(counter, everything - wanted))
            elif name in self._devices.cameras:
                cameras.append(self._devices.cameras[name])
                if not wanted >= everything:
                    published[name] = frozenset(wanted)
        return Selection(counters, cameras, published, list(self._bound.values()), tuple(self._followed))
