"""Things named in a configuration as ``module:function``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeVar

from firstlight import devices
from firstlight.model import FirstlightError, FrameSource, InvalidInput

_logger = logging.getLogger(__name__)
_T = TypeVar("_T")


def call(target: str, arguments: Mapping[str, Any]) -> Any:
    """Call ``module:function`` with keyword arguments.

    :raises InvalidInput: it cannot be found, or does not take these arguments.
    """
    module, colon, name = target.partition(":")
    if not colon:
        raise InvalidInput(f"{target!r} is not of the form module:function.")
    try:
        function = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InvalidInput(f"{target} cannot be imported: {error}.") from error
    return _guarded(target, lambda: function(**arguments))


def build_source(configuration: Mapping[str, Any]) -> FrameSource:
    """The frame source of a configuration.

    :param configuration: ``kind``, a kind that ``devices`` knows or ``module:function``, and what that takes.
    :raises InvalidInput: it cannot be built.
    """
    options = dict(configuration)
    kind = options.pop("kind", None)
    if not isinstance(kind, str):
        raise InvalidInput("The configuration of a camera needs its kind.", hint="For instance kind: sim.camera.")
    return _guarded(kind, lambda: devices.build_source(kind, options))


def _guarded(what: str, make: Callable[[], _T]) -> _T:
    try:
        return make()
    except FirstlightError:
        raise
    except Exception as error:
        _logger.exception("%s failed.", what)
        raise InvalidInput(f"{what} failed: {type(error).__name__}: {error}.") from error
