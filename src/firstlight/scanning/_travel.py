"""Moving axes through the gate, each waited for as long as its own speed makes it take."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from firstlight.devices import Axis
from firstlight.model import DeviceError, FirstlightError, InvalidInput
from firstlight.scanning._devices import Devices
from firstlight.scanning._gate import Gate, Motion, MotionKind
from firstlight.scanning._waits import Waits

Target: TypeAlias = float | str
"""A position, distance or speed: a number in the axis' unit, or a text with a unit."""


def proposed(
    devices: Devices, targets: Mapping[str, Target], relative: bool, velocity: float | None, origin: str
) -> list[Motion]:
    """Motions to user positions.

    :param relative: the targets are distances from where each axis was last sent.
    """
    motions = []
    for name, target in targets.items():
        axis = devices.axis(name)
        number = axis.number(target)
        motions.append(Motion(axis.name, setpoint_of(axis) + number if relative else number, velocity, origin))
    return motions


def jogging(devices: Devices, name: str, velocity: Target, origin: str) -> Motion:
    """A motion until it is stopped."""
    axis = devices.axis(name)
    speed = axis.number(velocity, "/s")
    return Motion(axis.name, axis.jog_limit(speed), speed, origin, MotionKind.JOG)


def searching(devices: Devices, name: str, kind: MotionKind, direction: int, origin: str) -> Motion:
    """A motion until a switch is found.

    :raises InvalidInput: when the direction is none.
    """
    name = devices.axis(name).name
    if direction not in (1, -1):
        raise InvalidInput(f"{name}: a direction is 1 or -1, not {direction!r}.")
    return Motion(name, direction * math.inf, None, origin, kind)


def setpoint_of(axis: Axis) -> float:
    """User position that it was last sent to; whatever the driver raises gets the axis' name."""
    try:
        return axis.setpoint
    except FirstlightError:
        raise
    except Exception as error:
        text = str(error).strip().rstrip(".")
        raise DeviceError(axis.name, f"does not tell its position: {type(error).__name__}: {text}.") from error


async def travel(gate: Gate, waits: Waits, motion: Motion) -> None:
    """Carry out one motion."""
    axis = gate.devices.axis(motion.axis)
    if motion.kind is not MotionKind.MOVE:
        # How long the search of a switch takes is not known, and a jog lasts until somebody stops it.
        await waits.answer(motion.axis, motion.words, lambda: gate.move(motion), math.inf)
        return
    doing = f"to move to {motion.target:.6g} {axis.unit}"
    try:
        extra = axis.travel_time(motion.target, motion.velocity, motion.side)
    except FirstlightError:
        raise
    except Exception as error:
        raise waits.named(error, motion.axis, "to tell its position") from error
    await waits.answer(motion.axis, doing, lambda: gate.move(motion), extra)


async def travel_all(gate: Gate, waits: Waits, motions: Sequence[Motion]) -> None:
    """Carry out motions at once; calculated axes are resolved to what really moves.

    :raises FirstlightError: before anything moves, when one of them must not be.
    """
    if any(gate.devices.axis(motion.axis).calculation is not None for motion in motions):
        motions = gate.admit(motions)
    await waits.together(*(travel(gate, waits, motion) for motion in motions))
