"""Calling a scan command with what somebody typed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from firstlight.model import InvalidInput, Scan
from firstlight.scanning._sequence import ScanSequence


def describe(function: Callable[..., Scan | ScanSequence], *arguments: Any, **keywords: Any) -> Scan | ScanSequence:
    """The scan that a command makes of arguments.

    :param function: the command, for instance :func:`ascan`.
    :raises InvalidInput: when an argument is missing, unknown, or wrong.
    """
    signature = inspect.signature(function)
    try:
        signature.bind(*arguments, **keywords)
    except TypeError as error:
        name = function.__name__
        raise InvalidInput(f"{name}: {error}.", hint=f"Write {name}({_outline(signature)}).") from None
    return function(*arguments, **keywords)


def _outline(signature: inspect.Signature) -> str:
    """``axis, start, stop, *counters, save=True``: what people look for in a signature, without types."""
    words = []
    for parameter in signature.parameters.values():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            words.append(f"*{parameter.name}")
        elif parameter.default is inspect.Parameter.empty:
            words.append(parameter.name)
        else:
            words.append(f"{parameter.name}={parameter.default!r}")
    return ", ".join(words)
