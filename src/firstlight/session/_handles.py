"""Devices as a session offers them: what waits blocks, and passes the engine, which knows who uses what."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from firstlight.devices import Assembly, Axis
from firstlight.model import Shutter
from firstlight.scanning import Engine, Job
from firstlight.session._failed import Failed
from firstlight.session._late import LateCamera


class Handle:
    """A device of a session. What it can do is what the device can do; see :attr:`device`.

    Methods of the device that wait block here, refuse when somebody else uses it, and Ctrl-C stops them. Settings
    change only while nobody else uses it.
    """

    _own = frozenset({"_engine", "device", "name"})

    def __init__(self, engine: Engine, device: Any) -> None:
        self._engine = engine
        self.device = device
        """The device itself."""
        self.name: str = device.name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = getattr(self.device, name)
        return self._blocking(name, value) if inspect.iscoroutinefunction(value) else value

    def __setattr__(self, name: str, value: Any) -> None:
        if name in type(self)._own:
            object.__setattr__(self, name, value)
        elif not hasattr(self.device, name):
            raise AttributeError(f"{self.name} has no setting {name}.")
        else:
            self._engine.change([self.name], lambda: setattr(self.device, name, value))

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(word for word in dir(self.device) if not word.startswith("_"))})

    def __repr__(self) -> str:
        return repr(self.device)

    def __info__(self) -> str:
        """What the device tells of itself."""
        told: str = self.device.__info__() if hasattr(self.device, "__info__") else repr(self.device)
        return told

    def _blocking(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **keywords: Any) -> Any:
            words = ", ".join([*map(repr, arguments), *(f"{key}={value!r}" for key, value in keywords.items())])
            doing = f"{self.name}.{name}({words})"
            return self._engine.operate([self.name], doing, lambda: method(*arguments, **keywords))

        call.__name__ = name
        call.__doc__ = method.__doc__
        return call


class AxisHandle(Handle):
    """An axis of a session."""

    def move(
        self,
        target: float | str,
        velocity: float | None = None,
        *,
        relative: bool = False,
        wait: bool = True,
        queue: bool = False,
    ) -> Job[None] | None:
        """Go to a user position, and return at rest.

        :param velocity: of this move (unit/s); None for the axis' own.
        :param relative: the target is a distance.
        :param wait: return when it is at rest; otherwise at once, with the job.
        :param queue: wait for an axis that something else uses, in place of being refused.
        """
        options: Any = {"relative": relative, "velocity": velocity, "queue": queue}
        if wait:
            self._engine.move({self.name: target}, **options)
            return None
        return self._engine.launch_move({self.name: target}, **options)

    def jog(self, velocity: float | str, *, queue: bool = False) -> Job[None]:
        """Run at a signed speed, and return at once; :meth:`stop` ends it, or its limit."""
        return self._engine.jog(self.name, velocity, queue=queue)

    def home(self, direction: int = 1, *, queue: bool = False) -> None:
        """Search the home switch, and return at rest; see :meth:`firstlight.devices.Axis.home`."""
        self._engine.home(self.name, direction, queue=queue)

    def search_limit(self, direction: int, *, queue: bool = False) -> None:
        """Move onto a limit switch, and return at rest; see :meth:`firstlight.devices.Axis.search_limit`."""
        self._engine.search_limit(self.name, direction, queue=queue)

    def stop(self) -> None:
        """End whatever moves the axis, and return at rest."""
        self._engine.stop([self.name])

    def set_position(self, user: float | str) -> None:
        """Call the present position ``user``; see :meth:`firstlight.devices.Axis.set_position`."""
        self._engine.change([self.name], lambda: self.device.set_position(user))

    def reset(self) -> None:
        """Forget what was set by hand; see :meth:`firstlight.devices.Axis.reset`."""
        self._engine.change([self.name], lambda: self.device.reset())


class AssemblyHandle(Handle):
    """A device of a session that brings several axes: ``slits.gap``."""

    _own = frozenset({*Handle._own, "axes"})

    def __init__(self, engine: Engine, device: Any) -> None:
        super().__init__(engine, device)
        self.axes = {part: AxisHandle(engine, axis) for part, axis in device.axes.items()}
        """Part to axis."""

    def __getattr__(self, name: str) -> Any:
        axes = self.__dict__.get("axes", {})
        return axes[name] if name in axes else super().__getattr__(name)


class Handles:
    """What a session offers for its devices; the same object for the same device."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._made: dict[str, tuple[Any, Any]] = {}
        self._of: tuple[Mapping[str, Any], dict[str, Any]] = ({}, {})

    def of(self, devices: Mapping[str, Any]) -> dict[str, Any]:
        """By name: the device itself where nothing of it waits, else its handle; those that others bring, too."""
        if self._of[0] is devices:
            return self._of[1]
        found: dict[str, Any] = {}
        for name, device in devices.items():
            made = found[name] = self._one(name, device)
            if isinstance(made, AssemblyHandle):
                found |= {axis.name: axis for axis in made.axes.values()}
        self._of = (devices, found)
        return found

    def _one(self, name: str, device: Any) -> Any:
        known = self._made.get(name)
        if known is None or known[0] is not device:
            known = self._made[name] = (device, handle(self._engine, device))
        return known[1]


def handle(engine: Engine, device: Any) -> Any:
    """What a session offers for a device."""
    if isinstance(device, Failed | LateCamera):
        return device
    if isinstance(device, Assembly) and not isinstance(device, Axis):
        return AssemblyHandle(engine, device)
    if isinstance(device, Axis):
        return AxisHandle(engine, device)
    if isinstance(device, Shutter):
        return Handle(engine, device)
    return device
