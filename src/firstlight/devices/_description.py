"""The words in which an axis describes itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from firstlight.model import Enables, Homes, Jogs, SearchesLimits, SetsDial

if TYPE_CHECKING:
    from firstlight.devices._axis import Axis

_ABILITIES = (
    (Jogs, "jog"),
    (Homes, "home"),
    (SearchesLimits, "search_limit"),
    (SetsDial, "set_dial"),
    (Enables, "enable and disable"),
)


def describe(axis: Axis) -> str:
    """All that is set and read of an axis, a line each; a question mark where it does not answer."""
    unit = axis.unit
    rows: list[tuple[str, Callable[[], str]]] = [("state", lambda: str(axis.state))]
    if axis.calculation is None:
        rows += [
            ("position", lambda: f"{_read(lambda: axis.position)} {unit} (dial {_read(lambda: axis.dial)} {unit})"),
            ("offset, sign", lambda: f"{axis.offset:.6g} {unit}, {'+' if axis.sign > 0 else '-'}"),
            ("limits", lambda: f"{_range(axis.limits)} {unit} (dial {_range(axis.dial_limits)} {unit})"),
            *_speeds(axis),
            ("backlash", lambda: _backlash(axis)),
            ("encoder", lambda: _encoder(axis)),
        ]
    else:
        rows += [
            ("position", lambda: f"{_read(lambda: axis.position)} {unit}"),
            ("limits", lambda: f"{_range(axis.limits)} {unit}"),
            *_speeds(axis),
        ]
    rows.append(("hooks", lambda: ", ".join(hook.name for hook in axis.hooks) or "none"))
    if axis.calculation is None:
        rows.append(("driver", lambda: _driver(axis)))
    rows += axis.details()
    width = max(len(name) for name, _ in rows)
    return "\n".join([f"axis {axis.name}", *(f"  {name:<{width}}  {_text(told).rstrip()}" for name, told in rows)])


def _speeds(axis: Axis) -> list[tuple[str, Callable[[], str]]]:
    """Speed and acceleration, for an axis that has them."""
    try:
        velocity, acceleration = axis.velocity, axis.acceleration
    except Exception:  # noqa: BLE001 - whatever a driver raises
        return [("velocity", lambda: "?")]
    rows: list[tuple[str, Callable[[], str]]] = []
    if math.isfinite(velocity):
        most = f", at most {axis.maximum_velocity:.6g} {axis.unit}/s" if axis.maximum_velocity != velocity else ""
        rows.append(("velocity", lambda: f"{velocity:.6g} {axis.unit}/s{most}"))
    if math.isfinite(acceleration):
        ramp = f"{velocity / acceleration:.4g} s to full speed"
        rows.append(("acceleration", lambda: f"{acceleration:.6g} {axis.unit}/s², {ramp}"))
    return rows


def _backlash(axis: Axis) -> str:
    size = axis.backlash
    way = "upwards" if size > 0 else "downwards"
    return f"{abs(size):.6g} {axis.unit}, last travelled {way}" if size else "none"


def _encoder(axis: Axis) -> str:
    if axis.encoder is None:
        return "none"
    tolerance = f"tolerance {axis.tolerance:.6g} {axis.unit}" if axis.tolerance is not None else "not compared"
    return f"{axis.encoder.name} reads {_read(lambda: axis.measured)} {axis.unit}, {tolerance}"


def _driver(axis: Axis) -> str:
    can = [word for protocol, word in _ABILITIES if isinstance(axis.driver, protocol)]
    return f"{type(axis.driver).__name__}{': ' if can else ''}{', '.join(can)}"


def _range(limits: tuple[float, float]) -> str:
    return f"{limits[0]:.6g} to {limits[1]:.6g}"


def _read(function: Callable[[], float]) -> str:
    return _text(lambda: f"{function():.6g}")


def _text(function: Callable[[], str]) -> str:
    try:
        return function()
    except Exception:  # noqa: BLE001 - whatever a driver raises
        return "?"
