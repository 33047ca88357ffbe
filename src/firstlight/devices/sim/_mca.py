"""A simulated fluorescence detector: spectra of what a plate emits under a beam."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.devices._mca import Mca, Spectra
from firstlight.devices._schedule import Schedule
from firstlight.devices._spectrum import Calibration
from firstlight.devices.sim._faults import COUNTER, Fault, Faults
from firstlight.devices.sim._parts import Illumination
from firstlight.devices.sim._spoilt import answer, check, factors
from firstlight.model import Clock, TriggerMode, TriggerPlan
from firstlight.simulation import FluorescentPlate, PulseDetector, key, key_of, moment_key, poisson, poissons

_KEPT = 8


class SimMca(Mca):
    """Spectra of a :class:`~firstlight.simulation.FluorescentPlate` by one or several pulse detectors.

    A spectrum depends on the seed, the detector's name and the exposure alone.

    :param plate: what is in the beam.
    :param pulses: how pulses are recorded; the same for all elements.
    :param beam: what falls on the plate, and which axes move it.
    :param parts: into which an exposure is cut while something moves.
    :param noise: whether counts are Poisson numbers; otherwise rounded means.
    :ivar faults: what it does wrong on demand.
    """

    def __init__(
        self,
        name: str,
        plate: FluorescentPlate,
        pulses: PulseDetector,
        beam: Illumination,
        *,
        elements: int = 1,
        rois: Mapping[str, Any] | None = None,
        parts: int = 8,
        noise: bool = True,
        seed: int = 0,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(
            name,
            pulses.bins,
            elements=elements,
            modes=frozenset(TriggerMode),
            calibration=Calibration(offset=pulses.offset, gain=pulses.gain),
            rois=rois,
            clock=clock,
        )
        self.plate = plate
        self.pulses = pulses
        self.beam = beam
        self._parts = parts
        self._noise = noise
        self._state = key(seed, key_of(name))
        self._responses: dict[float, NDArray[np.float64]] = {}
        self._schedule: Schedule | None = None
        self._exposure = 0.0
        self._start = 0.0
        self._given = 0
        self.faults = Faults(name, COUNTER, self._clock, beam.board)

    def arm(self, plan: TriggerPlan) -> None:
        """Get ready for a run.

        :raises NotFound: when nobody publishes what it looks at.
        """
        self.faults.check()
        self.beam.check(self._clock.now())
        self._exposure = plan.exposure
        self._given = 0
        self._schedule = None
        if plan.mode is not TriggerMode.SOFTWARE:
            self._schedule = Schedule(self.name, plan, self.beam.board.motion)

    def start(self, moment: float) -> None:
        """Software: one exposure starts at ``moment``. Time: the first one does. Position: arm."""
        self.faults.check()
        if self._schedule is None:
            self._start = moment
        else:
            self._schedule.arm(moment)

    def spectra(self) -> Spectra | Awaitable[Spectra]:
        """The point that was started last, or the points completed since the last call; of a point by software to be
        awaited while faults are set.
        """
        if self._schedule is None:
            starts = np.array([self._start])
            return self._badly(starts) if self.faults.active else self._measure(starts)
        if self.faults.active:
            check(self.faults)
            if self.faults.since(Fault.SILENT) is not None:
                return self._measure(np.empty(0))
        now = self._clock.now()
        starts = self._schedule.starts(self._given, now - self._exposure)
        self._schedule.keep(now)
        self._given += len(starts)
        return self._spoilt(starts, self._measure(starts))

    def stop(self) -> None:
        """No more exposures; idempotent."""
        if self._schedule is not None:
            self._schedule.end(self._clock.now())

    def arriving(self, start: float, stop: float) -> NDArray[np.float64]:
        """Pulses per second and bin that reach each element during an exposure, on average, before any is lost."""
        total = np.zeros(self.bins)
        if stop <= start:
            return total
        for part in self.beam.parts(start, stop, self._parts):
            if part.photons > 0.0:
                emitted = self.plate.emission(part.energy, part.middle("x"), part.middle("z"))
                total += part.photons * (emitted @ self._response(part.energy))
        return total / (stop - start)

    def truth(self) -> dict[str, Any]:
        """What is true of plate, detector and beam."""
        p = self.pulses
        return {
            **self.plate.truth(),
            **self.beam.truth(),
            "detector": {
                "offset": p.offset,
                "offset@units": "keV",
                "gain": p.gain,
                "gain@units": "keV",
                "noise": p.noise,
                "noise@units": "keV",
                "fano": p.fano,
                "dead_time": p.dead_time,
                "dead_time@units": "s",
                "resolving_time": p.resolving_time,
                "resolving_time@units": "s",
            },
        }

    def _measure(self, starts: NDArray[np.float64]) -> Spectra:
        count, seconds = len(starts), self._exposure
        shape = (count, self.elements)
        counts = np.zeros((*shape, self.bins), dtype=self._dtype)
        arriving, live = np.zeros(shape), np.full(shape, seconds)
        for k, start in enumerate(starts.tolist()):
            recorded = self.pulses.record(self.arriving(start, start + seconds))
            mean = recorded.counts * seconds
            lost = (recorded.arriving - recorded.recorded) * seconds
            for element in range(self.elements):
                state = key(moment_key(self._state, start), element)
                counts[k, element] = poissons(mean, state) if self._noise else np.rint(mean)
                missed = poisson(lost, key(state, 1)) if self._noise else lost
                if seconds > 0.0:
                    arriving[k, element] = (float(counts[k, element].sum()) + missed) / seconds
            if recorded.arriving > 0.0:
                live[k] = seconds * recorded.recorded / recorded.arriving
        taken = counts.sum(axis=2) / seconds if seconds > 0.0 else np.zeros(shape)
        return Spectra(counts, np.full(shape, seconds), live, arriving, taken)

    async def _badly(self, starts: NDArray[np.float64]) -> Spectra:
        await answer(self.faults)
        return self._spoilt(starts, self._measure(starts))

    def _spoilt(self, starts: NDArray[np.float64], spectra: Spectra) -> Spectra:
        """Spectra with the faults that are set: the rates of pulses are wrong, the times are not."""
        if not (self.faults.active and len(starts)):
            return spectra
        wrong, lost = factors(self.faults, starts)
        wrong = np.maximum(wrong, 0.0)
        largest = float(np.iinfo(self._dtype).max)
        counts = np.minimum(np.rint(spectra.counts * wrong[:, None, None]), largest).astype(self._dtype)
        rates = {part: getattr(spectra, part) * wrong[:, None] for part in ("input_rate", "output_rate")}
        return replace(spectra, counts=counts, good=~lost, **rates)

    def _response(self, energy: float) -> NDArray[np.float64]:
        energy = round(energy, 5)
        if energy not in self._responses:
            if len(self._responses) >= _KEPT:
                del self._responses[next(iter(self._responses))]
            self._responses[energy] = self.pulses.response(self.plate.lines(energy)[1])
        return self._responses[energy]
