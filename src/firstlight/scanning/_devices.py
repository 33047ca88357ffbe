"""The devices that scans name, found by name and told apart by what they can do."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

from firstlight.devices import Assembly, Axis
from firstlight.model import (
    CameraInfo,
    CounterDriver,
    DerivedCounter,
    DeviceError,
    FirstlightError,
    InvalidInput,
    MotionHook,
    NotFound,
    Shutter,
    Trigger,
    TriggerPlan,
    Truthful,
)
from firstlight.scanning._selection import channels_of, select

_SORTS = ("axes", "counters", "derived", "cameras", "shutters", "triggers")


@runtime_checkable
class Camera(Protocol):
    """A camera as the engine sees it: ``detectors.Camera``, or a twin in a test."""

    name: str
    info: CameraInfo

    @property
    def error(self) -> FirstlightError | None:
        """What ended its part of the present run early, for instance the death of its process."""

    async def prepare(
        self, run_key: str, plan: TriggerPlan, slots: int = 0, *, only: Collection[str] | None = None
    ) -> Any:
        """Join the run and get ready; publishes the channels ``name``, ``name:start``, ``name:stop``.

        :param only: of its channels, those that are published besides when and how frames were exposed; None for all.
        """

    async def start(self, moment: float) -> None:
        """Time: the first exposure starts at ``moment``. Position: arm. Software: nothing yet."""

    async def trigger(self) -> None:
        """Software: expose the next frame now."""

    async def stop(self) -> Any:
        """End the acquisition and seal the channels; idempotent."""


AnyDevice: TypeAlias = (
    Axis | Assembly | CounterDriver | DerivedCounter | Camera | MotionHook | Shutter | Trigger | Truthful
)


@dataclass(frozen=True)
class Devices:
    """What an engine works with; composed by the session.

    :param axes: by name; the same for the others.
    :param derived: counters that are computed from others.
    :param others: what no scan uses by name, but whose truth is stored with every run: the optics of a simulation.
    :param groups: name of a group to names of counters, cameras and groups.
    :param default: what measures when a scan names no counters.
    :param off: name of a group to names of channels that are switched off in it.
    :param failed: devices that could not be made, and why.
    :param aliases: other names of axes, counters and cameras.
    :param timeouts: seconds without an answer after which a device counts as dead, for those that differ.
    :param timeout: the same for all others; time that the device needs by its own settings (a long motion, an exposure)
        comes on top.
    """

    axes: Mapping[str, Axis] = field(default_factory=dict)
    counters: Mapping[str, CounterDriver] = field(default_factory=dict)
    derived: Mapping[str, DerivedCounter] = field(default_factory=dict)
    cameras: Mapping[str, Camera] = field(default_factory=dict)
    shutters: Mapping[str, Shutter] = field(default_factory=dict)
    triggers: Mapping[str, Trigger] = field(default_factory=dict)
    others: Mapping[str, Truthful] = field(default_factory=dict)
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    default: Sequence[str] = ()
    timeouts: Mapping[str, float] = field(default_factory=dict)
    timeout: float = 10.0
    off: Mapping[str, Collection[str]] = field(default_factory=dict)
    failed: Mapping[str, FirstlightError] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        devices: Iterable[AnyDevice],
        *,
        groups: Mapping[str, Sequence[str]] | None = None,
        default: Sequence[str] = (),
        timeouts: Mapping[str, float] | None = None,
        timeout: float = 10.0,
    ) -> Devices:
        """Sort devices by what they are.

        :raises InvalidInput: when one is of no known sort, or a name is used twice.
        """
        kinds: dict[str, dict[str, Any]] = {k: {} for k in (*_SORTS, "others")}
        seen: set[str] = set()
        for device in _spread(devices):
            kind = _kind(device)
            if device.name in seen:
                raise InvalidInput(f"Two devices are called {device.name}.", hint="Give each its own name.")
            seen.add(device.name)
            kinds[kind][device.name] = device
        clash = seen & set(groups or {})
        if clash:
            raise InvalidInput(f"{min(clash)} is the name of a device and of a group.", hint="Rename one of them.")
        return cls(
            **kinds, groups=dict(groups or {}), default=tuple(default), timeouts=dict(timeouts or {}), timeout=timeout
        )

    def axis(self, name: str) -> Axis:
        """One axis.

        :raises NotFound: with the nearest name.
        """
        name = self.aliases.get(name, name)
        try:
            return self.axes[name]
        except KeyError:
            self.check_failed(name)
            known = [*self.axes, *(alias for alias, of in self.aliases.items() if of in self.axes)]
            raise NotFound(f"There is no axis {name}.", hint=nearest(name, known)) from None

    def measuring(self, names: Sequence[str]) -> tuple[list[CounterDriver], list[Camera]]:
        """The counters and cameras that names and groups stand for, each once, in the order given.

        :param names: empty for the default group.
        """
        selection = select(self, names)
        return selection.counters, selection.cameras

    def channels(self, names: Sequence[str]) -> tuple[str, ...]:
        """Names of the channels that names and groups stand for, whether switched on or off.

        :raises NotFound: with the nearest name.
        """
        found: dict[str, None] = {}
        sources = {**self.counters, **self.derived, **self.cameras}
        for name, _ in self.spread(names):
            if name in sources:
                found |= dict.fromkeys(spec.name for spec in channels_of(sources[name]))
            else:
                selection = select(self, [name])
                for counter in selection.counters:
                    found |= dict.fromkeys(spec.name for spec in counter.channels)
                for camera in selection.cameras:
                    published = selection.published.get(camera.name)
                    some = [spec.name for spec in channels_of(camera)]
                    found |= dict.fromkeys(n for n in some if published is None or n in published)
        return tuple(found)

    def knows(self, name: str) -> bool:
        """Whether a device has this name or alias, one that failed too."""
        sorts = (
            self.axes,
            self.counters,
            self.derived,
            self.cameras,
            self.shutters,
            self.triggers,
            self.failed,
            self.aliases,
        )
        return any(name in sort for sort in sorts)

    def allowed(self, name: str) -> float:
        """Seconds without an answer after which the device counts as dead."""
        return self.timeouts.get(name, self.timeout)

    def spread(
        self, names: Sequence[str], within: tuple[str, ...] = (), off: frozenset[str] = frozenset()
    ) -> list[tuple[str, frozenset[str]]]:
        """What names stand for with groups and aliases resolved, and what is switched off in the groups of each."""
        spread: list[tuple[str, frozenset[str]]] = []
        for given in names:
            name = self.aliases.get(given, given)
            if name in within:
                raise InvalidInput(f"The group {name} contains itself.", hint="Take it out of its own members.")
            if name in self.groups:
                inner = off | frozenset(self.off.get(name, ()))
                spread += self.spread(self.groups[name], (*within, name), inner)
            else:
                spread.append((name, off))
        return spread

    def check_failed(self, name: str) -> None:
        """Refuse a device that could not be made.

        :raises DeviceError: with the reason.
        """
        if name in self.failed:
            why = self.failed[name]
            reason = why.message.removeprefix(f"{name}: ")
            raise DeviceError(name, f"is not available: {reason}", hint=f"{why.hint} Then: retry({name!r}).".lstrip())


def _spread(devices: Iterable[AnyDevice]) -> Iterator[AnyDevice]:
    """The devices, and the axes of those that bring some."""
    for device in devices:
        yield device
        if isinstance(device, Assembly) and not isinstance(device, Axis):
            yield from device.axes.values()


def _kind(device: AnyDevice) -> str:
    if isinstance(device, Axis):
        return "axes"
    if isinstance(device, CounterDriver):
        return "counters"
    if isinstance(device, DerivedCounter):
        return "derived"
    if isinstance(device, Shutter):
        return "shutters"
    if isinstance(device, Camera):
        return "cameras"
    if isinstance(device, Trigger):
        return "triggers"
    if isinstance(device, (Assembly, MotionHook, Truthful)):
        return "others"
    raise InvalidInput(f"{device!r} is no axis, counter, camera, shutter or trigger.")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint: the name that was probably meant, or what there is."""
    words = sorted(known)
    close = difflib.get_close_matches(name, words, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"There are: {', '.join(words)}." if words else "None is configured."
