"""What devices are asked to do, for who wants to read along: one logger a device, silent unless it is switched on."""

from __future__ import annotations

import logging
from collections.abc import Iterable

PREFIX = "firstlight.devices"


def logger_of(device: str) -> logging.Logger:
    """The logger of one device: ``firstlight.devices.rot``."""
    return logging.getLogger(f"{PREFIX}.{device}")


def heard(devices: Iterable[str]) -> dict[str, logging.Logger]:
    """Loggers of the devices that somebody reads along with; asked once a run, so that points cost nothing."""
    return {name: log for name in devices if (log := logger_of(name)).isEnabledFor(logging.DEBUG)}
