"""Calling what is to be done around a motion."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from firstlight.devices._calls import call
from firstlight.model import DeviceError, FirstlightError, MotionHook

_log = logging.getLogger(__name__)


@asynccontextmanager
async def around(hooks: Sequence[MotionHook], axis: str, target: float) -> AsyncIterator[None]:
    """Call ``before`` of all hooks, then, however the body ends, ``after`` of those begun, in the opposite order.

    :param target: user position; infinite when the motion has none.
    :raises DeviceError: when a hook fails; a hook that fails after a motion that failed is only logged.
    """
    begun: list[MotionHook] = []
    try:
        for hook in hooks:
            begun.append(hook)
            await _call(hook, axis, "before", hook.before, axis, target)
        yield
    except BaseException:
        for hook in reversed(begun):
            try:
                await _call(hook, axis, "after", hook.after, axis)
            except Exception as error:  # noqa: BLE001 - what made the motion fail matters more
                _log.warning("after a failed motion: %s", error)
        raise
    failure: FirstlightError | None = None
    for hook in reversed(begun):
        try:
            await _call(hook, axis, "after", hook.after, axis)
        except FirstlightError as error:
            failure = failure or error
    if failure is not None:
        raise failure


async def _call(hook: MotionHook, axis: str, when: str, method: Callable[..., Any], *arguments: Any) -> None:
    try:
        await call(hook, method, *arguments)
    except FirstlightError:
        raise
    except Exception as error:
        text = str(error).strip().rstrip(".")
        raise DeviceError(
            axis, f"its hook {hook.name} failed {when} the motion: {type(error).__name__}{': ' if text else ''}{text}."
        ) from error
