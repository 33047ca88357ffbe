"""Spectrum detectors: a spectrum and its statistics per point and element, and counters for regions of it."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from firstlight.devices._configuration import parse
from firstlight.devices._regions import Regions
from firstlight.devices._spectrum import Calibration, SpectrumRegion
from firstlight.model import (
    Block,
    ChannelRole,
    ChannelSpec,
    Clock,
    DeviceError,
    InvalidInput,
    RealClock,
    TriggerMode,
    TriggerPlan,
    missing_value,
)

_STATISTICS = {"real_time": "s", "live_time": "s", "input_rate": "1/s", "output_rate": "1/s", "dead_time": ""}


@dataclass(frozen=True, slots=True)
class Spectra:
    """What a spectrum detector measured at consecutive points.

    :param counts: (points, elements, bins), integers or floats.
    :param real_time: (points, elements), s that were counted.
    :param live_time: (points, elements), s during which the electronics took pulses.
    :param input_rate: (points, elements), pulses/s that arrived.
    :param output_rate: (points, elements), pulses/s in the spectrum.
    :param good: (points,), False where the hardware lost a point; None when it lost none.
    """

    counts: NDArray[Any]
    real_time: NDArray[np.float64]
    live_time: NDArray[np.float64]
    input_rate: NDArray[np.float64]
    output_rate: NDArray[np.float64]
    good: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def dead_time(self) -> NDArray[np.float64]:
        """Fraction of the time during which pulses were lost."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(1.0 - self.live_time / self.real_time)


class Mca(ABC):
    """Base of drivers of spectrum detectors; those derived talk to the hardware.

    Channels of a detector ``mca``: ``mca:spectrum`` (the sum when there are several elements); the statistics
    ``mca:real_time``, ``live_time`` (s), ``input_rate``, ``output_rate`` (1/s) and ``dead_time`` (a fraction); and a
    counter per region, ``mca:Fe_ka``. With several elements each has its own, ``mca:det0``, ``mca:det0_live_time``,
    ``mca:det0_Fe_ka``, and the regions of the sum remain ``mca:Fe_ka``.

    Regions and calibration may be changed between runs: ``mca.rois["Fe_ka"] = (630, 650)``, or
    ``("6.3 keV", "6.5 keV")``.

    :param bins: of a spectrum.
    :param elements: of the detector.
    :param dtype: of the spectra.
    """

    def __init__(
        self,
        name: str,
        bins: int,
        *,
        elements: int = 1,
        modes: frozenset[TriggerMode] = frozenset({TriggerMode.SOFTWARE}),
        calibration: Calibration | None = None,
        rois: Mapping[str, Any] | None = None,
        dtype: str = "<u4",
        clock: Clock | None = None,
    ) -> None:
        self.name = name
        self.bins = bins
        self.elements = elements
        self.modes = modes
        self.changed: list[Callable[[Mca], None]] = []
        """Called after the regions or the calibration were changed."""
        self._dtype = np.dtype(dtype)
        self._clock: Clock = clock or RealClock()
        self._calibration = calibration or Calibration()
        self._channels: tuple[ChannelSpec, ...] | None = None
        self._running: tuple[tuple[int, int], ...] = ()
        self._collected = 0
        self.rois: Regions[SpectrumRegion] = Regions(name, self._region, self._tell, self._taken)
        """The regions by name."""
        self.rois.replace(rois or {})
        self._configured = (self._calibration, dict(self.rois.items()))

    # -- for those derived

    @abstractmethod
    def arm(self, plan: TriggerPlan) -> Awaitable[None] | None:
        """Get the hardware ready for a run."""

    @abstractmethod
    def start(self, moment: float) -> Awaitable[None] | None:
        """Software: begin to integrate one point now. Time: the first exposure starts at ``moment``. Position: arm."""

    @abstractmethod
    def spectra(self) -> Spectra | Awaitable[Spectra]:
        """What was acquired since the last call: software, exactly the point that was started last, when its exposure
        is over; time and position, without waiting, the points that are complete.
        """

    @abstractmethod
    def stop(self) -> Awaitable[None] | None:
        """End of the run, or abort; idempotent."""

    # -- settings

    @property
    def calibration(self) -> Calibration:
        """From channels to energies; assign a :class:`Calibration`, or its ``(offset, gain)`` in keV."""
        return self._calibration

    @calibration.setter
    def calibration(self, calibration: Calibration | Sequence[float]) -> None:
        if not isinstance(calibration, Calibration):
            if not 2 <= len(calibration) <= 3:
                raise InvalidInput(f"{self.name}: a calibration is (offset, gain) or (offset, gain, quadratic).")
            given = dict(zip(("offset", "gain", "quadratic"), calibration, strict=False))
            calibration = parse(Calibration, given, f"{self.name}: calibration")
        before, self._calibration = self._calibration, calibration
        try:
            for name, region in self.rois.items():
                self._region(name, region)
        except InvalidInput:
            self._calibration = before
            raise
        self._tell()

    def settings(self) -> dict[str, Any]:
        """What was changed since it was built and is kept, JSON values."""
        calibration, rois = self._configured
        kept: dict[str, Any] = {}
        if self._calibration != calibration:
            kept["calibration"] = self._calibration.model_dump()
        if dict(self.rois.items()) != rois:
            kept["rois"] = {name: region.model_dump() for name, region in self.rois.items()}
        return kept

    def restore(self, settings: Mapping[str, Any]) -> list[str]:
        """Set again what was changed in an earlier session.

        :param settings: of :meth:`settings`.
        :return: a sentence for what could not be restored; nothing was changed then.
        """
        before = self._calibration
        try:
            if "calibration" in settings:
                self._calibration = parse(Calibration, settings["calibration"], f"{self.name}: calibration")
            self.rois.replace(settings.get("rois", dict(self.rois.items())))
        except InvalidInput as error:
            self._calibration = before
            return [str(error)]
        self._tell()
        return []

    # -- the counter

    @property
    def channels(self) -> tuple[ChannelSpec, ...]:
        """Spectra, statistics and counters of regions, in the order in which they are read."""
        if self._channels is None:
            self._channels = tuple(self._describe())
        return self._channels

    @property
    def info(self) -> dict[str, Any]:
        """How it is set, for the file of a run."""
        c = self._calibration
        return {
            "type": "mca",
            "bins": self.bins,
            "elements": self.elements,
            "calibration": [c.offset, c.gain, c.quadratic],
            "calibration@units": c.unit,
        }

    def prepare(self, plan: TriggerPlan) -> Awaitable[None] | None:
        """Get ready for a run; regions are those of now.

        :raises DeviceError: when it cannot be triggered so.
        """
        if plan.mode not in self.modes:
            raise DeviceError(self.name, f"cannot be triggered by {plan.mode}.")
        self._running = tuple(region.channels(self._calibration) for region in self.rois.values())
        self._collected = 0
        return self.arm(plan)

    def read(self) -> Sequence[Any] | Awaitable[Sequence[Any]]:
        """The values of the point started last."""
        spectra = self.spectra()
        return self._awaited(spectra) if inspect.isawaitable(spectra) else self._point(spectra)

    def collect(self) -> Sequence[Block] | Awaitable[Sequence[Block]]:
        """The points acquired since the last call."""
        spectra = self.spectra()
        return self._blocks_of(spectra) if inspect.isawaitable(spectra) else self._blocks(spectra)

    async def _blocks_of(self, spectra: Awaitable[Spectra]) -> Sequence[Block]:
        return self._blocks(await spectra)

    def _blocks(self, spectra: Spectra) -> Sequence[Block]:
        if not len(spectra):
            return ()
        first, self._collected = self._collected, self._collected + len(spectra)
        now = self._clock.now()
        columns = self._columns(spectra)
        return [Block(spec.name, first, values, now) for spec, values in zip(self.channels, columns, strict=True)]

    async def _awaited(self, spectra: Awaitable[Spectra]) -> Sequence[Any]:
        return self._point(await spectra)

    def _point(self, spectra: Spectra) -> Sequence[Any]:
        if len(spectra) != 1:
            raise DeviceError(self.name, f"gave {len(spectra)} spectra for one point.")
        return [values[0] for values in self._columns(spectra)]

    def _columns(self, spectra: Spectra) -> list[NDArray[Any]]:
        """The values of all channels, in their order."""
        counts = spectra.counts
        if counts.shape[1:] != (self.elements, self.bins):
            raise DeviceError(
                self.name, f"gave spectra of shape {counts.shape[1:]}, not ({self.elements}, {self.bins})."
            )
        integers = self._dtype.kind in "iu"
        sums = [
            counts[:, :, low : high + 1].sum(axis=2, dtype=np.int64 if integers else np.float64)
            for low, high in self._running
        ]
        statistics = [np.asarray(getattr(spectra, part), dtype=np.float64) for part in _STATISTICS]
        columns: list[NDArray[Any]] = []
        if self.elements > 1:
            columns.append(counts.sum(axis=1, dtype=np.int64 if integers else np.float64))
            columns += [total.sum(axis=1) for total in sums]
        for element in range(self.elements):
            columns.append(counts[:, element].astype(self._dtype, copy=False))
            columns += [values[:, element] for values in statistics]
            columns += [total[:, element] for total in sums]
        if spectra.good is not None and not spectra.good.all():
            lost = ~np.asarray(spectra.good, dtype=bool)
            columns = [values.copy() for values in columns]
            for values in columns:
                values[lost] = missing_value(values.dtype)
        return columns

    def _describe(self) -> list[ChannelSpec]:
        c = self._calibration
        energies = {"calibration": [c.offset, c.gain, c.quadratic], "calibration@units": c.unit}
        total = "<i8" if self._dtype.kind in "iu" else "<f8"

        def spectrum(name: str, dtype: str, **more: Any) -> ChannelSpec:
            info = {**energies, **more}
            return ChannelSpec(name, dtype, (self.bins,), "count", self.name, role=ChannelRole.COUNTER, info=info)

        def regions(prefix: str, **more: Any) -> list[ChannelSpec]:
            made = []
            for name, region in self.rois.items():
                low, high = region.channels(c)
                selection = {"kind": "channels", "low": low, "high": high}
                if region.unit:
                    selection |= {"energy": [region.low, region.high], "energy@units": region.unit}
                part = f"{prefix}{name}".partition(":")[2]
                info = {"selection": selection, "region": part, **more}
                counter = ChannelSpec(prefix + name, total, (), "count", self.name, role=ChannelRole.COUNTER, info=info)
                made.append(counter)
            return made

        base = f"{self.name}:"
        made: list[ChannelSpec] = []
        if self.elements > 1:
            made += [spectrum(f"{base}spectrum", total, elements=self.elements), *regions(base)]
        for element in range(self.elements):
            single = self.elements == 1
            prefix = base if single else f"{base}det{element}_"
            of = {} if single else {"element": element}
            made.append(spectrum(f"{base}spectrum" if single else f"{base}det{element}", self._dtype.str, **of))
            made += [
                ChannelSpec(prefix + part, "<f8", (), unit, self.name, role=ChannelRole.COUNTER, info=of)
                for part, unit in _STATISTICS.items()
            ]
            made += regions(prefix, **of)
        return made

    def _region(self, name: str, given: Any) -> SpectrumRegion:
        try:
            region = SpectrumRegion.model_validate(given)
            low, high = region.channels(self._calibration)
        except ValidationError as error:
            reason = str(error.errors(include_url=False)[0]["msg"]).removeprefix("Value error, ").rstrip(".")
            raise InvalidInput(
                f"{self.name}: region {name}: {reason}.", hint='Write (300, 340), or ("6.3 keV", "6.5 keV").'
            ) from error
        except InvalidInput as error:
            raise InvalidInput(f"{self.name}: region {name}: {error.message}", hint=error.hint) from error
        if low > high or low < 0 or high >= self.bins:
            c = self._calibration
            first, last = c.energy([0, self.bins - 1])
            raise InvalidInput(
                f"{self.name}: region {name}: channels {low} to {high} are not in the spectrum.",
                hint=f"It has channels 0 to {self.bins - 1}, {first:.5g} to {last:.5g} {c.unit}.",
            )
        return region

    def _taken(self) -> frozenset[str]:
        parts = {"spectrum", *_STATISTICS}
        if self.elements > 1:
            elements = range(self.elements)
            parts |= {f"det{n}" for n in elements} | {f"det{n}_{part}" for n in elements for part in _STATISTICS}
        return frozenset(parts)

    def _tell(self) -> None:
        self._channels = None
        for listener in tuple(self.changed):
            listener(self)
