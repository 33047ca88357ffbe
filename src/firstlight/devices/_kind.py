"""Kinds of devices that installed packages bring, found by their entry points."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from firstlight.devices._configuration import Configuration
from firstlight.model import FirstlightError, InvalidInput

GROUP = "firstlight.devices"
"""Of entry points: ``name of the kind = "module:KIND"``, where ``KIND`` is a :class:`Kind`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of device.

    :param builder: makes the device from its checked-to-be settings (its name among them) and the surroundings.
    :param configuration: the type of the settings; its text and those of its fields become documentation.
    :param source: it is a frame source, which a receiver process builds with None for the surroundings.
    """

    builder: Callable[..., Any]
    configuration: type[Configuration]
    source: bool = False


@dataclass(frozen=True, slots=True)
class PlugIn:
    """A kind that an installed package brings.

    :param name: of the kind.
    :param package: that brings it, with its version.
    :param target: ``module:object``.
    :param error: why it cannot be used, in one sentence; empty when nothing is known against it.
    """

    name: str
    package: str
    target: str
    error: str = ""

    def load(self) -> Kind:
        """Import it.

        :raises InvalidInput: when it cannot be imported, or is no :class:`Kind`; names the package.
        """
        module, _, attribute = self.target.partition(":")
        hint = f"Mend or remove {self.package}."
        if self.error:
            raise InvalidInput(self.error, hint=hint)
        try:
            from importlib import import_module

            found: object = import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
        except Exception as error:  # it may fail in any way, and must not take others with it
            reason = error.message if isinstance(error, FirstlightError) else f"{type(error).__name__}: {error}"
            raise InvalidInput(
                f"The kind {self.name} of {self.package} cannot be loaded: {' '.join(reason.split())}.", hint=hint
            ) from error
        if not isinstance(found, Kind):
            raise InvalidInput(
                f"The kind {self.name} of {self.package} cannot be used: {self.target} is no devices.Kind.", hint=hint
            )
        return found


def find(builtin: frozenset[str]) -> dict[str, PlugIn]:
    """The kinds of all installed packages, by name.

    :param builtin: names that are taken.
    """
    from importlib.metadata import entry_points

    found: dict[str, PlugIn] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        package = f"{point.dist.name} {point.dist.version}" if point.dist is not None else "an unknown package"
        plugin = PlugIn(point.name, package, point.value)
        if point.name in builtin:
            error = f"The kind {point.name} of {package} has a name that Firstlight itself uses."
            found[f"{point.name} ({package})"] = PlugIn(point.name, package, point.value, error)
        elif point.name in found and found[point.name] != plugin:
            error = f"The kind {point.name} comes from {found[point.name].package} and from {package}."
            found[point.name] = PlugIn(point.name, package, point.value, error)
        else:
            found[point.name] = plugin
    return found
