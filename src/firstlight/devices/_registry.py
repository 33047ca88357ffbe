"""From plain JSON configuration to devices."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any, get_type_hints

from firstlight.devices._axis import Axis
from firstlight.devices._calculated import Assembly
from firstlight.devices._configuration import Configuration
from firstlight.devices._kind import PlugIn, find
from firstlight.devices._surroundings import Surroundings
from firstlight.model import (
    CounterDriver,
    DerivedCounter,
    FrameSource,
    InvalidInput,
    MotionHook,
    NotFound,
    Shutter,
    Trigger,
    Truthful,
)

Device = Axis | Assembly | CounterDriver | DerivedCounter | MotionHook | Shutter | Trigger | Truthful

DEVICES: dict[str, tuple[str, str]] = {
    "sim.axis": ("firstlight.devices.sim._build:axis", "firstlight.devices.sim._build:AxisConfiguration"),
    "sim.shutter": ("firstlight.devices.sim._build:shutter", "firstlight.devices.sim._build:ShutterConfiguration"),
    "sim.ring": ("firstlight.devices.sim._build:ring", "firstlight.devices.sim._build:RingConfiguration"),
    "sim.beamline": ("firstlight.devices.sim._in_beam:beamline", "firstlight.devices.sim._chain:BeamlineConfiguration"),
    "sim.ion_chamber": (
        "firstlight.devices.sim._in_beam:ion_chamber",
        "firstlight.devices.sim._in_beam:IonChamberConfiguration",
    ),
    "sim.photodiode": (
        "firstlight.devices.sim._in_beam:photodiode",
        "firstlight.devices.sim._in_beam:PhotoDiodeConfiguration",
    ),
    "sim.faults": ("firstlight.devices.sim._panel:faults", "firstlight.devices.sim._panel:FaultsConfiguration"),
    "sim.diode": ("firstlight.devices.sim._build:diode", "firstlight.devices.sim._build:DiodeConfiguration"),
    "sim.point_detector": (
        "firstlight.devices.sim._samples:point_detector",
        "firstlight.devices.sim._samples:PointDetectorConfiguration",
    ),
    "sim.mca": ("firstlight.devices.sim._samples:mca", "firstlight.devices.sim._samples:McaConfiguration"),
    "sim.trigger": ("firstlight.devices.sim._build:trigger", "firstlight.devices.sim._build:TriggerConfiguration"),
    "calc.counter": (
        "firstlight.devices._computed:calculated_counter",
        "firstlight.devices._computed:CalculatedCounterConfiguration",
    ),
    "calc.slits": ("firstlight.devices.calc._build:slits", "firstlight.devices.calc._build:SlitsConfiguration"),
    "calc.table": ("firstlight.devices.calc._build:table", "firstlight.devices.calc._build:TableConfiguration"),
    "calc.monochromator": (
        "firstlight.devices.calc._build:monochromator",
        "firstlight.devices.calc._build:MonochromatorConfiguration",
    ),
    "calc.hkl": (
        "firstlight.devices.calc._hkl_configuration:hkl",
        "firstlight.devices.calc._hkl_configuration:HklConfiguration",
    ),
    "calc.expression": (
        "firstlight.devices.calc._build:expression",
        "firstlight.devices.calc._build:ExpressionConfiguration",
    ),
    "hook.attribute": (
        "firstlight.devices._attribute_hook:attribute_hook",
        "firstlight.devices._attribute_hook:AttributeHookConfiguration",
    ),
    "soft.axis": (
        "firstlight.devices._soft_axis:build_soft_axis",
        "firstlight.devices._soft_axis:SoftAxisConfiguration",
    ),
    "soft.counter": (
        "firstlight.devices._attribute:soft_counter",
        "firstlight.devices._attribute:SoftCounterConfiguration",
    ),
}
"""Kinds of devices that live in the session: their builder and the type of their configuration."""

SOURCES: dict[str, tuple[str, str]] = {
    "sim.camera": ("firstlight.devices.sim._build:camera", "firstlight.devices.sim._build:CameraConfiguration"),
    "sim.area_detector": (
        "firstlight.devices.sim._scene:area_detector",
        "firstlight.devices.sim._scene:AreaDetectorConfiguration",
    ),
    "replay": ("firstlight.devices.replay:camera", "firstlight.devices.replay:ReplayConfiguration"),
}
"""Kinds of frame sources, which live in a receiver process."""


def build(config: Mapping[str, Any], surroundings: Surroundings | None = None) -> Device:
    """The device of a configuration: ``kind`` and what that takes.

    :param config: JSON values; numbers may be texts with a unit.
    :param surroundings: shared by the devices of one session; None for a device alone.
    :raises InvalidInput: when the kind is missing or unknown, or a setting is wrong.
    """
    name, options = _split(config)
    device: Device = _builder(name, source=False)(options, surroundings or Surroundings())
    return device


def build_source(kind: str, config: Mapping[str, Any], surroundings: Surroundings | None = None) -> FrameSource:
    """The frame source of a configuration.

    :param kind: a kind of :data:`SOURCES` or of a plug-in, or ``module:function`` of a function that takes the
        configuration's keys and returns a source.
    :param surroundings: of this process, for tests; None finds the session's devices in the buffer.
    :raises InvalidInput: when the kind is unknown, or a setting is wrong.
    """
    if ":" in kind:
        source: FrameSource = _resolve(kind)(**config)
        return source
    built: FrameSource = _builder(kind, source=True)(config, surroundings)
    return built


def is_source(kind: str) -> bool:
    """Whether a kind is a frame source, which a receiver process builds, rather than a device of the session."""
    if kind in SOURCES or ":" in kind:
        return True
    if kind in DEVICES or kind not in plugins():
        return False
    try:
        return plugins()[kind].load().source
    except InvalidInput:
        return False


def configuration(kind: str) -> type[Configuration]:
    """The type of a kind's configuration, for schemas and forms.

    :raises NotFound: for an unknown kind.
    :raises InvalidInput: for one whose plug-in cannot be loaded.
    """
    target = DEVICES.get(kind) or SOURCES.get(kind)
    if target is None:
        if kind not in plugins():
            raise NotFound(f"There is no kind of device {kind!r}.", hint=_nearest(kind, kinds()))
        return plugins()[kind].load().configuration
    found = _resolve(target[1])
    assert isinstance(found, type)
    assert issubclass(found, Configuration)
    return found


def makes(kind: str) -> type | None:
    """The class of the devices of a kind, as its builder is declared; None when that does not tell."""
    try:
        found = get_type_hints(_builder(kind, source=is_source(kind))).get("return")
    except Exception:  # noqa: BLE001 - builders of other people may be declared in any way
        return None
    return found if isinstance(found, type) and found is not object else None


def kinds() -> tuple[str, ...]:
    """All kinds of devices: those of Firstlight, then those of installed packages, loadable or not."""
    return (*DEVICES, *SOURCES, *(name for name, plugin in plugins().items() if name == plugin.name))


@cache
def plugins() -> Mapping[str, PlugIn]:
    """What installed packages bring, by the name of the kind; looked for once in a process."""
    return find(frozenset((*DEVICES, *SOURCES)))


def _builder(kind: str, *, source: bool) -> Callable[..., Any]:
    registry = SOURCES if source else DEVICES
    if kind in registry:
        return _resolve(registry[kind][0])
    if kind in plugins() and (found := plugins()[kind].load()).source == source:
        return found.builder
    raise InvalidInput(f"There is no kind of device {kind!r}.", hint=_nearest(kind, (*registry, *plugins())))


def _split(config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    options = dict(config)
    kind = options.pop("kind", None)
    if not isinstance(kind, str):
        raise InvalidInput("The configuration of a device needs its kind.", hint="For instance kind: sim.axis.")
    return kind, options


def _nearest(kind: str, known: Iterable[str]) -> str:
    words = list(known)
    close = difflib.get_close_matches(kind, words, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known: {', '.join(words)}."


def _resolve(target: str) -> Callable[..., Any]:
    module, _, name = target.partition(":")
    try:
        found: Callable[..., Any] = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InvalidInput(f"{target!r} cannot be loaded: {error}.") from error
    return found
