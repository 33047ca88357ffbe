"""A configuration as it may be shown: what was written, where it came from, and no secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from firstlight.configuration._beamline import Beamline, DeviceEntry, Origin
from firstlight.configuration._compare import checked
from firstlight.devices import configuration


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a device.

    :param key: ``detector.gain``.
    :param value: as it was written, references and variables included; the default where it was not written.
    :param origin: where it was written; None for a default.
    :param meaning: what the kind says about it.
    """

    key: str
    value: Any
    origin: Origin | None
    meaning: str = ""


def settings(entry: DeviceEntry) -> tuple[Setting, ...]:
    """All settings of a device, those that were written first."""
    kind = configuration(entry.kind)
    meanings = {field.alias or name: field.description or "" for name, field in kind.model_fields.items()}
    written = [
        Setting(key, _at(entry.shown, key.split(".")), origin, meanings.get(key.split(".")[0], ""))
        for key, origin in entry.origins.items()
    ]
    complete = kind.model_validate(checked(kind, entry)).model_dump(mode="json", by_alias=True)
    defaults = [
        Setting(key, value, None, meanings.get(key, ""))
        for key, value in complete.items()
        if key not in entry.settings and key != "name"
    ]
    return (*written, *defaults)


def shown(beamline: Beamline) -> dict[str, Any]:
    """A whole beamline as plain values; inherited settings are in the devices that take them."""
    devices = [
        {"name": entry.name, "kind": entry.kind, **entry.shown, "where": str(entry.where), "needs": entry.references}
        for entry in beamline.devices.values()
    ]
    return {**beamline.shown, "devices": devices, "files": [str(file) for file in beamline.files]}


def _at(values: Any, keys: list[str]) -> Any:
    # A key may hold dots of its own, so the longest that fits is tried first.
    for size in range(len(keys), 0, -1):
        key = ".".join(keys[:size])
        if isinstance(values, dict) and key in values:
            return _at(values[key], keys[size:])
    return values
