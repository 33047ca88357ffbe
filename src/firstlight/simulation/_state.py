"""The beam at one place, at many moments at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.simulation._special import normal_cdf, normal_pdf

if TYPE_CHECKING:
    from firstlight.simulation._undulator import Spectrum

Array = NDArray[np.float64]

FWHM = 2.3548200450309493
"""Full width at half maximum of a gaussian, in units of σ."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One transverse direction of the beam: a gaussian, of which slits have left a window. Arrays of shape (n,).

    Rays come from a point, so a window keeps its share of the gaussian on the way: its edges are kept in units of σ
    from the centre, and a second slit cuts exactly.

    :param centre: of the gaussian, mm from the design orbit.
    :param slope: of its central ray, mrad.
    :param source: σ of the source, mm.
    :param spread: σ of the divergence, mrad.
    :param low: lower edge of the window, in σ from the centre.
    :param high: upper edge.
    :param distance: from the source, m.
    """

    centre: Array
    slope: Array
    source: Array
    spread: Array
    low: Array
    high: Array
    distance: float = 0.0

    @property
    def sigma(self) -> Array:
        """σ of the gaussian here, mm."""
        return np.asarray(np.hypot(self.source, self.spread * self.distance))

    @property
    def passed(self) -> Array:
        """Share of the gaussian within the window."""
        return np.maximum(normal_cdf(self.high) - normal_cdf(self.low), 0.0)

    @property
    def mean(self) -> Array:
        """Centre of mass, mm; the gaussian's centre where nothing is left."""
        passed = self.passed
        moment = normal_pdf(self.low) - normal_pdf(self.high)
        return np.asarray(
            self.centre + self.sigma * np.divide(moment, passed, out=np.zeros_like(passed), where=passed > 1e-12)
        )

    @property
    def rms(self) -> Array:
        """Root mean square size, mm."""
        passed = self.passed
        lit = passed > 1e-12
        low, high = normal_pdf(self.low), normal_pdf(self.high)
        edges = _edge(self.low, low) - _edge(self.high, high)
        first = np.divide(low - high, passed, out=np.zeros_like(passed), where=lit)
        second = np.divide(edges, passed, out=np.zeros_like(passed), where=lit)
        return np.where(lit, self.sigma * np.sqrt(np.maximum(1.0 + second - first**2, 0.0)), 0.0)

    @property
    def fwhm(self) -> Array:
        """Full width at half of the gaussian's maximum, or of the window where that is narrower, mm."""
        half = 0.5 * FWHM
        return np.asarray(self.sigma * np.maximum(np.minimum(self.high, half) - np.maximum(self.low, -half), 0.0))

    @property
    def edges(self) -> tuple[Array, Array]:
        """The window, mm; infinite where no slit cut."""
        sigma = self.sigma
        return self.centre + self.low * sigma, self.centre + self.high * sigma

    def drift(self, distance: float) -> Profile:
        """The same further on.

        :param distance: from the source, m.
        """
        return replace(self, centre=self.centre + self.slope * (distance - self.distance), distance=distance)

    def turn(self, angle: ArrayLike) -> Profile:
        """The same with all rays turned by ``angle``, mrad."""
        return replace(self, slope=self.slope + np.asarray(angle, dtype=np.float64))

    def share(self, low: ArrayLike, high: ArrayLike) -> Array:
        """What share of the beam lies between two positions (mm)."""
        inside, passed = self.clip(low, high).passed, self.passed
        return np.divide(inside, passed, out=np.zeros_like(passed), where=passed > 0.0)

    def clip(self, low: ArrayLike, high: ArrayLike) -> Profile:
        """What passes between two positions (mm)."""
        sigma = self.sigma
        low = np.maximum(self.low, (np.asarray(low, dtype=np.float64) - self.centre) / sigma)
        high = np.minimum(self.high, (np.asarray(high, dtype=np.float64) - self.centre) / sigma)
        return replace(self, low=np.minimum(low, high), high=high)

    def take(self, indices: NDArray[np.intp]) -> Profile:
        """The same at some of the moments, in any order and number."""
        return Profile(
            self.centre[indices],
            self.slope[indices],
            self.source[indices],
            self.spread[indices],
            self.low[indices],
            self.high[indices],
            self.distance,
        )

    def density(self, positions: ArrayLike) -> Array:
        """Share of the beam per mm at positions (mm): shape (n, positions); its integral is 1.

        :param positions: shape (m,).
        """
        sigma, passed = self.sigma[:, None], self.passed[:, None]
        u = (np.asarray(positions, dtype=np.float64)[None, :] - self.centre[:, None]) / sigma
        inside = (u >= self.low[:, None]) & (u <= self.high[:, None]) & (passed > 0.0)
        return np.divide(normal_pdf(u), sigma * passed, out=np.zeros(u.shape), where=inside)


@dataclass(frozen=True, slots=True)
class BeamState:
    """The beam at one place, at n moments.

    :param moments: shape (n,), s of the machine's clock.
    :param energies: photon energies of the beam's lines, (n, k), keV: first the one that is wanted, then harmonics.
    :param fluxes: photons/s of each line, (n, k).
    :param bandwidth: full width at half maximum of the first line, (n,), keV.
    :param horizontal: position, size and direction along x, which points away from the ring.
    :param vertical: the same along y, which points up.
    :param spectrum: of the source, as long as no monochromator has chosen lines.
    :param filters: transmissions on the way so far, functions of energies (keV) of shape (n, k).
    """

    moments: Array
    energies: Array
    fluxes: Array
    bandwidth: Array
    horizontal: Profile
    vertical: Profile
    spectrum: Spectrum | None = None
    filters: tuple[Callable[[Array], Array], ...] = ()

    @property
    def flux(self) -> Array:
        """Photons/s of the first line, (n,)."""
        return self.fluxes[:, 0]

    @property
    def energy(self) -> Array:
        """Photon energy of the first line, (n,), keV."""
        return self.energies[:, 0]

    @property
    def x(self) -> Array:
        """Horizontal centre of mass, (n,), mm."""
        return self.horizontal.mean

    @property
    def y(self) -> Array:
        """Vertical centre of mass, (n,), mm."""
        return self.vertical.mean

    @property
    def width(self) -> Array:
        """Horizontal full width at half maximum, (n,), mm."""
        return self.horizontal.fwhm

    @property
    def height(self) -> Array:
        """Vertical full width at half maximum, (n,), mm."""
        return self.vertical.fwhm

    @property
    def distance(self) -> float:
        """From the source, m."""
        return self.vertical.distance

    def drift(self, distance: float) -> BeamState:
        """The beam further on, with nothing in between.

        :param distance: from the source, m.
        """
        return replace(self, horizontal=self.horizontal.drift(distance), vertical=self.vertical.drift(distance))

    def scaled(self, factors: ArrayLike) -> BeamState:
        """The beam weakened by factors of shape (n, k), (n, 1) or ()."""
        return replace(self, fluxes=self.fluxes * np.asarray(factors, dtype=np.float64))

    def filtered(self, transmission: Callable[[Array], Array]) -> BeamState:
        """The beam behind something whose transmission depends on the energy.

        :param transmission: of energies (n, k) in keV, the same shape.
        """
        fluxes = self.fluxes * transmission(self.energies)
        return replace(self, fluxes=fluxes, filters=(*self.filters, transmission))

    def clipped(
        self,
        *,
        x: tuple[ArrayLike, ArrayLike] = (-np.inf, np.inf),
        y: tuple[ArrayLike, ArrayLike] = (-np.inf, np.inf),
    ) -> BeamState:
        """What passes a rectangular opening, exactly; positions in mm."""
        horizontal, vertical = self.horizontal.clip(*x), self.vertical.clip(*y)
        before, after = self.horizontal.passed * self.vertical.passed, horizontal.passed * vertical.passed
        share = np.divide(after, before, out=np.zeros_like(before), where=before > 0.0)
        return replace(self, fluxes=self.fluxes * share[:, None], horizontal=horizontal, vertical=vertical)

    def take(self, indices: NDArray[np.intp], moments: Array) -> BeamState:
        """The beam of some of the moments, for detectors: it keeps no spectrum.

        :param indices: in any order and number.
        :param moments: to put in their place.
        """
        return BeamState(
            moments,
            self.energies[indices],
            self.fluxes[indices],
            self.bandwidth[indices],
            self.horizontal.take(indices),
            self.vertical.take(indices),
        )

    def density(self, x: ArrayLike, y: ArrayLike) -> Array:
        """Photons/s/mm² of the first line on a grid, (n, rows, columns).

        :param x: positions of the columns, mm.
        :param y: positions of the rows, mm.
        """
        across, down = self.horizontal.density(x), self.vertical.density(y)
        return np.asarray(self.flux[:, None, None] * down[:, :, None] * across[:, None, :])


def _edge(edge: Array, density: Array) -> Array:
    # u φ(u), which is 0 at an infinite edge.
    return np.multiply(edge, density, out=np.zeros_like(density), where=np.isfinite(edge))
