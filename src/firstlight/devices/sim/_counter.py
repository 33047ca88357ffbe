"""Simulated counters: what they measure is a function of the exposure's window alone."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.devices._schedule import Schedule
from firstlight.devices.sim._axis import LATENCY
from firstlight.devices.sim._beamline import CURRENT, MACHINE, history
from firstlight.devices.sim._exposure import open_spans
from firstlight.devices.sim._faults import COUNTER, Fault, Faults
from firstlight.devices.sim._published import Board, MemoryBoard
from firstlight.devices.sim._spoilt import answer, check, factors
from firstlight.model import Block, ChannelRole, ChannelSpec, Clock, DeviceError, RealClock, TriggerMode, TriggerPlan
from firstlight.model.motion import positions
from firstlight.simulation import History, Machine, Peak, Ring, key, key_of, moment_key, poisson

_NODES = 16
"""Moments at which a diode looks at moving axes within one exposure."""


class SimCounter(ABC):
    """A counter with one channel, in all three trigger modes; those derived say what it measures.

    :param board: axes for triggers by position and for what is measured; without it there is no such trigger.
    """

    def __init__(self, name: str, unit: str, *, clock: Clock | None = None, board: Board | None = None) -> None:
        self.name = name
        self.channels: Sequence[ChannelSpec] = (ChannelSpec(name, unit=unit, source=name, role=ChannelRole.COUNTER),)
        modes = {TriggerMode.SOFTWARE, TriggerMode.TIME}
        self.modes = frozenset(modes if board is None else {*modes, TriggerMode.POSITION})
        self._clock: Clock = clock or RealClock()
        self._board = board
        self._schedule: Schedule | None = None
        self._exposure = 0.0
        self._start = 0.0
        self._collected = 0
        self.faults = Faults(name, COUNTER, self._clock, board if board is not None else MemoryBoard())

    @abstractmethod
    def value(self, start: float, stop: float) -> float:
        """What an exposure from ``start`` to ``stop`` gives."""

    def values(self, starts: NDArray[np.float64], stops: NDArray[np.float64]) -> NDArray[np.float64]:
        """What several exposures give; those derived may do it faster."""
        return np.array([self.value(a, b) for a, b in zip(starts.tolist(), stops.tolist(), strict=True)])

    def prepare(self, plan: TriggerPlan) -> None:
        """Get ready for a run.

        :raises DeviceError: when the mode is not one of :attr:`modes`, or the plan cannot be kept.
        """
        self.faults.check()
        if plan.mode not in self.modes:
            raise DeviceError(self.name, f"cannot be triggered by {plan.mode}.")
        self._exposure = plan.exposure
        self._collected = 0
        self._schedule = None
        if plan.mode is not TriggerMode.SOFTWARE:
            self._schedule = Schedule(self.name, plan, None if self._board is None else self._board.motion)

    def start(self, moment: float) -> None:
        """Software: one exposure starts at ``moment``. Time: the first one does. Position: arm."""
        self.faults.check()
        if self._schedule is None:
            self._start = moment
        else:
            self._schedule.arm(moment)

    def read(self) -> Any:
        """The value of the exposure that was started last, in a sequence; to be awaited while faults are set."""
        if self.faults.active:
            return self._read_badly()
        return (self.value(self._start, self._start + self._exposure),)

    def collect(self) -> Sequence[Block]:
        """The exposures completed since the last call."""
        if self._schedule is None:
            return ()
        now = self._clock.now()
        if self.faults.active:
            check(self.faults)
            if self.faults.since(Fault.SILENT) is not None:
                return ()
        starts = self._schedule.starts(self._collected, now - self._exposure)
        if not len(starts):
            return ()
        self._schedule.keep(now)
        values = self._spoilt(starts, self.values(starts, starts + self._exposure))
        block = Block(self.name, self._collected, values, now)
        self._collected += len(starts)
        return (block,)

    def stop(self) -> None:
        """No more exposures; idempotent."""
        if self._schedule is not None:
            self._schedule.end(self._clock.now())

    # -- what goes wrong on demand

    async def _read_badly(self) -> Sequence[float]:
        await answer(self.faults)
        value = self.value(self._start, self._start + self._exposure)
        return (float(self._spoilt(np.array([self._start]), np.array([value]))[0]),)

    def _spoilt(self, starts: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values with the faults that are set."""
        if not self.faults.active:
            return values
        wrong, lost = factors(self.faults, starts)
        return np.where(lost, np.nan, values * wrong)


class RingCurrent(SimCounter):
    """The ring's current, mean over the exposure, mA; and the ring itself, whose beam can be lost and refilled.

    :param machine: what the ring does to the light beside its current.
    :param board: where beamlines and cameras find the ring.
    """

    def __init__(
        self,
        name: str,
        ring: Ring | None = None,
        machine: Machine | None = None,
        *,
        clock: Clock | None = None,
        board: MemoryBoard | None = None,
    ) -> None:
        super().__init__(name, "mA", clock=clock, board=board)
        self.ring = ring or Ring()
        self.machine = machine or Machine()
        self._published = board if board is not None else MemoryBoard()
        self._published.post_text(name, MACHINE, json.dumps(asdict(self.machine)))
        self._post(0.0, self.ring)

    @property
    def current(self) -> float:
        """Current now, mA."""
        now = self._clock.now()
        return self._history(now).mean(now, now)

    def value(self, start: float, stop: float) -> float:
        """Mean current, exact."""
        return self._history(start).mean(start, stop)

    def lose_beam(self, after: float = 0.0, refill: float | None = None) -> None:
        """Dump the beam.

        :param after: seconds from now.
        :param refill: seconds from the loss until the ring is full again; None leaves it empty.
        """
        moment = self._clock.now() + max(after, LATENCY)
        self._post(moment, Ring(0.0, self.ring.lifetime, math.inf, moment))
        if refill is not None:
            self._refill(moment + refill)

    def refill(self, after: float = 0.0) -> None:
        """Fill the ring and go on with top-up.

        :param after: seconds from now.
        """
        self._refill(self._clock.now() + max(after, LATENCY))

    def truth(self) -> dict[str, Any]:
        """The law of the current, and what disturbs the light."""
        return {
            "current": self.ring.current, "current@units": "mA",
            "lifetime": self.ring.lifetime, "lifetime@units": "s",
            "interval": self.ring.interval, "interval@units": "s",
            "dip": self.machine.dip,
        }  # fmt: skip

    def _refill(self, moment: float) -> None:
        self._post(moment, replace(self.ring, phase=moment))

    def _post(self, moment: float, ring: Ring) -> None:
        row = [moment, ring.current, ring.lifetime, ring.interval, ring.phase]
        self._published.post_values(self.name, CURRENT, np.array([row]))

    def _history(self, since: float) -> History:
        return history(self._published.values(self.name, CURRENT, since))


class Diode(SimCounter):
    """A counting diode behind the sample: counts = ∫ (rate · I(t)/I₀ · shutter(t) · Π peaks(x(t)) + dark) dt + noise.

    :param rate: counts/s at the ring's full current, on the peaks.
    :param dark: counts/s without beam.
    :param shutter: name of the shutter before it; empty for none.
    :param peaks: by the name of an axis (dial), how the intensity depends on it.
    :param noise: whether counts are Poisson numbers; otherwise their mean.
    """

    def __init__(
        self,
        name: str,
        *,
        rate: float = 1e6,
        dark: float = 0.0,
        shutter: str = "",
        peaks: Mapping[str, Peak] | None = None,
        ring: Ring | None = None,
        noise: bool = True,
        seed: int = 0,
        clock: Clock | None = None,
        board: Board | None = None,
    ) -> None:
        super().__init__(name, "count", clock=clock, board=board)
        if board is None and (shutter or peaks):
            raise DeviceError(name, "sees a shutter or an axis, but no board that publishes them.")
        self.ring = ring or Ring()
        self._rate = rate
        self._dark = dark
        self._shutter = shutter
        self._peaks = dict(peaks or {})
        self._noise = noise
        self._state = key(seed, key_of(name))

    def value(self, start: float, stop: float) -> float:
        """Counts."""
        mean = self._mean(start, stop)
        # Keyed by the moment, so that a point reads the same in whichever block it is collected.
        return float(poisson(mean, moment_key(self._state, start))) if self._noise else mean

    def _mean(self, start: float, stop: float) -> float:
        spans = [(start, stop)]
        if self._shutter and self._board is not None:
            spans = open_spans(self._board.shutter(self._shutter, start), start, stop)
        dark = self._dark * (stop - start)
        beam = sum(self.ring.charge(a, b) * self._response(a, b) for a, b in spans)
        return dark + self._rate * beam / self.ring.current if beam else dark

    def _response(self, start: float, stop: float) -> float:
        response = 1.0
        moments = start + (np.arange(_NODES) + 0.5) * ((stop - start) / _NODES)
        product: NDArray[np.float64] | None = None
        for axis, peak in self._peaks.items():
            assert self._board is not None
            rows = self._board.motion(axis, start)
            if len(rows) == 1 and rows[0, 1] == 0.0:
                response *= float(peak.at(rows[0, 2]))
                continue
            values = peak.at(positions(rows, moments))
            product = values if product is None else product * values
        return response if product is None else response * float(product.mean())
