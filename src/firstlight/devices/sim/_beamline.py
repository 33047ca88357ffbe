"""The beam of a simulated beamline, as any detector in any process sees it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.devices.sim._chain import BeamlineConfiguration
from firstlight.devices.sim._exposure import open_spans
from firstlight.devices.sim._published import Board, MemoryBoard
from firstlight.model import Clock, DeviceError, NotFound, RealClock, convert
from firstlight.model.motion import Segments, positions
from firstlight.simulation import CHANGER, BeamState, History, Machine, Optics, Ring, Shadow, bare

Array = NDArray[np.float64]

NODES = 8
"""Moments at which the beam is looked at within an exposure during which something moves."""

DESCRIPTION = "optics"
"""Part of a beamline that is published: its configuration."""

CURRENT = "current"
"""Part of a ring that is published: rows (moment, current, lifetime, interval, phase)."""

MACHINE = "machine"
"""Part of a ring that is published: what it does beside its current."""

_SCALES = {("urad", "mrad"): 1e-3, ("µrad", "mrad"): 1e-3, ("um", "mm"): 1e-3, ("µm", "mm"): 1e-3}


@dataclass(frozen=True, slots=True)
class Exposures:
    """What n exposures see: the beam at m moments, each standing for some of the time of one exposure.

    :param beam: at m moments, with the mean current of the time that each stands for, exactly.
    :param seconds: time that each moment stands for, (m,); closed shutters are no time.
    :param owner: the exposure that each belongs to, (m,).
    :param count: n.
    """

    beam: BeamState
    seconds: Array
    owner: NDArray[np.intp]
    count: int

    def sums(self, rates: Array) -> Array:
        """Time integrals over the exposures, (n,).

        :param rates: per second at each moment, (m,).
        """
        sums = np.bincount(self.owner, weights=rates * self.seconds, minlength=self.count)
        return sums.astype(np.float64)


@dataclass(frozen=True, slots=True)
class Stage:
    """How the stage of a sample stands when its axes are at 0.

    :param offset: (x, height) of the rotation axis, mm.
    :param roll: how far it leans across the beam, degrees.
    :param changer: axis of the changer that holds the sample; empty for one that is always there.
    :param slot: position of the changer at which the sample is in the beam.
    """

    offset: tuple[float, float] = (0.0, 0.0)
    roll: float = 0.0
    changer: str = ""
    slot: float = 0.0


class Beam:
    """The beam of one beamline, read from a board; what is published later is found at its first use.

    :param name: of the ``sim.beamline``.
    :param board: of this process.
    """

    def __init__(self, name: str, board: Board) -> None:
        self.name = name
        self.board = board
        self._lock = threading.Lock()
        self._read: tuple[BeamlineConfiguration, Optics, Machine] | None = None
        self._versions = (0, 0)
        self._scales: dict[str, float] = {}
        self._last: dict[str | float, tuple[Array, BeamState]] = {}
        self._paths: dict[str | float, tuple[list[str], list[str]]] = {}

    @property
    def configuration(self) -> BeamlineConfiguration:
        """How the beamline is described.

        :raises NotFound: when no such beamline is published.
        """
        return self._resolved()[0]

    @property
    def optics(self) -> Optics:
        """The physics."""
        return self._resolved()[1]

    def stage(self, name: str) -> Stage:
        """The stage of a sample that is an element of the beamline.

        :raises NotFound: when there is none of that name.
        """
        configuration, optics, _ = self._resolved()
        shadow = bare(optics.element(name))
        if not isinstance(shadow, Shadow):
            raise NotFound(f"{name} is no phantom of the beamline {self.name}.", hint="Name one, or none.")
        settings = next(element for element in configuration.elements if element.name == name)
        return Stage(shadow.offset, shadow.roll, settings.moved.get(CHANGER, ""), getattr(settings, "slot", 0.0))

    def check(self, where: str | float) -> None:
        """See that everything on the way to a place is published.

        :raises NotFound: with the names that are known.
        """
        _, optics, _ = self._resolved()
        moment = 0.0
        optics.place(where)
        self.history(moment)
        self._motions(where, moment)
        for shutter in self._shutters(where):
            self.board.shutter(shutter, moment)

    def at(self, moments: ArrayLike, where: str | float) -> BeamState:
        """The beam as it arrives at a place, at any moments (s, published for); a closed shutter makes the flux 0.

        :param where: an element of the beamline, or a distance in m.
        """
        moments = np.atleast_1d(np.asarray(moments, dtype=np.float64))
        beam = self._evaluate(moments, where, self.history(float(moments.min())).current_at(moments))
        is_open = np.ones(len(moments))
        for shutter in self._shutters(where):
            rows = self.board.shutter(shutter, float(moments.min()))
            at = np.maximum(np.searchsorted(rows[:, 0], moments, side="right") - 1, 0)
            is_open *= rows[at, 1]
        return beam.scaled(is_open[:, None])

    def during(self, starts: ArrayLike, stops: ArrayLike, where: str | float) -> Exposures:
        """What exposures see at a place; shutters and the ring's current are integrated exactly.

        :param starts: (n,), s, rising.
        :param stops: (n,), s.
        """
        starts, stops = (np.atleast_1d(np.asarray(v, dtype=np.float64)) for v in (starts, stops))
        first, last = float(starts[0]), float(stops.max())
        history = self.history(first)
        motions = self._motions(where, first)
        shutters = [self.board.shutter(name, first) for name in self._shutters(where)]
        still = not any(_moves(rows, last) for rows in motions.values())
        quiet = self._resolved()[2].dip == 0.0
        moments: list[float] = []
        seconds: list[float] = []
        currents: list[float] = []
        owner: list[int] = []
        for k, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
            for a, b in _spans(shutters, start, stop):
                nodes = 1 if still and quiet else NODES
                step = (b - a) / nodes
                for j in range(nodes):
                    moments.append(a + (j + 0.5) * step)
                    seconds.append(step)
                    currents.append(history.mean(a + j * step, a + (j + 1) * step))
                    owner.append(k)
        if not moments:
            # No exposure sees the beam: one moment that stands for no time.
            moments, seconds, currents, owner = [first], [0.0], [0.0], [0]
        beam = self._evaluate(np.array(moments), where, np.array(currents), motions, history)
        return Exposures(beam, np.array(seconds), np.array(owner, dtype=np.intp), len(starts))

    def spans(self, start: float, stop: float, where: str | float) -> list[tuple[float, float]]:
        """The parts of an exposure in which all shutters on the way to a place are open."""
        return _spans([self.board.shutter(name, start) for name in self._shutters(where)], start, stop)

    def history(self, since: float) -> History:
        """The ring from a moment on."""
        ring = self.configuration.ring
        if not ring:
            return History((0.0,), (Ring(lifetime=np.inf),))
        return history(self.board.values(ring, CURRENT, since))

    def _evaluate(
        self,
        moments: Array,
        where: str | float,
        currents: Array,
        motions: Mapping[str, Segments] | None = None,
        past: History | None = None,
    ) -> BeamState:
        _, optics, machine = self._resolved()
        since = float(moments.min())
        motions = self._motions(where, since) if motions is None else motions
        unique, inverse = self._states(moments, motions, machine)
        known = self._last.get(where)
        if known is not None and np.array_equal(known[0], unique):
            beam = known[1]
        else:
            at: dict[str, dict[str, Array]] = {}
            by_axis = {axis: unique[:, k] for k, axis in enumerate(motions)}
            for element, moved in self.configuration.moved().items():
                at[element] = {word: by_axis[axis] for word, axis in moved.items() if axis in by_axis}
            beam = optics.beam(np.zeros(len(unique)), at, where, orbit=unique[:, len(motions) :].T)
            self._last[where] = (unique, beam)
        light = currents
        if machine.dip:
            past = past or self.history(since)
            light = currents * machine.disturbance(past.since_injection(moments))
        return beam.take(inverse, moments).scaled(light[:, None])

    def _states(
        self, moments: Array, motions: Mapping[str, Segments], machine: Machine
    ) -> tuple[Array, NDArray[np.intp]]:
        """The different states of axes and orbit, (k, axes + 4), and which of them holds at each moment."""
        # The orbit moves in steps of a second: nothing then changes while all axes are at rest.
        seconds = np.floor(moments)
        scales = [self._scale(axis) for axis in motions]
        if (seconds == seconds[0]).all() and all(len(rows) == 1 and rows[0, 1] == 0.0 for rows in motions.values()):
            still = [rows[0, 2] * scale for rows, scale in zip(motions.values(), scales, strict=True)]
            state = np.array([[*still, *machine.orbit(seconds[:1])[:, 0].tolist()]])
            return state, np.zeros(len(moments), dtype=np.intp)
        columns = [positions(rows, moments) * scale for rows, scale in zip(motions.values(), scales, strict=True)]
        state = np.stack([*columns, *machine.orbit(seconds)], axis=1)
        if np.all(state == state[0]):
            return state[:1], np.zeros(len(state), dtype=np.intp)
        unique, inverse = np.unique(state, axis=0, return_inverse=True)
        return unique, inverse.reshape(-1)

    def _resolved(self) -> tuple[BeamlineConfiguration, Optics, Machine]:
        with self._lock:
            ring = "" if self._read is None else self._read[0].ring
            versions = (self.board.version(self.name, DESCRIPTION), self.board.version(ring, MACHINE) if ring else 0)
            if self._read is None or versions != self._versions:
                text = self.board.text(self.name, DESCRIPTION)
                configuration = BeamlineConfiguration.model_validate_json(text)
                machine, version = Machine(), 0
                if configuration.ring:
                    version = self.board.version(configuration.ring, MACHINE)
                    machine = machine_of(self.board.text(configuration.ring, MACHINE))
                self._read = configuration, configuration.optics(), machine
                self._versions = (versions[0], version)
                self._scales.clear()
                self._last.clear()
                self._paths.clear()
            return self._read

    def _path(self, where: str | float) -> tuple[list[str], list[str]]:
        """The axes and the shutters that the beam passes on its way to a place."""
        configuration, optics, _ = self._resolved()
        path = self._paths.get(where)
        if path is None:
            passed = [element.name for element in optics.before(where)]
            moved, shutters = configuration.moved(), configuration.shutters()
            names = {axis for name in (optics.source.name, *passed) for axis in moved.get(name, {}).values()}
            path = self._paths[where] = (sorted(names), [shutters[name] for name in passed if name in shutters])
        return path

    def _motions(self, where: str | float, since: float) -> dict[str, Segments]:
        found = {}
        for axis in self._path(where)[0]:
            try:
                found[axis] = self.board.motion(axis, since)
            except NotFound as error:
                raise NotFound(f"The beamline {self.name} names {axis}: {error.message}", hint=error.hint) from error
        return found

    def _shutters(self, where: str | float) -> list[str]:
        return self._path(where)[1]

    def _scale(self, axis: str) -> float:
        """From the unit of an axis to that of what it moves."""
        scale = self._scales.get(axis)
        if scale is None:
            wanted = self._wanted(axis)
            unit = self.board.unit(axis)
            known = 1.0 if unit == wanted or not wanted else _SCALES.get((unit, wanted))
            self._scales[axis] = scale = known if known is not None else convert(f"1 {unit}", wanted)
        return scale

    def _wanted(self, axis: str) -> str:
        for name, moved in self.configuration.moved().items():
            element = self.optics.source if name == self.optics.source.name else self.optics.element(name)
            for word, mover in moved.items():
                if mover == axis:
                    return element.UNITS.get(word, "")
        return ""


class SimBeamline:
    """What stands in the beam, published for all detectors; itself it does nothing.

    :param configuration: of the ``sim.beamline``.
    """

    def __init__(
        self, configuration: BeamlineConfiguration, *, clock: Clock | None = None, board: MemoryBoard | None = None
    ) -> None:
        self.name = configuration.name
        self.configuration = configuration
        self.optics = configuration.optics()
        self._clock: Clock = clock or RealClock()
        board = board if board is not None else MemoryBoard()
        board.post_text(self.name, DESCRIPTION, configuration.model_dump_json())
        self.beam = Beam(self.name, board)

    def __repr__(self) -> str:
        return f"<SimBeamline {self.name}: {' → '.join([self.optics.source.name, *self.places])}>"

    @property
    def places(self) -> Sequence[str]:
        """The elements along the beam."""
        return [element.name for element in self.optics.elements]

    def at(self, where: str | float) -> BeamState:
        """The true beam that arrives at a place now; nobody could measure it so well."""
        try:
            return self.beam.at([self._clock.now()], where)
        except NotFound as error:
            raise DeviceError(self.name, error.message, hint=error.hint) from error

    def truth(self) -> dict[str, Any]:
        """What the user has to find, by element."""
        return self.optics.truth()


def history(rows: Array) -> History:
    """A ring's past from its published rows (moment, current, lifetime, interval, phase)."""
    return History(rows[:, 0].tolist(), [Ring(*row[1:]) for row in rows.tolist()])


def machine_of(text: str) -> Machine:
    """A machine from its published description."""
    import json

    read = json.loads(text)
    return Machine(read["dip"], read["recovery"], tuple(read["drift"]), tuple(read["tilt"]), read["seed"])


def _spans(shutters: Sequence[Array], start: float, stop: float) -> list[tuple[float, float]]:
    spans = [(start, stop)]
    for rows in shutters:
        spans = [piece for a, b in spans for piece in open_spans(rows, a, b)]
    return spans


def _moves(rows: Segments, stop: float) -> bool:
    return bool(np.any((rows[:, 0] < stop) & (rows[:, 1] > 0.0)) or (len(rows) > 1 and rows[1, 0] < stop))
