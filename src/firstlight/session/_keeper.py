"""What a session keeps beyond its end, apart from its configuration: written at every change, read at the start."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

from firstlight.devices import Axis
from firstlight.model import FirstlightError
from firstlight.scanning import MeasurementGroups
from firstlight.session._current import Current
from firstlight.session._setups import HasParameters, Values, put_back
from firstlight.storage import SettingsStore

_log = logging.getLogger(__name__)


@runtime_checkable
class Keeps(Protocol):
    """A device with settings that are changed at run time: regions, a sampling mode."""

    name: str
    changed: list[Callable[[Any], None]]

    def settings(self) -> dict[str, Any]:
        """What was changed since it was built."""

    def restore(self, settings: Mapping[str, Any]) -> list[str]:
        """Set it again; a sentence for what cannot be."""


class Keeper:
    """Keeps the settings of axes for the beamline, and groups and the current dataset for the session.

    :param session: its name.
    """

    def __init__(self, store: SettingsStore, session: str) -> None:
        self.store = store
        self._axes = store.section("axes")
        self._others = store.section("devices")
        self._session = store.section(f"session {session}")
        self._reading = False
        self._setups: list[Any] = []

    def adopt(self, axes: Iterable[Axis]) -> None:
        """Give axes the settings that they had, and keep their changes from now on."""
        for axis in axes:
            for complaint in axis.restore(self._axes.get(axis.name, {})):
                _log.warning("%s", complaint)
            axis.changed.append(self._changed)

    def adopt_others(self, devices: Iterable[Any]) -> None:
        """The same for counters and cameras, as far as they have settings."""
        for device in devices:
            try:
                if not isinstance(device, Keeps):
                    continue
                complaints = device.restore(self._others.get(device.name, {}))
                device.changed.append(self._other_changed)
            except FirstlightError:
                continue  # it could not be made, which is told elsewhere
            for complaint in complaints:
                _log.warning("%s", complaint)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Groups change without being kept: they are being read."""
        self._reading = True
        try:
            yield
        finally:
            self._reading = False

    def keep_groups(self, groups: MeasurementGroups) -> None:
        """Keep the state of the groups."""
        if not self._reading:
            self._write(self._session, "groups", groups.state)

    def begin_setup(self, before: Values) -> Callable[[], None]:
        """Remember what to set back should the session die within a setup; call the result when it was set back."""
        kept = json.loads(json.dumps(before, default=str))
        self._setups.append(kept)
        self._write(self._session, "setups", self._setups)

        def ended() -> None:
            if kept in self._setups:
                self._setups.remove(kept)
            self._write(self._session, "setups", self._setups)

        return ended

    def undo_setups(self, session: HasParameters) -> None:
        """Set back what a session that died within a setup had set."""
        left = self._session.get("setups", [])
        for before in reversed(left):
            try:
                put_back(session, before)
            except FirstlightError as error:
                _log.warning("A setup in which the last session died cannot be set back: %s", error)
        if left:
            self._write(self._session, "setups", [])

    def restore_groups(self, groups: MeasurementGroups) -> None:
        """Groups as they were, as far as their members still exist."""
        for complaint in groups.restore(self._session.get("groups", {})):
            _log.warning("%s", complaint)

    def keep_current(self, current: Current) -> None:
        """Keep where data go."""
        self._write(self._session, "current", current.state)

    def restore_current(self, current: Current) -> None:
        """Go on where data went before."""
        state = self._session.get("current")
        if not state:
            return
        try:
            current.restore(state)
        except (FirstlightError, KeyError, TypeError) as error:
            _log.warning("Where data went before cannot be found again: %s", error)

    def _changed(self, axis: Axis) -> None:
        self._write(self._axes, axis.name, axis.settings())

    def _other_changed(self, device: Any) -> None:
        self._write(self._others, device.name, device.settings())

    def _write(self, section: Any, key: str, value: Any) -> None:
        try:
            section[key] = value
        except FirstlightError as error:
            # The change itself holds; only its memory is lost.
            _log.error("%s", error)
