"""What differs between two states of a configuration, so that a reload touches only that."""

from __future__ import annotations

from dataclasses import dataclass

from firstlight.configuration._beamline import Beamline, DeviceEntry
from firstlight.configuration._order import needed
from firstlight.devices import configuration

SECTIONS = (
    "name", "groups", "default", "aliases", "setups", "scripts", "sessions", "storage", "roots", "icat", "suspend",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs.

    :param added: names of devices that are new, in the order of the files; the same for the others.
    :param changed: of another kind, or with other settings; a number in another unit is the same.
    :param affected: the same, but they need a device that was added, removed or changed.
    :param sections: names of the other parts of a ``Beamline`` that differ.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    affected: tuple[str, ...]
    sections: tuple[str, ...]

    def __bool__(self) -> bool:
        return any((self.added, self.removed, self.changed, self.sections))


def compare(old: Beamline, new: Beamline) -> Difference:
    """What must be done to go from one state to the other."""
    added = tuple(name for name in new.devices if name not in old.devices)
    removed = tuple(name for name in old.devices if name not in new.devices)
    both = [name for name in new.devices if name in old.devices]
    changed = tuple(name for name in both if not _same(old.devices[name], new.devices[name]))
    references = {name: entry.references for name, entry in new.devices.items()}
    touched = {*added, *removed, *changed}
    affected = tuple(
        name for name in both if name not in touched and needed((name,), references) & touched
    )  # fmt: skip
    return Difference(
        added, removed, changed, affected, tuple(part for part in SECTIONS if getattr(old, part) != getattr(new, part))
    )


def _same(old: DeviceEntry, new: DeviceEntry) -> bool:
    if old.kind != new.kind or set(old.references) != set(new.references):
        return False
    if old.settings == new.settings:
        return True
    kind = configuration(new.kind)
    return kind.model_validate(checked(kind, old)) == kind.model_validate(checked(kind, new))


def checked(kind: type, entry: DeviceEntry) -> dict[str, object]:
    """What a kind's type is given: the settings, and the name when it has one."""
    named = {"name": entry.name} if "name" in getattr(kind, "model_fields", {}) else {}
    return {**named, **entry.settings}
