"""h, k and l from their configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from firstlight.crystallography import Diffractometer, Geometry, Lattice, geometry
from firstlight.devices._configuration import AxisReference, Configuration, Misfit, parse, unit
from firstlight.devices._surroundings import Surroundings
from firstlight.devices.calc._build import axis_of
from firstlight.devices.calc._hkl import Hkl


class HklConfiguration(Configuration):
    """h, k and l of a diffractometer: the axes ``name.h``, ``name.k`` and ``name.l``."""

    name: Annotated[str, Field(min_length=1)]
    geometry: str
    """E4CV, E4CH, psic, sixc, K4CV, K6C or zaxis."""
    circles: dict[str, AxisReference]
    """Name of each circle of the geometry to the axis that turns it."""
    lattice: tuple[float, float, float, float, float, float] = (1.0, 1.0, 1.0, 90.0, 90.0, 90.0)
    """a, b, c in Å and alpha, beta, gamma in degrees."""
    energy: Annotated[float, unit("keV")] = Field(default=12.398419843320026, gt=0)
    """Of the photons, keV."""
    mode: str | None = None
    """The mode to begin with; the first of the geometry when not given."""
    cuts: dict[str, Annotated[float, unit("deg")]] = Field(default_factory=dict)
    """Name of circles to where their turn starts, degrees; -180 when not given."""

    @model_validator(mode="after")
    def _consistent(self) -> HklConfiguration:
        Lattice(*self.lattice)
        kind = self._kind()
        if self.mode is not None:
            kind.mode(self.mode)
        return self

    def _kind(self) -> Geometry:
        return geometry(self.geometry)

    def brings(self) -> tuple[str, ...]:
        """h, k and l."""
        return ("h", "k", "l")

    def misfits(self, others: Mapping[str, Configuration]) -> Iterator[Misfit]:
        """Circles that the geometry has not, or that no axis turns, and one axis for two circles."""
        known = self._kind().axes
        for key, names in (("circles", self.circles), ("cuts", self.cuts)):
            for name in names:
                if name not in known:
                    yield Misfit((key, name), f"{self.geometry} has no such circle.", name, known)
        missing = [name for name in known if name not in self.circles]
        if missing:
            yield Misfit(("circles",), f"No axis is given for {', '.join(missing)}.")
        axes = list(self.circles.values())
        for index, (circle, axis) in enumerate(self.circles.items()):
            if axis in axes[:index]:
                yield Misfit(("circles", circle), f"{axis} is given for two of its circles.")


def hkl(config: Mapping[str, Any], surroundings: Surroundings) -> Hkl:
    """Build a ``calc.hkl``."""
    c = parse(HklConfiguration, config, "calc.hkl")
    diffractometer = Diffractometer(c.geometry, Lattice(*c.lattice))
    diffractometer.energy = c.energy
    if c.mode is not None:
        diffractometer.mode = c.mode
    diffractometer.cuts |= c.cuts
    return Hkl(c.name, diffractometer, {role: axis_of(axis, c.name, surroundings) for role, axis in c.circles.items()})
