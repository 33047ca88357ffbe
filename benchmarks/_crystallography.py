"""Reflections per second, from a path in reciprocal space to the angles of one branch, beside diffcalc-core.

Both hold the azimuth on a 4S+2D diffractometer with a triclinic crystal. Ours plans a line of 10 000 points; diffcalc
finds the settings of 30 of them, one by one, and chooses no branch.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks._harness import Row, against_reference, alternate, row
from firstlight.crystallography import Diffractometer, Lattice

_CELL = (4.1, 5.2, 6.3, 80.0, 95.0, 110.0)
_POINTS = 10_000
_PEER_POINTS = 30
_REFERENCE = None


def plan() -> list[Row]:
    """``hkl.plan``: reflections a second."""
    diffractometer = Diffractometer("psic", Lattice(*_CELL))
    diffractometer.mode = "constant_psi_vertical"
    diffractometer.wishes = replace(diffractometer.wishes, psi=35.0)
    hkl = np.linspace([1, 0.2, 1], [1, 0.2, 2], _POINTS)

    def ours() -> float:
        start = time.perf_counter()
        diffractometer.plan(hkl)
        return _POINTS / (time.perf_counter() - start)

    peer = "diffcalc-core, settings only"
    theirs = _diffcalc(hkl[:: _POINTS // _PEER_POINTS][:_PEER_POINTS].tolist())
    if theirs is None:
        mine, _ = alternate(ours)
        return [against_reference("hkl.plan", "1/s", mine, peer, _REFERENCE)]
    mine, others = alternate(ours, theirs)
    return [row("hkl.plan", "1/s", mine, peer, others)]


def _diffcalc(points: list[list[float]]) -> Callable[[], float] | None:
    if importlib.util.find_spec("diffcalc") is None:
        return None
    from diffcalc.hkl.calc import HklCalculation
    from diffcalc.hkl.constraints import Constraints
    from diffcalc.ub.calc import UBCalculation

    with contextlib.redirect_stdout(io.StringIO()):
        crystal = UBCalculation("peer")
        crystal.set_lattice("peer", *_CELL)
        crystal.set_u(np.eye(3))
    crystal.n_hkl = (0, 0, 1)
    calculation = HklCalculation(crystal, Constraints({"mu": 0, "nu": 0, "psi": 35}))

    def measure() -> float:
        start = time.perf_counter()
        for h, k, l in points:
            calculation.get_position(h, k, l, 1.0)
        return len(points) / (time.perf_counter() - start)

    return measure
