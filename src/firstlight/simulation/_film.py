"""X-ray reflectivity of a film that grows.

The recursion of L. G. Parratt, Phys. Rev. 95 (1954) 359-369, with the roughness of L. Névot, P. Croce, Rev. Phys.
Appl. 15 (1980) 761-779. Scattering length densities are 2π (δ + iβ) / λ² of the index of refraction.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import InvalidInput
from firstlight.simulation._elements import wavelength
from firstlight.simulation._materials import Material, composition, refraction

_FWHM = 2.0 * math.sqrt(2.0 * math.log(2.0))


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a stack.

    :param thickness: Å; of no meaning for the first and the last one.
    :param density: scattering length density, 1/Å²; its imaginary part is absorption.
    :param roughness: σ of the surface towards the layer before, Å.
    """

    thickness: float
    density: complex
    roughness: float = 0.0


def scattering_length_density(formula: str, density: float, energy: float) -> complex:
    """Of a material, 1/Å².

    :param density: g/cm³.
    :param energy: keV.
    """
    if not density > 0:
        raise InvalidInput(f"The density of {formula} is above zero, not {density!r}.")
    delta, beta = refraction(Material(formula, density), energy)
    return 2.0 * math.pi / wavelength(energy) ** 2 * complex(float(delta), float(beta))


def reflectivity(q: ArrayLike, layers: Sequence[Layer]) -> NDArray[np.float64]:
    """Specular reflectivity of a stack of layers.

    :param q: momentum transfer 4π sin θ / λ, 1/Å.
    :param layers: from the side of the beam to the substrate; both ends are infinite.
    :raises InvalidInput: with fewer than two layers.
    """
    if len(layers) < 2:
        raise InvalidInput("A reflecting stack has at least two layers: what the beam comes from, and a substrate.")
    q = np.asarray(q, dtype=np.float64)
    above = layers[0].density.real
    # Of both roots the one with an imaginary part below zero is a wave that decays on its way down.
    k = [np.sqrt(0.25 * q * q - 4.0 * np.pi * (complex(layer.density) - above + 1e-30j)) for layer in layers]
    k[0] = 0.5 * q + 0j
    ratio = np.zeros(q.shape, dtype=np.complex128)
    for j in range(len(layers) - 2, -1, -1):
        total = k[j] + k[j + 1]
        fresnel = np.divide(k[j] - k[j + 1], total, out=np.ones(q.shape, np.complex128), where=total != 0)
        fresnel = fresnel * np.exp(-2.0 * k[j] * k[j + 1] * layers[j + 1].roughness ** 2)
        if j + 1 < len(layers) - 1:
            ratio = ratio * np.exp(-2j * k[j + 1] * layers[j + 1].thickness)
        ratio = (fresnel + ratio) / (1.0 + fresnel * ratio)
    return np.asarray(np.abs(ratio) ** 2)


class GrowingFilm:
    """A film on a substrate under a small angle, whose thickness is start + rate · seconds of deposition.

    :param film: chemical formula; ``substrate`` likewise.
    :param film_density: g/cm³; ``substrate_density`` likewise.
    :param rate: nm per second of deposition.
    :param start: thickness before it, nm.
    :param film_roughness: σ, Å; ``substrate_roughness`` likewise.
    :param length: of the sample along the beam, mm.
    :param beam: full width at half maximum of the beam across the surface, mm; 0 for one without a footprint.
    :param acceptance: full width at half maximum of the detector in 2θ, degrees; where no axis moves the detector, it
        follows by itself.
    :param offset: degrees that the dial of θ reads too little.
    :param background: photons detected per incident photon, whatever the angle.
    """

    inputs: Mapping[str, str] = {"theta": "deg", "two_theta": "deg", "deposition": "s"}

    def __init__(
        self,
        film: str = "Fe",
        substrate: str = "Si",
        *,
        film_density: float = 7.874,
        substrate_density: float = 2.329,
        rate: float = 0.02,
        start: float = 0.0,
        film_roughness: float = 4.0,
        substrate_roughness: float = 2.0,
        length: float = 20.0,
        beam: float = 0.05,
        acceptance: float = 0.2,
        offset: float = 0.0,
        background: float = 1e-8,
    ) -> None:
        if min(rate, start, film_roughness, substrate_roughness, beam, background) < 0:
            raise InvalidInput("Rate, thickness, roughness, beam and background of a film are not below zero.")
        if not (length > 0 and acceptance > 0 and film_density > 0 and substrate_density > 0):
            raise InvalidInput("Length, acceptance and densities of a film are above zero.")
        composition(film), composition(substrate)
        self.film, self.substrate = (film, film_density), (substrate, substrate_density)
        self.rate, self.start = rate, start
        self.roughness = (film_roughness, substrate_roughness)
        self.offset = offset
        self._length, self._beam = length, beam
        self._acceptance, self._background = acceptance, background

    def thickness(self, deposition: float) -> float:
        """After so many seconds of deposition, nm."""
        return self.start + self.rate * deposition

    def layers(self, energy: float, deposition: float) -> list[Layer]:
        """The stack at an energy (keV), after seconds of deposition."""
        film, substrate = (scattering_length_density(*m, energy) for m in (self.film, self.substrate))
        thickness = 10.0 * self.thickness(deposition)
        below = Layer(0.0, substrate, self.roughness[1])
        return [Layer(0.0, 0j), *([Layer(thickness, film, self.roughness[0])] if thickness > 0 else []), below]

    def response(self, energy: NDArray[np.float64], at: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Photons at the detector per photon of the beam, (n,)."""
        theta = np.broadcast_to(at.get("theta", np.zeros(1)), energy.shape) + self.offset
        deposition = np.broadcast_to(at.get("deposition", np.zeros(1)), energy.shape)
        found = np.zeros(energy.shape)
        up = theta > 0.0
        for k in np.flatnonzero(up):
            q = 4.0 * math.pi * math.sin(math.radians(float(theta[k]))) / wavelength(float(energy[k]))
            found[k] = float(reflectivity(q, self.layers(float(energy[k]), float(deposition[k]))))
        found *= self.footprint(theta)
        if "two_theta" in at:
            off = (np.asarray(at["two_theta"]) - 2.0 * theta) / self._acceptance
            found *= np.exp2(-4.0 * off * off)
        return found + self._background

    def footprint(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of a gaussian beam that the sample catches at angles θ (degrees)."""
        if self._beam == 0.0:
            return np.ones(theta.shape)
        half = 0.5 * self._length * np.sin(np.radians(np.maximum(theta, 0.0)))
        sigma = self._beam / _FWHM
        return np.array([math.erf(h / (sigma * math.sqrt(2.0))) for h in np.atleast_1d(half)]).reshape(theta.shape)

    def truth(self) -> dict[str, Any]:
        """Materials, growth and roughness."""
        return {
            "technique": "reflectivity",
            "film": self.film[0],
            "film_density": self.film[1],
            "film_density@units": "g/cm^3",
            "substrate": self.substrate[0],
            "substrate_density": self.substrate[1],
            "substrate_density@units": "g/cm^3",
            "rate": self.rate,
            "rate@units": "nm/s",
            "start": self.start,
            "start@units": "nm",
            "film_roughness": self.roughness[0],
            "film_roughness@units": "angstrom",
            "substrate_roughness": self.roughness[1],
            "substrate_roughness@units": "angstrom",
            "theta_offset": self.offset,
            "theta_offset@units": "deg",
        }
