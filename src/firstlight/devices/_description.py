"""The words in which an axis describes itself."""

from __future__ import annotations

import math
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
    """All that is set and read of an axis, a line each."""
    unit = axis.unit
    rows: list[tuple[str, str]] = [("state", str(axis.state))]
    position, dial = (_read(lambda: axis.position), _read(lambda: axis.dial))
    rows.append(("position", f"{position} {unit} (dial {dial} {unit})"))
    rows.append(("offset, sign", f"{axis.offset:.6g} {unit}, {'+' if axis.sign > 0 else '-'}"))
    (low, high), (dial_low, dial_high) = axis.limits, axis.dial_limits
    rows.append(("limits", f"{low:.6g} to {high:.6g} {unit} (dial {dial_low:.6g} to {dial_high:.6g} {unit})"))
    if math.isfinite(axis.velocity):
        most = f", at most {axis.maximum_velocity:.6g} {unit}/s" if axis.maximum_velocity != axis.velocity else ""
        rows.append(("velocity", f"{axis.velocity:.6g} {unit}/s{most}"))
    if math.isfinite(axis.acceleration):
        rows.append(
            ("acceleration", f"{axis.acceleration:.6g} {unit}/s², {axis.acceleration_time:.4g} s to full speed")
        )
    size = axis.backlash
    way = f"{abs(size):.6g} {unit}, last travelled {'upwards' if size > 0 else 'downwards'}" if size else "none"
    rows.append(("backlash", way))
    if axis.encoder is not None:
        tolerance = f", tolerance {axis.tolerance:.6g} {unit}" if axis.tolerance is not None else ", not compared"
        rows.append(("encoder", f"{axis.encoder.name} reads {_read(lambda: axis.measured)} {unit}{tolerance}"))
    else:
        rows.append(("encoder", "none"))
    rows.append(("hooks", ", ".join(hook.name for hook in axis.hooks) or "none"))
    can = [word for protocol, word in _ABILITIES if isinstance(axis.driver, protocol)]
    rows.append(("driver", f"{type(axis.driver).__name__}{': ' if can else ''}{', '.join(can)}"))
    rows += axis.details()
    width = max(len(name) for name, _ in rows)
    return "\n".join([f"axis {axis.name}", *(f"  {name:<{width}}  {text.rstrip()}" for name, text in rows)])


def _read(function: object) -> str:
    """A position as text; what does not answer is a question mark, and the state says why."""
    try:
        return f"{function():.6g}"  # type: ignore[operator]
    except Exception:  # noqa: BLE001 - whatever a driver raises
        return "?"
