"""What every axis can be configured with, whatever its driver."""

from __future__ import annotations

import math
from typing import Annotated, Any, get_origin

from pydantic import Field, ValidationInfo, field_validator

from firstlight.devices._axis import Axis
from firstlight.devices._configuration import Configuration, Reference
from firstlight.devices._surroundings import Surroundings
from firstlight.model import AxisDriver, Encoder, InvalidInput, MotionHook, convert

_PER = {"velocity": "/s", "maximum_velocity": "/s", "acceleration": "/s**2"}
_PLAIN = frozenset({"name", "unit", "sign", "hooks"})


class AnyAxisConfiguration(Configuration):
    """Base of the configurations of axes. Texts with a unit are converted to that of the axis."""

    name: Annotated[str, Field(min_length=1)]
    unit: str = ""
    """Unit of positions."""
    sign: int = 1
    """1 or -1: user = sign × dial + offset."""
    offset: float = 0.0
    """User position at dial zero."""
    limits: tuple[float, float] = (-math.inf, math.inf)
    """Low and high limit, dial; can be changed by hand."""
    backlash: float = 0.0
    """Distance over which the last part of every motion is travelled in the direction of its sign, dial; 0 for none."""
    tolerance: float | None = Field(default=None, gt=0)
    """Largest distance between encoder and controller after a move; nothing is compared when not given."""
    hooks: tuple[Reference, ...] = ()
    """Names of what is called around every motion."""

    @field_validator("*", mode="before")
    @classmethod
    def _in_unit(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        if name in _PLAIN or name not in cls.positions():
            return value
        base = info.data.get("unit", "")
        target = f"{base or '1'}{_PER[name]}" if name in _PER else base
        if isinstance(value, (list, tuple)):
            return tuple(convert(v, target) if isinstance(v, str) else v for v in value)
        # A text where several numbers belong is no wrong quantity; pydantic says what is wanted.
        several = get_origin(cls.model_fields[name].annotation) is tuple
        return convert(value, target) if isinstance(value, str) and not several else value

    @classmethod
    def positions(cls) -> frozenset[str]:
        """Settings that are in the unit of the axis, or per second of it."""
        return frozenset({"offset", "limits", "backlash", "tolerance"})


def make_axis(
    driver: AxisDriver,
    c: AnyAxisConfiguration,
    surroundings: Surroundings,
    *,
    maximum_velocity: float | None = None,
    encoder: Encoder | None = None,
) -> Axis:
    """The axis of a driver, as it is configured.

    :raises InvalidInput: when the settings do not fit.
    """
    if c.tolerance is not None and encoder is None:
        raise InvalidInput(f"{c.name}: a tolerance needs an encoder, and it has none.")
    return Axis(
        driver,
        sign=c.sign,
        offset=c.offset,
        limits=c.limits,
        backlash=c.backlash,
        maximum_velocity=maximum_velocity,
        encoder=encoder,
        tolerance=c.tolerance,
        hooks=[hook_of(name, c.name, surroundings) for name in c.hooks],
    )


def hook_of(name: str, axis: str, surroundings: Surroundings) -> MotionHook:
    """A hook of the session by name.

    :raises InvalidInput: when that is something else.
    """
    found = surroundings.device(name)
    if not isinstance(found, MotionHook):
        raise InvalidInput(
            f"{axis}: hooks: {name} is no hook.", hint="A hook has a name, and the methods before and after."
        )
    return found
