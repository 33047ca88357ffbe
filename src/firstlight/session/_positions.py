"""Where axes are, told when it changes: at every step of what moves, and now and then of what seems at rest."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping

from firstlight.devices import Axis
from firstlight.model import FirstlightError
from firstlight.scanning import Engine
from firstlight.session._facts import AxisFacts

_log = logging.getLogger(__name__)

MOVING = 0.004
"""Seconds between two looks at axes that move."""
REST = 0.5
"""Seconds between two looks at all of them: hardware may move by itself."""


class Positions:
    """Watches the axes of an engine.

    :param tell: called with the axes that changed, in a thread of its own.
    :param wanted: whether anybody wants to know; hardware is not asked for nobody.
    """

    def __init__(
        self, engine: Engine, tell: Callable[[Mapping[str, AxisFacts]], None], wanted: Callable[[], bool]
    ) -> None:
        self._wanted = wanted
        self._engine = engine
        self._tell = tell
        self._known: dict[str, AxisFacts] = {}
        self._lock = threading.Lock()
        self._changed: set[str] = set()
        self._moving: set[str] = set()
        self._wake = threading.Event()
        self._over = False
        self._serial = 0
        self._reporting = threading.Lock()
        engine.gate.listeners.append(self._passes)
        self._thread = threading.Thread(target=self._watch, name="positions", daemon=True)
        self._thread.start()

    @property
    def serial(self) -> int:
        """Of what was read last."""
        return self._serial

    def all(self) -> dict[str, AxisFacts]:
        """Every axis now."""
        return {name: self._read(axis) for name, axis in self._engine.devices.axes.items()}

    def now(self, name: str) -> AxisFacts:
        """One axis now.

        :raises NotFound: when there is none of that name.
        """
        return self._read(self._engine.devices.axis(name))

    def since(self, serial: int) -> dict[str, AxisFacts]:
        """Axes that have changed since that number, as they are now; what still waits to be told is told first."""
        with self._lock:
            names, self._changed = set(self._changed), set()
        self._report(names)
        return {name: facts for name, facts in tuple(self._known.items()) if facts.serial > serial}

    def look(self, name: str) -> None:
        """Something of this axis has changed."""
        with self._lock:
            self._changed.add(name)
        self._wake.set()

    def close(self) -> None:
        """Watch no more; idempotent."""
        self._over = True
        if self._passes in self._engine.gate.listeners:
            self._engine.gate.listeners.remove(self._passes)
        self._wake.set()
        self._thread.join(5.0)

    def _passes(self, name: str, moving: bool) -> None:
        with self._lock:
            (self._moving.add if moving else self._moving.discard)(name)
            self._changed.add(name)
        self._wake.set()

    def _watch(self) -> None:
        while not self._over:
            with self._lock:
                moving = set(self._moving) if self._wanted() else set()
            rang = self._wake.wait(MOVING if moving else REST)
            self._wake.clear()
            if not self._wanted():
                continue
            with self._lock:
                names, self._changed = self._changed | self._moving, set()
            try:
                self._report(names if rang or moving else set(self._engine.devices.axes))
            except Exception:  # noqa: BLE001 - the next look may succeed
                _log.exception("positions could not be told")

    def _report(self, names: set[str]) -> None:
        axes = self._engine.devices.axes
        with self._reporting:
            fresh = {name: self._read(axes[name]) for name in names | self._with_them(names) if name in axes}
            changed = {name: facts for name, facts in fresh.items() if self._known.get(name) != facts}
            self._known |= changed
        if changed:
            self._tell(changed)

    def _read(self, axis: Axis) -> AxisFacts:
        # The number first: what is read later has a higher one, whoever reads.
        with self._lock:
            self._serial += 1
            serial = self._serial
        return facts_of(axis, serial)

    def _with_them(self, names: set[str]) -> set[str]:
        """Axes that are calculated from these, or from which these are calculated."""
        found: set[str] = set()
        for name, axis in self._engine.devices.axes.items():
            if axis.calculation is not None:
                reals = set(axis.calculation.reals)
                if name in names:
                    found |= reals
                elif reals & names:
                    found.add(name)
        return found


def facts_of(axis: Axis, serial: int = 0) -> AxisFacts:
    """An axis now; one that does not answer says why."""
    try:
        return AxisFacts(
            axis.unit,
            axis.position,
            axis.dial,
            axis.moving,
            axis.limits,
            axis.velocity,
            axis.acceleration,
            axis.offset,
            axis.sign,
            serial=serial,
        )
    except FirstlightError as error:
        return AxisFacts(axis.unit, math.nan, math.nan, error=error.message, serial=serial)
    except Exception as error:  # noqa: BLE001 - whatever its driver raises
        return AxisFacts(
            axis.unit, math.nan, math.nan, error=f"{axis.name}: {type(error).__name__}: {error}.", serial=serial
        )
