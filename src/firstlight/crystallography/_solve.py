"""From angles to hkl and back, for many reflections at once.

The way back is closed: the detector's arm follows from |Q|, the rest is a chain of at most three rotations between
known vectors. A condition on the azimuth or on the angles to a surface is turned into the direction of the beam as the
crystal sees it (You 1999, equations 23 to 26), so all share one solution, and every one is found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from firstlight.crystallography._geometry import BEAM, Circle, Geometry, Mode
from firstlight.crystallography._rotation import Floats, about, apply, by_three, by_two, dot, rotation, to_height, unit
from firstlight.model import InvalidInput

Angles = dict[str, Floats]

_MISS = 1e-7  # of |Q|: an answer further from its reflection is none
_ALONG = 1e-6  # sine below which a reference counts as parallel to Q, or a reflection as in its zone


@dataclass(frozen=True)
class Wishes:
    """What a mode needs to know besides the reflection; all in degrees or h, k, l."""

    held: Mapping[str, float] = field(default_factory=dict)
    """Where angles stay that the mode fixes; also where an angle stays that any value would suit."""
    psi: float = 0.0
    """Azimuth of the reference about Q, right-handed; zero where it leans along the incident beam."""
    alpha: float = 0.0
    """Between incident beam and surface."""
    beta: float = 0.0
    """Between surface and diffracted beam."""
    reference: tuple[float, float, float] = (0.0, 0.0, 1.0)
    """Of the azimuth, and normal to the surface, as h, k, l."""
    zone: tuple[tuple[float, float, float], tuple[float, float, float]] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    """Two reflections that span the zone."""
    second: tuple[float, float, float] = (0.0, 0.0, 1.0)
    """Reflection that shall diffract too."""


@dataclass(frozen=True)
class _Chain:
    """Rotations on each other, the known ones multiplied out: R(axis 1) R(axis 2) ... rest."""

    names: tuple[str, ...]
    axes: tuple[Floats, ...]
    rest: Floats


def _chain(circles: Sequence[Circle], known: Angles, count: int) -> _Chain:
    done = np.broadcast_to(np.eye(3), (count, 3, 3))
    names, axes = [], []
    for circle in circles:
        if circle.name in known:
            done = done @ rotation(circle.direction, known[circle.name])
        else:
            names.append(circle.name)
            axes.append(apply(done, circle.direction))
    return _Chain(tuple(names), tuple(axes), done)


def angles_to_q(geometry: Geometry, angles: ArrayLike, wavelength: ArrayLike) -> Floats:
    """Scattering vectors in the frame of the sample (all its angles zero), Å⁻¹ (with 2π), shape (..., 3).

    :param angles: degrees, shape (..., number of axes), in the order of ``geometry.axes``.
    :param wavelength: Å, a number or shape (...).
    """
    values = np.deg2rad(np.asarray(angles, np.float64))
    if values.shape[-1:] != (len(geometry.axes),):
        raise InvalidInput(
            f"{geometry.name} has {len(geometry.axes)} angles, not {values.shape[-1] if values.ndim else 1}.",
            hint=f"Give them in this order: {', '.join(geometry.axes)}.",
        )
    flat = values.reshape(-1, values.shape[-1])
    known = {name: flat[:, i] for i, name in enumerate(geometry.axes)}
    out = apply(_chain(geometry.detector, known, len(flat)).rest, BEAM)
    turned = _chain(geometry.sample, known, len(flat)).rest
    q = np.einsum("nji,nj->ni", turned, out - BEAM).reshape(*values.shape[:-1], 3)
    return np.asarray(q * (2 * math.pi / np.asarray(wavelength, np.float64))[..., np.newaxis])


def forward(geometry: Geometry, ub: Floats, angles: ArrayLike, wavelength: ArrayLike) -> Floats:
    """h, k, l of angles (degrees), shape (..., 3).

    :param ub: takes h, k, l to Å⁻¹ in the frame of the sample, shape (3, 3).
    """
    return np.asarray(angles_to_q(geometry, angles, wavelength) @ np.linalg.inv(ub).T)


def solve(
    geometry: Geometry, mode: Mode, ub: Floats, hkl: ArrayLike, wavelength: ArrayLike, wishes: Wishes | None = None
) -> Floats:
    """All settings that bring reflections to diffraction, degrees within ±180, shape (n, branches, axes).

    A branch keeps its meaning from one reflection to the next (which side the detector is, which way chi leans), and is
    NaN where it has no setting.

    :param hkl: shape (n, 3).
    :param wavelength: Å, a number or shape (n,).
    """
    wishes = wishes or Wishes()
    indices = np.atleast_2d(np.asarray(hkl, np.float64))
    waves = np.broadcast_to(np.asarray(wavelength, np.float64), len(indices))
    crystal = _Crystal(indices @ ub.T * (waves / (2 * math.pi))[:, np.newaxis], ub, waves, wishes)
    virtual = bool(geometry.eulerian) and not _names(mode) & _only(geometry.sample, geometry.eulerian)
    sample = geometry.eulerian if virtual else geometry.sample
    found = _Search(mode, sample, geometry.detector, crystal, wishes).branches()
    if virtual:
        found = [real for angles in found for real in _real(geometry, angles, wishes, len(indices))]
    rows = [np.stack([np.broadcast_to(a[name], len(indices)) for name in geometry.axes], -1) for a in found]
    settings = np.rad2deg(np.stack(rows, axis=1))
    settings = settings - 360 * np.ceil((settings - 180) / 360)
    # The last word: whatever the algebra gave, only what diffracts is an answer.
    missed = angles_to_q(geometry, settings, 2 * math.pi) - crystal.q[:, np.newaxis]
    wrong = ~(np.sqrt(dot(missed, missed)) <= _MISS * np.sqrt(dot(crystal.q, crystal.q))[:, np.newaxis])
    return np.where(wrong[..., np.newaxis], np.nan, settings)


def _names(mode: Mode) -> set[str]:
    return set(mode.fixed) | (set(mode.half) if mode.half else set())


def _only(circles: Sequence[Circle], others: Sequence[Circle]) -> set[str]:
    return {circle.name for circle in circles} - {circle.name for circle in others}


class _Crystal:
    """What the reflections ask of the beam; lengths in units of the wavevector, in the frame of the sample."""

    def __init__(self, q: Floats, ub: Floats, waves: Floats, wishes: Wishes) -> None:
        self.q, self.ub, self.waves, self.wishes = q, ub, waves, wishes
        self.length = np.sqrt(dot(q, q))
        with np.errstate(invalid="ignore", divide="ignore"):
            self.along = q / self.length[:, np.newaxis]
        self.sine = np.where((self.length <= 2) & (self.length > 0), self.length / 2, np.nan)

    def beams(self, condition: str) -> list[Floats]:
        """Directions of the incident beam as the crystal sees it, which meet a condition."""
        wishes, along, sine = self.wishes, self.along, self.sine
        if condition == "double":
            second = np.asarray(wishes.second) @ self.ub.T
            length = math.sqrt(float(second @ second)) * self.waves / (2 * math.pi)
            return self._cones(unit(second), -length / 2)
        if condition == "zone":
            one, two = (np.asarray(reflection) @ self.ub.T for reflection in wishes.zone)
            normal = unit(np.cross(one, two))
            outside = np.abs(dot(along, normal)) > _ALONG
            return [np.where(outside[:, np.newaxis], np.nan, beam) for beam in self._azimuths(normal, (90.0, -90.0))]
        normal = unit(np.asarray(wishes.reference) @ self.ub.T)
        if condition == "psi":
            return self._azimuths(normal, (wishes.psi,))
        tilt = dot(along, normal)
        if condition == "alpha":
            incidence = np.broadcast_to(np.sin(np.deg2rad(wishes.alpha)), sine.shape)
        elif condition == "beta":
            incidence = 2 * sine * tilt - np.sin(np.deg2rad(wishes.beta))
        else:
            incidence = sine * tilt
        return self._cones(normal, -incidence)

    def _azimuths(self, reference: Floats, angles: Sequence[float]) -> list[Floats]:
        across = reference - dot(self.along, reference)[:, np.newaxis] * self.along
        lost = np.sqrt(dot(across, across)) < _ALONG
        across = unit(np.where(lost[:, np.newaxis], np.nan, across))
        third = np.cross(self.along, across)
        cosine = np.sqrt(1 - self.sine**2)
        beams = []
        for angle in np.deg2rad(angles):
            level = math.cos(angle) * across - math.sin(angle) * third
            beams.append(-self.sine[:, np.newaxis] * self.along + cosine[:, np.newaxis] * level)
        return beams

    def _cones(self, other: Floats, cosine: Floats) -> list[Floats]:
        """Directions at -sin θ to Q and a given cosine to another direction."""
        tilt = dot(self.along, other)
        with np.errstate(invalid="ignore", divide="ignore"):
            square = np.where(1 - tilt**2 < _ALONG**2, np.nan, 1 - tilt**2)
            x, y = (-self.sine - tilt * cosine) / square, (cosine + self.sine * tilt) / square
            flat = x[:, np.newaxis] * self.along + y[:, np.newaxis] * other
            rest = (1 - dot(flat, flat)) / square
            height = np.sqrt(np.where(rest > -1e-12, np.maximum(rest, 0), np.nan))
        up = np.cross(self.along, other) * height[:, np.newaxis]
        return [flat + up, flat - up]


class _Search:
    """Every setting of the sample's and the detector's circles that a mode allows."""

    def __init__(
        self, mode: Mode, sample: Sequence[Circle], detector: Sequence[Circle], crystal: _Crystal, wishes: Wishes
    ) -> None:
        self.mode, self.sample, self.detector, self.crystal, self.wishes = mode, sample, detector, crystal, wishes
        self.count = len(crystal.q)
        self.fixed = {name: self._value(wishes.held.get(name, value)) for name, value in mode.fixed.items()}

    def _value(self, degrees: float) -> Floats:
        return np.full(self.count, math.radians(degrees))

    def _otherwise(self, names: Sequence[str]) -> tuple[float, ...]:
        return tuple(math.radians(self.wishes.held.get(name, 0.0)) for name in names)

    def branches(self) -> list[Angles]:
        beams: list[Floats | None] = list(self.crystal.beams(self.mode.condition)) if self.mode.condition else [None]
        arm = _chain(self.detector, self.fixed, self.count)
        if len(arm.names) == 1:
            arms = self._one_arm(arm, self.fixed)
        elif "qaz" in self.fixed:
            arms = self._towards(arm, self._scattered(self.fixed["qaz"]), self.fixed)
        else:
            return [full for beam in beams for full in self._sample_first(beam)]
        return [full for known in arms for beam in beams for full in self._sample(known, beam)]

    def _scattered(self, qaz: Floats) -> Floats:
        """Direction of the diffracted beam when Q points to an azimuth (You 1999, equation 18)."""
        sine, cosine = self.crystal.sine, np.sqrt(1 - self.crystal.sine**2)
        q = np.stack([cosine * np.sin(qaz), -sine, cosine * np.cos(qaz)], axis=-1)
        return np.asarray(BEAM + 2 * sine[:, np.newaxis] * q)

    def _one_arm(self, arm: _Chain, known: Angles) -> list[Angles]:
        height = 1 - 2 * self.crystal.sine**2
        (otherwise,) = self._otherwise(arm.names)
        start = apply(arm.rest, BEAM)
        return [
            {**known, arm.names[0]: angle}
            for angle in to_height(arm.axes[0], start, np.broadcast_to(BEAM, start.shape), height, otherwise)
        ]

    def _towards(self, arm: _Chain, out: Floats, known: Angles) -> list[Angles]:
        start = apply(arm.rest, BEAM)
        one, two = self._otherwise(arm.names)
        pairs = by_two(arm.axes[0], arm.axes[1], start, out, (one, two))
        return [{**known, arm.names[0]: a, arm.names[1]: b} for a, b in pairs]

    def _q(self, known: Angles) -> Floats:
        return np.asarray(apply(_chain(self.detector, known, self.count).rest, BEAM) - BEAM)

    def _sample(self, known: Angles, beam: Floats | None) -> list[Angles]:
        """The sample's angles when the detector's are known."""
        if self.mode.half:
            half, of = self.mode.half
            known = {**known, half: known[of] / 2}
        q = self._q(known)
        chain = _chain(self.sample, known, self.count)
        otherwise = self._otherwise(chain.names)
        if beam is None:
            pairs = by_two(
                chain.axes[0],
                chain.axes[1],
                apply(chain.rest, self.crystal.along),
                unit(q),
                (otherwise[0], otherwise[1]),
            )
            return [{**known, **dict(zip(chain.names, pair, strict=True))} for pair in pairs]
        whole = _frame(q, np.broadcast_to(BEAM, q.shape)) @ np.swapaxes(_frame(self.crystal.q, beam), -1, -2)
        return [{**known, **angles} for angles in _whole(chain, whole, otherwise)]

    def _sample_first(self, beam: Floats | None) -> list[Angles]:
        """The sample's angles first, for a detector that can go anywhere."""
        chain = _chain(self.sample, self.fixed, self.count)
        otherwise = self._otherwise(chain.names)
        level = np.broadcast_to(BEAM, (self.count, 3))
        if beam is None:
            start = apply(chain.rest, self.crystal.along)
            turns = [
                {chain.names[0]: angle}
                for angle in to_height(chain.axes[0], start, level, -self.crystal.sine, otherwise[0])
            ]
        else:
            pairs = by_two(chain.axes[0], chain.axes[1], apply(chain.rest, beam), level, (otherwise[0], otherwise[1]))
            turns = [dict(zip(chain.names, pair, strict=True)) for pair in pairs]
        full = []
        for turned in turns:
            known = {**self.fixed, **turned}
            q = apply(_chain(self.sample, known, self.count).rest, self.crystal.q)
            full += self._towards(_chain(self.detector, known, self.count), BEAM + q, known)
        return full


def _frame(q: Floats, beam: Floats) -> Floats:
    """Matrices whose columns are Q, the part of the beam across it, and the third direction."""
    one = unit(q)
    two = unit(beam - dot(one, beam)[..., np.newaxis] * one)
    return np.stack([one, two, np.cross(one, two)], axis=-1)


def _whole(chain: _Chain, whole: Floats, otherwise: tuple[float, ...]) -> list[Angles]:
    """The three free angles of a chain that turn as a matrix does."""
    inner = whole @ np.swapaxes(chain.rest, -1, -2)
    triples = by_three(chain.axes[0], chain.axes[1], chain.axes[2], inner, otherwise)
    return [dict(zip(chain.names, triple, strict=True)) for triple in triples]


def _real(geometry: Geometry, angles: Angles, wishes: Wishes, count: int) -> list[Angles]:
    """The angles of a kappa diffractometer that turn the sample as Eulerian ones do."""
    whole = _chain(geometry.eulerian, angles, count).rest
    shared = {name: angles[name] for name in geometry.axes if name in angles}
    chain = _chain(geometry.sample, shared, count)
    otherwise = tuple(math.radians(wishes.held.get(name, 0.0)) for name in chain.names)
    return [{**shared, **triple} for triple in _whole(chain, whole, otherwise)]


def eulerian(geometry: Geometry, angles: ArrayLike) -> list[Floats]:
    """Both sets of Eulerian angles, degrees, shape (n, number of Eulerian circles), of settings of a kappa geometry.

    :param angles: degrees, shape (n, number of axes).
    """
    values = np.deg2rad(np.atleast_2d(np.asarray(angles, np.float64)))
    known = {name: values[:, i] for i, name in enumerate(geometry.axes)}
    whole = _chain(geometry.sample, known, len(values)).rest
    shared = {circle.name: known[circle.name] for circle in geometry.eulerian if circle.name in known}
    chain = _chain(geometry.eulerian, shared, len(values))
    return [
        np.rad2deg(np.stack([{**shared, **found}[circle.name] for circle in geometry.eulerian], -1))
        for found in _whole(chain, whole, (0.0,) * len(chain.names))
    ]


def azimuths(geometry: Geometry, ub: Floats, angles: ArrayLike, reference: ArrayLike) -> dict[str, Floats]:
    """``psi``, ``alpha``, ``beta``, ``tau``, ``qaz`` and ``tth`` (degrees, shape (n,)) of settings (You 1999).

    :param reference: of the azimuth and of the surface, as h, k, l.
    """
    values = np.deg2rad(np.atleast_2d(np.asarray(angles, np.float64)))
    known = {name: values[:, i] for i, name in enumerate(geometry.axes)}
    out = apply(_chain(geometry.detector, known, len(values)).rest, BEAM)
    normal = unit(apply(_chain(geometry.sample, known, len(values)).rest, np.asarray(reference, np.float64) @ ub.T))
    along = unit(out - BEAM)
    beam = np.broadcast_to(BEAM, along.shape)
    across = normal - dot(along, normal)[:, np.newaxis] * along
    psi = about(along, beam, across, np.nan)
    degrees = {
        "psi": psi,
        "alpha": np.arcsin(np.clip(-dot(beam, normal), -1, 1)),
        "beta": np.arcsin(np.clip(dot(out, normal), -1, 1)),
        "tau": np.arccos(np.clip(dot(along, normal), -1, 1)),
        "qaz": np.arctan2(along[:, 0], along[:, 2]),
        "tth": np.arccos(np.clip(dot(out, beam), -1, 1)),
    }
    return {name: np.rad2deg(value) for name, value in degrees.items()}
