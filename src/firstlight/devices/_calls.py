"""Calling drivers that are ``async def`` and drivers that block, in the same way."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any


def is_blocking(driver: object) -> bool:
    """Whether the driver declares that its waiting methods are plain functions."""
    return bool(getattr(driver, "blocking", False))


async def call(driver: object, method: Callable[..., Any], *arguments: Any) -> Any:
    """Call a method of a driver and wait for its end: in a thread when the driver blocks, else in the loop."""
    if is_blocking(driver):
        return await asyncio.to_thread(method, *arguments)
    result = method(*arguments)
    return await result if inspect.isawaitable(result) else result


async def call_stoppable(
    driver: object, method: Callable[..., Any], *arguments: Any, stop: Callable[[], Awaitable[Any]]
) -> Any:
    """As :func:`call`, for a method that another one ends.

    A thread cannot be cancelled: when this call is, ``stop`` runs and the thread is waited for, so that the device is
    at rest when the cancellation propagates, as it is with a driver that is ``async``.
    """
    if not is_blocking(driver):
        return await call(driver, method, *arguments)
    thread = asyncio.ensure_future(asyncio.to_thread(method, *arguments))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        await stop()
        await asyncio.wait([thread])
        if not thread.cancelled():
            thread.exception()  # retrieved: the caller gets the cancellation
        raise
