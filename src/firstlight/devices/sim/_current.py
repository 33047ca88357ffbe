"""Detectors that turn the beam into a current: ion chambers and photodiodes."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.devices.sim._beamline import Beam
from firstlight.devices.sim._counter import SimCounter
from firstlight.model import Clock, DeviceError, TriggerPlan
from firstlight.simulation import GasCell, key, key_of, material, moment_key, normal, transmission

ELEMENTARY = 1.602176634e-19
"""C."""

PAIR_ENERGY = {"nitrogen": 34.8, "argon": 26.4, "helium": 41.3, "krypton": 24.4, "air": 33.8}
"""Mean energy that an ion pair takes, eV (ICRU Report 31, 1979)."""

SILICON_PAIR = 3.66
"""Mean energy of an electron-hole pair in silicon, eV (F. Scholze et al., Metrologia 37 (2000) 359)."""

_SHORTEST = 1e-6
"""Seconds that an exposure of none is taken for."""


class CurrentMeter(SimCounter):
    """The mean current of a detector in the beam over the exposure, A, as an amplifier and a converter read it.

    current = ∫ Σ_lines flux · charge per photon dt / exposure + dark, with the shot noise of the photons and a white
    noise of the amplifier; beyond what the converter takes, it reads its largest value.

    :param beam: of the beamline.
    :param where: an element of it, or a distance in m.
    :param gain: of the amplifier, V/A.
    :param dark: current without beam, A.
    :param noise: of the amplifier, A/√Hz.
    :param full_scale: of the converter, V.
    :param seed: of the noise; None for none.
    """

    def __init__(
        self,
        name: str,
        beam: Beam,
        where: str | float,
        *,
        gain: float = 1e6,
        dark: float = 0.0,
        noise: float = 0.0,
        full_scale: float = 10.0,
        seed: int | None = 0,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(name, "A", clock=clock, board=beam.board)
        self.beam = beam
        self.where = where
        self.gain = gain
        self.dark = dark
        self.noise = noise
        self.full_scale = full_scale
        self._state = None if seed is None else key(seed, key_of(name))

    def prepare(self, plan: TriggerPlan) -> None:
        """Get ready for a run.

        :raises DeviceError: when the plan cannot be kept, or something on the way of the beam is not published.
        """
        self.check()
        super().prepare(plan)

    @abstractmethod
    def electrons(self, energies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Elementary charges that a photon of each energy (keV) gives, on average."""

    @property
    def range(self) -> float:
        """The largest current that can be read, A."""
        return self.full_scale / self.gain

    def value(self, start: float, stop: float) -> float:
        """Mean current, A."""
        return float(self.values(np.array([start]), np.array([stop]))[0])

    def values(self, starts: NDArray[np.float64], stops: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean currents of several exposures, A."""
        stops = np.maximum(stops, starts + _SHORTEST)
        seconds = stops - starts
        means, variances = self._signal(starts, stops)
        currents = means / seconds + self.dark
        if self._state is not None:
            states = [moment_key(self._state, start) for start in starts.tolist()]
            normals = np.array([normal(state) for state in states])
            currents += normals * np.sqrt(variances / seconds**2 + self.noise**2 / (2.0 * seconds))
        return np.clip(currents, -self.range, self.range)

    def check(self) -> None:
        """See that all that the beam needs is published.

        :raises DeviceError: with the name that is missing.
        """
        try:
            self.beam.check(self.where)
        except LookupError as error:
            message, hint = getattr(error, "message", str(error)), getattr(error, "hint", "")
            raise DeviceError(self.name, message, hint=hint) from error

    def truth(self) -> dict[str, Any]:
        """What it adds to the beam."""
        return {"dark": self.dark, "dark@units": "A", "gain": self.gain, "gain@units": "V/A"}

    def _signal(
        self, starts: NDArray[np.float64], stops: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Charge (A s) of each exposure, and its variance by the statistics of the photons."""
        seen = self.beam.during(starts, stops, self.where)
        charges = ELEMENTARY * self.electrons(seen.beam.energies)
        mean = seen.sums((seen.beam.fluxes * charges).sum(axis=1))
        # Each photon that is absorbed gives its whole charge: Σ N p q², with q the charge of one.
        whole = ELEMENTARY * self.whole(seen.beam.energies)
        return mean, seen.sums((seen.beam.fluxes * charges * whole).sum(axis=1))

    @abstractmethod
    def whole(self, energies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Elementary charges of one photon of each energy (keV) that is absorbed."""


class IonChamber(CurrentMeter):
    """An ion chamber: the gas of an element of the beamline, between electrodes.

    A photon that is absorbed by the photoelectric effect gives its energy to the gas, one pair of charges for W eV.

    :param where: name of the gas in the beamline.
    """

    @property
    def cell(self) -> GasCell:
        """Its gas.

        :raises DeviceError: when the element is no gas.
        """
        element = self.beam.optics.element(str(self.where))
        if not isinstance(element, GasCell):
            raise DeviceError(self.name, f"{self.where} is no gas of the beamline {self.beam.name}.")
        return element

    def electrons(self, energies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share that is absorbed, times E/W."""
        return self.cell.ionising(energies) * self.whole(energies)

    def whole(self, energies: NDArray[np.float64]) -> NDArray[np.float64]:
        """E/W."""
        return np.asarray(1e3 * energies / PAIR_ENERGY[self.cell.gas])


class PhotoDiode(CurrentMeter):
    """A silicon diode without bias that stops a part of the beam.

    :param thickness: of the silicon, mm.
    """

    def __init__(self, name: str, beam: Beam, where: str | float, *, thickness: float = 0.3, **settings: Any) -> None:
        super().__init__(name, beam, where, **settings)
        self.thickness = thickness

    def electrons(self, energies: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share that is absorbed, times E/3.66 eV."""
        return (1.0 - transmission(material("Si"), self.thickness, energies)) * self.whole(energies)

    def whole(self, energies: NDArray[np.float64]) -> NDArray[np.float64]:
        """E/3.66 eV."""
        return np.asarray(1e3 * energies / SILICON_PAIR)
