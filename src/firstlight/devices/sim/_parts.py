"""What happens around a sample during an exposure, part by part."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from firstlight.devices._track import Rows
from firstlight.devices.sim._exposure import open_spans
from firstlight.devices.sim._published import Board
from firstlight.model.motion import Segments, positions
from firstlight.simulation import Part, Ring


@dataclass(frozen=True, slots=True)
class Illumination:
    """A beam of constant size: what falls on the sample, and how the sample stands.

    :param flux: photons/s on the sample at the ring's full current.
    :param energy: keV, where no axis gives it.
    :param inputs: by the name of what moves (an input of the sample, or ``energy``): the name of the axis (dial).
    :param shutter: empty for a beam that is always on.
    """

    board: Board
    flux: float
    energy: float
    inputs: Mapping[str, str] = field(default_factory=dict)
    shutter: str = ""
    ring: Ring = field(default_factory=Ring)

    def check(self, now: float) -> None:
        """See that everything that is looked at is published.

        :raises NotFound: with the names that are known.
        """
        for axis in self.inputs.values():
            self.board.motion(axis, now)
        if self.shutter:
            self.board.shutter(self.shutter, now)

    def parts(self, start: float, stop: float, count: int = 1) -> list[Part]:
        """The parts of an exposure that see beam.

        :param count: into which the exposure is cut while anything moves.
        """
        if stop <= start:
            return []
        spans = [(start, stop)]
        if self.shutter:
            spans = open_spans(self.board.shutter(self.shutter, start), start, stop)
        motions = {name: self.board.motion(axis, start) for name, axis in self.inputs.items()}
        count = count if any(moves(rows, stop) for rows in motions.values()) else 1
        found: list[Part] = []
        for a, b in spans:
            pieces = max(1, math.ceil(count * (b - a) / (stop - start)))
            edges = np.linspace(a, b, pieces + 1)
            at = {name: positions(rows, edges).tolist() for name, rows in motions.items()}
            for k, (left, right) in enumerate(pairwise(edges.tolist())):
                found.append(self._part(at, k, left, right))
        return found

    def truth(self) -> dict[str, Any]:
        """The beam, and what moves the sample."""
        found: dict[str, Any] = {"flux": self.flux, "flux@units": "1/s"}
        if "energy" not in self.inputs:
            found |= {"energy": self.energy, "energy@units": "keV"}
        return {"beam": found, "inputs": dict(self.inputs)}

    def _part(self, at: Mapping[str, list[float]], k: int, start: float, stop: float) -> Part:
        first = {name: values[k] for name, values in at.items()}
        last = {name: values[k + 1] for name, values in at.items()}
        full = self.ring.charge(start, stop) / self.ring.current if self.ring.current else 0.0
        energy = 0.5 * (first["energy"] + last["energy"]) if "energy" in first else self.energy
        return Part(self.flux * full, energy, first, last)


def moves(rows: Rows | Segments, stop: float) -> bool:
    """Whether an axis moves before ``stop``."""
    return bool(np.any((rows[:, 0] < stop) & (rows[:, 1] > 0.0)))
