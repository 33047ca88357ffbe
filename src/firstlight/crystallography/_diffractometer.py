"""A diffractometer with a crystal on it: all the state from which angles and h, k, l follow."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from firstlight.crystallography._choice import cut, follow, nearest, unwound, usable, within
from firstlight.crystallography._geometry import Geometry, Mode, geometry
from firstlight.crystallography._lattice import Lattice
from firstlight.crystallography._orientation import (
    Refined,
    Reflection,
    measured,
    orientation_of,
    refine,
    ub_from_three,
    ub_from_two,
)
from firstlight.crystallography._rotation import Floats
from firstlight.crystallography._solve import Wishes, azimuths, forward, solve
from firstlight.model import InvalidInput

HC = 12.398419843320026
"""keV Å, exact by the definitions of the SI."""


class Unreachable(InvalidInput):
    """A reflection has no setting that the mode, the cell and the limits allow."""


class Discontinuous(InvalidInput):
    """A path in reciprocal space makes the axes jump."""


class Diffractometer:
    """Geometry, wavelength, lattice, orientation, mode, limits: what ``pa`` shows.

    Settings are arrays of angles in degrees in the order of :attr:`axes`.

    :param kind: a geometry, or the name of a known one.
    :param lattice: of the crystal.
    :param wavelength: Å.
    """

    def __init__(self, kind: Geometry | str, lattice: Lattice, wavelength: float = 1.0) -> None:
        self.geometry = geometry(kind) if isinstance(kind, str) else kind
        self._lattice = lattice
        self._ub = lattice.B
        self._wavelength = 1.0
        self.wavelength = wavelength
        self._mode = self.geometry.default_mode
        self.wishes = Wishes()
        self.frozen: dict[str, float] = {}
        """Angles (also ``psi``, ``alpha``, ``beta``, ``qaz``) that modes hold here, wherever the axes are."""
        self.cuts = dict.fromkeys(self.axes, -180.0)
        """Where the turn of each axis starts, degrees."""
        self.limits: dict[str, tuple[float, float]] = {}
        """Lowest and highest angle of axes that have limits, degrees."""
        self.reflections: list[Reflection] = []
        """Those that orient the crystal; the first two are or0 and or1."""

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the real axes."""
        return self.geometry.axes

    @property
    def wavelength(self) -> float:
        """Å."""
        return self._wavelength

    @wavelength.setter
    def wavelength(self, value: float) -> None:
        if not (value > 0 and math.isfinite(value)):
            raise InvalidInput(f"A wavelength of {value:g} Å makes no sense.", hint="Give a positive number.")
        self._wavelength = float(value)

    @property
    def energy(self) -> float:
        """Of the photons, keV."""
        return HC / self._wavelength

    @energy.setter
    def energy(self, value: float) -> None:
        if not (value > 0 and math.isfinite(value)):
            raise InvalidInput(f"A photon energy of {value:g} keV makes no sense.", hint="Give a positive number.")
        self.wavelength = HC / value

    @property
    def mode(self) -> str:
        """Name of the mode in which settings are found."""
        return self._mode

    @mode.setter
    def mode(self, name: str) -> None:
        self.geometry.mode(name)
        self._mode = name

    @property
    def lattice(self) -> Lattice:
        """Of the crystal; a new one keeps the orientation of a* and of the plane of a* and b*."""
        return self._lattice

    @lattice.setter
    def lattice(self, lattice: Lattice) -> None:
        u, _ = orientation_of(self._ub)
        self._lattice, self._ub = lattice, u @ lattice.B

    @property
    def ub(self) -> Floats:
        """Takes h, k, l to Å⁻¹ in the frame of the sample, shape (3, 3); what is set here changes the lattice too."""
        return self._ub.copy()

    @ub.setter
    def ub(self, matrix: ArrayLike) -> None:
        ub = np.array(matrix, np.float64)
        _, self._lattice = orientation_of(ub)
        self._ub = ub

    # --- orientation

    def reflection(self, hkl: Sequence[float], angles: Sequence[float], wavelength: float | None = None) -> Reflection:
        """A reflection found at these angles, at this wavelength unless another is given."""
        if len(hkl) != 3 or len(angles) != len(self.axes):
            raise InvalidInput(
                f"A reflection on {self.geometry.name} needs h, k, l and {len(self.axes)} angles.",
                hint=f"The angles, in this order: {', '.join(self.axes)}.",
            )
        h, k, l = (float(index) for index in hkl)
        return Reflection((h, k, l), tuple(float(a) for a in angles), wavelength or self.wavelength)

    def orient(self) -> None:
        """UB from the lattice and the first two reflections: the first is met, the second fixes the turn about it."""
        if len(self.reflections) < 2:
            raise InvalidInput(
                f"Two reflections orient a crystal, and there are {len(self.reflections)}.",
                hint="Set or0 and or1, or give one reflection and a direction.",
            )
        self._ub = ub_from_two(self.lattice, *measured(self.geometry, self.reflections[:2]))

    def orient_along(self, hkl: Sequence[float], direction: Sequence[float]) -> None:
        """UB from the lattice, the first reflection, and where another direction of the crystal points.

        :param hkl: of that direction.
        :param direction: where it points when all angles are zero: x up, y along the beam, z across it.
        """
        if not self.reflections:
            raise InvalidInput("There is no reflection yet.", hint="Set or0 first.")
        indices, q = measured(self.geometry, self.reflections[:1])
        self._ub = ub_from_two(self.lattice, np.vstack([indices, hkl]), np.vstack([q, direction]))

    def orient_without_lattice(self) -> None:
        """UB and the lattice from three reflections or more."""
        self.ub = ub_from_three(*measured(self.geometry, self.reflections))

    def refine(self, *, keep_lattice: bool = False, system: str = "triclinic") -> Refined:
        """UB, and unless it is kept the lattice, that fit all reflections best; both are taken over."""
        lattice = self.lattice if keep_lattice else None
        found = refine(*measured(self.geometry, self.reflections), lattice=lattice, system=system)
        self._lattice, self._ub = found.lattice, found.ub
        return found

    def freeze(self, name: str, value: float) -> None:
        """Let modes hold an angle at a value, wherever the axis is.

        :raises InvalidInput: when the mode holds no such angle.
        """
        mode = self.geometry.mode(self._mode)
        held = [*mode.fixed, *([mode.condition] if mode.condition in ("psi", "alpha", "beta") else [])]
        if name not in held:
            raise InvalidInput(
                f"{name} is no angle that the mode {self._mode} holds.",
                hint=f"It holds {', '.join(held)}." if held else "It holds none; choose another mode.",
            )
        self.frozen[name] = float(value)

    def unfreeze(self, name: str | None = None) -> None:
        """Let an angle, or all, follow the axes again."""
        if name is None:
            self.frozen.clear()
        else:
            self.frozen.pop(name, None)

    # --- angles and h, k, l

    def forward(self, angles: ArrayLike) -> Floats:
        """h, k, l of settings, shape (..., 3)."""
        return forward(self.geometry, self._ub, angles, self.wavelength)

    def azimuths(self, angles: ArrayLike) -> dict[str, Floats]:
        """psi, alpha, beta, tau, qaz and tth of settings, degrees."""
        return azimuths(self.geometry, self._ub, angles, self.wishes.reference)

    def solutions(self, hkl: ArrayLike, near: Mapping[str, float] | None = None) -> Floats:
        """All settings of reflections between the cut points, shape (n, branches, axes), NaN where there is none.

        :param near: where the axes are; those that the mode holds, and that are not frozen, stay there.
        """
        return cut(solve(self.geometry, self._now(), self._ub, hkl, self.wavelength, self._wishes(near)), self._cuts())

    def inverse(self, hkl: ArrayLike, near: Mapping[str, float] | None = None) -> dict[str, float]:
        """The setting of one reflection: of those within the limits, the closest to where the axes are.

        :raises Unreachable: when there is none; the sentence says why.
        """
        settings = self.solutions(hkl, near)
        low, high = self._bounds()
        allowed = within(settings, low, high)
        best = nearest(allowed[0], self._near(near), self._arm())
        if best < 0:
            raise self._unreachable(np.atleast_2d(hkl)[0], settings[0], near)
        return dict(zip(self.axes, (float(angle) for angle in allowed[0, best]), strict=True))

    def plan(self, hkl: ArrayLike, near: Mapping[str, float] | None = None) -> Floats:
        """Settings along a path of reflections, all of one branch, shape (n, axes).

        :raises Unreachable: when a point has no setting; the sentence says which and why.
        """
        points = np.atleast_2d(np.asarray(hkl, np.float64))
        path = self.reachable(points, near)
        lost = np.flatnonzero(~usable(path))
        if len(lost):
            point = points[lost[0]]
            raise self._unreachable(point, self.solutions(point, near)[0], near)
        return path

    def reachable(self, hkl: ArrayLike, near: Mapping[str, float] | None = None) -> Floats:
        """As :meth:`plan`, with NaN for points that have no setting."""
        points = np.atleast_2d(np.asarray(hkl, np.float64))
        low, high = self._bounds()
        allowed = within(self.solutions(points, near), low, high)
        path = np.full((len(points), len(self.axes)), np.nan)
        reached = np.asarray(usable(allowed).any(axis=-1))
        if reached.any():
            some = allowed[reached]
            branch = follow(some, self._near(near), self._arm())
            path[reached] = unwound(some[np.arange(len(some)), branch], low, high)
        return path

    # --- keeping

    def state(self) -> dict[str, Any]:
        """All of it as plain values, for a file."""
        return {
            "geometry": self.geometry.name,
            "wavelength": self.wavelength,
            "lattice": list(self.lattice.parameters),
            "ub": self._ub.tolist(),
            "mode": self._mode,
            "wishes": {name: value for name, value in asdict(self.wishes).items() if name != "held"},
            "frozen": dict(self.frozen),
            "cuts": dict(self.cuts),
            "limits": {name: list(pair) for name, pair in self.limits.items()},
            "reflections": [asdict(reflection) for reflection in self.reflections],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what :meth:`state` gave.

        :raises InvalidInput: when that was of another geometry.
        """
        if state["geometry"] != self.geometry.name:
            raise InvalidInput(
                f"This orientation was saved for {state['geometry']}, and this diffractometer is {self.geometry.name}."
            )
        pairs = state["wishes"]
        self.wavelength = state["wavelength"]
        self._lattice, self._ub = Lattice(*state["lattice"]), np.array(state["ub"], np.float64)
        self.mode = state["mode"]
        self.wishes = Wishes(
            psi=pairs["psi"],
            alpha=pairs["alpha"],
            beta=pairs["beta"],
            reference=tuple(pairs["reference"]),
            zone=(tuple(pairs["zone"][0]), tuple(pairs["zone"][1])),
            second=tuple(pairs["second"]),
        )
        self.frozen, self.cuts = dict(state["frozen"]), dict(state["cuts"])
        self.limits = {name: (low, high) for name, (low, high) in state["limits"].items()}
        self.reflections = [
            Reflection(tuple(one["hkl"]), tuple(one["angles"]), one["wavelength"], one["name"])
            for one in state["reflections"]
        ]

    # --- helpers

    def _now(self) -> Mode:
        return self.geometry.mode(self._mode)

    def _wishes(self, near: Mapping[str, float] | None) -> Wishes:
        frozen = self.frozen
        return replace(
            self.wishes,
            held={**(near or {}), **frozen},
            psi=frozen.get("psi", self.wishes.psi),
            alpha=frozen.get("alpha", self.wishes.alpha),
            beta=frozen.get("beta", self.wishes.beta),
        )

    def _near(self, near: Mapping[str, float] | None) -> Floats:
        return np.array([(near or {}).get(name, 0.0) for name in self.axes])

    def _cuts(self) -> Floats:
        return np.array([self.cuts.get(name, -180.0) for name in self.axes])

    def _bounds(self) -> tuple[Floats, Floats]:
        pairs = [self.limits.get(name, (-math.inf, math.inf)) for name in self.axes]
        return np.array([low for low, _ in pairs]), np.array([high for _, high in pairs])

    def _arm(self) -> int:
        """Index of the axis that opens the scattering angle in this mode."""
        mode = self._now()
        own = [circle.name for circle in self.geometry.detector if circle.name not in mode.fixed]
        own = [name for name in own if name not in {circle.name for circle in self.geometry.sample}]
        return self.axes.index("delta" if "delta" in own else own[0])

    def _unreachable(self, hkl: Floats, settings: Floats, near: Mapping[str, float] | None) -> Unreachable:
        name = "({:g} {:g} {:g})".format(*hkl)
        q = float(np.linalg.norm(self._ub @ hkl))
        if not q > 0:
            return Unreachable(f"{name} does not scatter.", hint="Give indices that are not all zero.")
        if q * self.wavelength > 4 * math.pi:
            return Unreachable(
                f"{name} is out of reach at {self.wavelength:g} Å: its planes are {2 * math.pi / q:.4g} Å apart.",
                hint=f"It needs at most {4 * math.pi / q:.4g} Å, at least {HC * q / (4 * math.pi):.4g} keV.",
            )
        valid = usable(settings)
        if not valid.any():
            wishes = self._wishes(near)
            held = [f"{key} at {wishes.held.get(key, value):g}" for key, value in self._now().fixed.items()]
            with_held = f" with {', '.join(held)}" if held else ""
            return Unreachable(
                f"{name} has no setting in the mode {self._mode}{with_held}.",
                hint="Choose another mode, or hold the angles elsewhere.",
            )
        low, high = self._bounds()
        least = settings[valid]
        excess = np.maximum(low - least, 0) + np.maximum(least - high, 0)
        best = int(np.argmin(excess.sum(axis=-1)))
        worst = int(np.argmax(excess[best]))
        axis = self.axes[worst]
        return Unreachable(
            f"{name} needs {axis} at {least[best, worst]:.4g}, and its limits are {low[worst]:g} to {high[worst]:g}.",
            hint=f"Change the limits or the cut point of {axis}, or choose another mode.",
        )
