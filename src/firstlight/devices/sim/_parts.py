"""What happens around a sample during an exposure, part by part."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.devices._track import Rows
from firstlight.devices.sim._beamline import Beam
from firstlight.devices.sim._exposure import open_spans
from firstlight.devices.sim._published import Board
from firstlight.model.motion import Segments, positions
from firstlight.simulation import Part, Ring, at_slot

EVER = 0.0
"""A moment before anything: clocks count from the start of the machine."""


@dataclass(frozen=True, slots=True)
class Illumination:
    """What falls on a sample, and how the sample stands.

    The beam is that of a beamline at a place, or one of constant flux and energy.

    :param board: where axes and shutters are read.
    :param flux: photons/s on the sample at the ring's full current; for a beam without a beamline, as are the next.
    :param energy: keV, where no axis gives it.
    :param shutter: empty for a beam that is always on.
    :param ring: its law of the current.
    :param inputs: by the name of what moves (an input of the sample, or ``energy``): the name of the axis (dial).
    :param opened: by the name of an input: the shutter whose time open, since it was first known, is its value (s).
    :param beam: of a beamline, which has energy, shutters and ring of its own; None without one.
    :param place: of the sample in the beamline: an element, or a distance in m.
    :param changer: axis of the changer that holds the sample; empty for a sample that is always in the beam.
    :param slot: position of the changer at which it is in the beam.
    """

    board: Board
    flux: float = 1e10
    energy: float = 20.0
    inputs: Mapping[str, str] = field(default_factory=dict)
    shutter: str = ""
    ring: Ring = field(default_factory=Ring)
    opened: Mapping[str, str] = field(default_factory=dict)
    beam: Beam | None = None
    place: str | float = 0.0
    changer: str = ""
    slot: float = 0.0

    def check(self, now: float) -> None:
        """See that everything that is looked at is published.

        :raises NotFound: with the names that are known.
        """
        for axis in (*self.inputs.values(), *([self.changer] if self.changer else [])):
            self.board.motion(axis, now)
        for shutter in self.opened.values():
            self.board.shutter(shutter, now)
        if self.beam is not None:
            self.beam.check(self.place)
        elif self.shutter:
            self.board.shutter(self.shutter, now)

    def parts(self, start: float, stop: float, count: int = 1) -> list[Part]:
        """The parts of an exposure that see beam.

        :param count: into which the exposure is cut while anything moves.
        """
        if stop <= start:
            return []
        motions = {name: self.board.motion(axis, start) for name, axis in self.inputs.items()}
        changer = self.board.motion(self.changer, start) if self.changer else None
        moving = [*motions.values(), *([changer] if changer is not None else [])]
        count = count if self.opened or any(moves(rows, stop) for rows in moving) else 1
        found: list[Part] = []
        for a, b in self._spans(start, stop):
            pieces = max(1, math.ceil(count * (b - a) / (stop - start)))
            edges = np.linspace(a, b, pieces + 1)
            at = {name: positions(rows, edges).tolist() for name, rows in motions.items()}
            for name, shutter in self.opened.items():
                at[name] = open_time(self.board.shutter(shutter, EVER), edges).tolist()
            photons, energies = self._light(edges, at)
            if changer is not None:
                inside = at_slot(positions(changer, 0.5 * (edges[:-1] + edges[1:])), self.slot)
                photons = np.where(inside, photons, 0.0).tolist()
            for k in range(pieces):
                first = {name: values[k] for name, values in at.items()}
                last = {name: values[k + 1] for name, values in at.items()}
                found.append(Part(photons[k], energies[k], first, last))
        return found

    def truth(self) -> dict[str, Any]:
        """The beam, what moves the sample, and its place in a changer."""
        return self._light_truth() | ({"slot": self.slot} if self.changer else {})

    def _light_truth(self) -> dict[str, Any]:
        if self.beam is not None:
            return {"beam": {"beamline": self.beam.name, "place": self.place}, "inputs": dict(self.inputs)}
        found: dict[str, Any] = {"flux": self.flux, "flux@units": "1/s"}
        if "energy" not in self.inputs:
            found |= {"energy": self.energy, "energy@units": "keV"}
        return {"beam": found, "inputs": dict(self.inputs)}

    def _spans(self, start: float, stop: float) -> list[tuple[float, float]]:
        if self.beam is None and self.shutter:
            return open_spans(self.board.shutter(self.shutter, start), start, stop)
        return [(start, stop)]

    def _light(self, edges: NDArray[np.float64], at: Mapping[str, list[float]]) -> tuple[list[float], list[float]]:
        """Photons and their mean energy (keV) between any two neighbours of ``edges``."""
        if self.beam is not None:
            seen = self.beam.during(edges[:-1], edges[1:], self.place)
            photons = seen.sums(seen.beam.flux)
            dark = np.full(len(photons), float(seen.beam.energy[0]))
            mean = np.divide(seen.sums(seen.beam.flux * seen.beam.energy), photons, out=dark, where=photons > 0)
            return photons.tolist(), mean.tolist()
        pieces = list(pairwise(edges.tolist()))
        full = self.ring.current
        fluxes = [self.flux * self.ring.charge(a, b) / full if full else 0.0 for a, b in pieces]
        if "energy" in at:
            return fluxes, [0.5 * (a + b) for a, b in pairwise(at["energy"])]
        return fluxes, [self.energy] * len(pieces)


def open_time(rows: Rows, moments: NDArray[np.float64]) -> NDArray[np.float64]:
    """How long a shutter has been open up to each moment, s.

    :param rows: all its states: (moment, 1 open or 0 closed).
    """
    since, is_open = rows[:, 0], rows[:, 1]
    until = np.append(since[1:], np.inf)
    inside = np.clip(moments[:, None], since, until) - since
    return np.asarray(np.sum(inside * is_open, axis=1))


def moves(rows: Rows | Segments, stop: float) -> bool:
    """Whether an axis moves before ``stop``."""
    return bool(np.any((rows[:, 0] < stop) & (rows[:, 1] > 0.0)))
