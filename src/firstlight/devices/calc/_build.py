"""Calculated axes from their configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Field, field_validator, model_validator

from firstlight.devices._axis import Axis
from firstlight.devices._configuration import AxisReference, Configuration, Misfit, parse, unit
from firstlight.devices._surroundings import Surroundings
from firstlight.devices.calc._axis import CalculatedAxis
from firstlight.devices.calc._calculation import Calculation
from firstlight.devices.calc._formulas import Formulas
from firstlight.devices.calc._monochromator import Monochromator, spacing
from firstlight.devices.calc._slits import Slits
from firstlight.devices.calc._table import Table, check_places
from firstlight.devices.calc._undulator import GapFormula, GapTable
from firstlight.model import Expression, InvalidInput

_C = TypeVar("_C", bound=Calculation)

Millimetres = Annotated[float, unit("mm")]
Angstroms = Annotated[float, unit("angstrom")]
KeV = Annotated[float, unit("keV")]
GeV = Annotated[float, unit("GeV")]
Name = Annotated[str, Field(min_length=1)]
Limits = tuple[float | str, float | str]
Place = tuple[Millimetres, Millimetres]


def _crystal(name: str) -> str:
    spacing(name)
    return name


class SlitsConfiguration(Configuration):
    """A gap and an offset of two blades: the axes ``name.gap`` and ``name.offset``."""

    name: Name
    positive: AxisReference
    """The blade on the positive side."""
    negative: AxisReference
    """The blade on the negative side."""
    opposed: bool = False
    """Each blade counts away from the beam: it opens upwards."""
    tolerance: float | None = Field(default=None, gt=0)
    """Farthest that a blade may be, on the way, from where gap and offset want it, in the unit of the blades."""
    limits: dict[str, Limits] = Field(default_factory=dict)
    """By ``gap`` or ``offset``: low and high limit, beside those of the blades."""

    def brings(self) -> tuple[str, ...]:
        """Gap and offset."""
        return ("gap", "offset")

    def misfits(self, others: Mapping[str, Configuration]) -> Iterator[Misfit]:
        """Limits of what it does not have, and one blade for both."""
        yield from _strays("limits", self.limits, self.brings())
        yield from _twice({("positive",): self.positive, ("negative",): self.negative})


class TableConfiguration(Configuration):
    """A table on three legs: the axes ``name.height``, ``name.pitch`` and ``name.roll``."""

    name: Name
    legs: tuple[AxisReference, AxisReference, AxisReference]
    """The axes of the legs."""
    places: tuple[Place, Place, Place]
    """Where they stand, x along the beam and y to the left; mm."""
    angle: str = "mrad"
    """Unit of pitch and roll."""
    tolerance: Millimetres | None = Field(default=None, gt=0)
    """Farthest that a leg may be, on the way, from where height and angles want it."""
    limits: dict[str, Limits] = Field(default_factory=dict)
    """By ``height``, ``pitch`` or ``roll``: low and high limit, beside those of the legs."""

    @field_validator("places")
    @classmethod
    def _standing(cls, places: tuple[Place, Place, Place]) -> tuple[Place, Place, Place]:
        check_places(places)
        return places

    def brings(self) -> tuple[str, ...]:
        """Height and angles."""
        return ("height", "pitch", "roll")

    def misfits(self, others: Mapping[str, Configuration]) -> Iterator[Misfit]:
        """Limits of what it does not have, and one axis for two legs."""
        yield from _strays("limits", self.limits, self.brings())
        yield from _twice({("legs", index): leg for index, leg in enumerate(self.legs)})


class UndulatorSettings(Configuration):
    """An undulator whose gap follows the energy."""

    axis: AxisReference
    """The axis of the gap."""
    period: Millimetres | None = Field(default=None, gt=0)
    """Of its magnets, mm."""
    electrons: GeV = Field(default=6.0, gt=0)
    """Energy of the stored electrons, GeV."""
    field: tuple[float, float, float] = (3.33, -5.47, 1.8)
    """a (T), b and c of the field a · exp(b g/λ + c (g/λ)²)."""
    table: tuple[tuple[KeV, Millimetres], ...] | None = None
    """Pairs of energy (keV) and gap (mm), in place of the formula."""
    table_harmonic: int = Field(default=1, ge=1)
    """The harmonic that the table was measured on."""
    harmonic: int = Field(default=1, ge=1)
    """The harmonic to follow."""
    following: bool = True
    """Whether the gap moves with the energy at the start."""
    tolerance: Millimetres | None = Field(default=None, gt=0)
    """Farthest that the gap may be, on the way, from where the energy wants it; only the ends count when not given."""

    @model_validator(mode="after")
    def _one_way(self) -> UndulatorSettings:
        if (self.period is None) == (self.table is None):
            raise ValueError("give either the period of the undulator or a table")
        self.gap()
        return self

    def gap(self) -> GapFormula | GapTable:
        """Gap for an energy.

        :raises InvalidInput: for numbers that give none.
        """
        if self.table is not None:
            return GapTable(self.table, self.table_harmonic)
        return GapFormula(self.period or 0.0, self.electrons, self.field)


class MonochromatorConfiguration(Configuration):
    """The photon energy of a crystal monochromator."""

    name: Name
    axis: AxisReference
    """The axis of the Bragg angle."""
    crystal: Annotated[str, AfterValidator(_crystal)] | None = None
    """Such as ``Si111``, ``Si311``, ``Ge220``."""
    d_spacing: Angstroms | None = Field(default=None, gt=0)
    """Distance of the lattice planes, Å, in place of a crystal."""
    unit: str = "keV"
    """Of the energy."""
    undulator: UndulatorSettings | None = None
    """One that follows; none when not given."""
    limits: Limits | None = None
    """Low and high energy, beside what the real axes allow."""

    @model_validator(mode="after")
    def _one_crystal(self) -> MonochromatorConfiguration:
        if (self.crystal is None) == (self.d_spacing is None):
            raise ValueError("give either a crystal or its d_spacing")
        return self


class FormulaSettings(Configuration):
    """One calculated axis."""

    formula: str
    """Its position from those of the real axes."""
    unit: str = ""
    """Of its position."""
    limits: Limits | None = None
    """Low and high limit, beside what the real axes allow."""


class ExpressionConfiguration(Configuration):
    """Axes calculated by formulas: one is called ``name``, several ``name.role``."""

    name: Name
    axes: dict[str, AxisReference] = Field(min_length=1)
    """Name in the formulas to real axis."""
    calculated: dict[str, FormulaSettings] = Field(min_length=1)
    """Name in the formulas to calculated axis."""
    inverse: dict[str, str] = Field(min_length=1)
    """Name of each real axis that moves to its position from those of the calculated axes."""
    tolerances: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Name of real axes to how far they may be, on the way, from where the formulas want them, in their units."""

    @model_validator(mode="after")
    def _clear(self) -> ExpressionConfiguration:
        both = sorted(set(self.axes) & set(self.calculated))
        if both:
            raise InvalidInput(f"{both[0]} is the name of a real and of a calculated axis.", hint="Rename one.")
        return self

    def brings(self) -> tuple[str, ...]:
        """The calculated axes, when there are several."""
        return tuple(self.calculated) if len(self.calculated) > 1 else ()

    def misfits(self, others: Mapping[str, Configuration]) -> Iterator[Misfit]:
        """Formulas with names that it does not have, or with units that do not fit."""
        yield from _strays("inverse", self.inverse, tuple(self.axes))
        yield from _strays("tolerances", self.tolerances, tuple(self.axes))
        yield from _twice({("axes", role): axis for role, axis in self.axes.items()})
        found = {role: getattr(others.get(axis), "unit", None) for role, axis in self.axes.items()}
        wanted = {role: settings.unit for role, settings in self.calculated.items()}
        usable = {**wanted, **{role: unit for role, unit in found.items() if role not in self.inverse}}
        for role, settings in self.calculated.items():
            yield from _wrong(("calculated", role, "formula"), settings.formula, found, wanted[role])
        for role, formula in self.inverse.items():
            if role in self.axes:
                yield from _wrong(("inverse", role), formula, usable, found[role])


def _strays(key: str, given: Iterable[str], known: tuple[str, ...]) -> Iterator[Misfit]:
    for name in given:
        if name not in known:
            yield Misfit((key, name), "It has no such axis.", name, known)


def _twice(axes: Mapping[tuple[str | int, ...], str]) -> Iterator[Misfit]:
    names = list(axes.values())
    for index, (loc, name) in enumerate(axes.items()):
        if name in names[:index]:
            yield Misfit(loc, f"{name} is given for two of its real axes.")


def _wrong(
    loc: tuple[str | int, ...], text: str, units: Mapping[str, str | None], unit: str | None
) -> Iterator[Misfit]:
    """A formula that cannot be used; units that only the building tells (None) are not looked at."""
    try:
        formula = Expression(text, units)
        if unit is not None and None not in [units[name] for name in formula.names]:
            formula.bind({name: found or "" for name, found in units.items()}, unit)
    except InvalidInput as error:
        yield Misfit(loc, str(error))


def slits(config: Mapping[str, Any], surroundings: Surroundings) -> Slits:
    """Build ``calc.slits``."""
    c = parse(SlitsConfiguration, config, "calc.slits")
    positive, negative = (axis_of(n, c.name, surroundings) for n in (c.positive, c.negative))
    made = Slits(c.name, positive, negative, opposed=c.opposed)
    return _limited(_following(made, c.tolerance, "positive", "negative"), c.limits)


def table(config: Mapping[str, Any], surroundings: Surroundings) -> Table:
    """Build a ``calc.table``."""
    c = parse(TableConfiguration, config, "calc.table")
    first, second, third = (axis_of(name, c.name, surroundings) for name in c.legs)
    made = Table(c.name, (first, second, third), c.places, angle=c.angle)
    return _limited(_following(made, c.tolerance, *made.real_axes), c.limits)


def monochromator(config: Mapping[str, Any], surroundings: Surroundings) -> CalculatedAxis:
    """Build a ``calc.monochromator``."""
    c = parse(MonochromatorConfiguration, config, "calc.monochromator")
    options: dict[str, Any] = {}
    if (u := c.undulator) is not None:
        options = {
            "gap": axis_of(u.axis, c.name, surroundings),
            "undulator": u.gap(),
            "harmonic": u.harmonic,
            "following": u.following,
        }
    d = spacing(c.crystal) if c.crystal is not None else c.d_spacing or 0.0
    made = Monochromator(c.name, axis_of(c.axis, c.name, surroundings), d, unit=c.unit, **options)
    if u is not None:
        _following(made, u.tolerance, "gap")
    return _limited(made, {} if c.limits is None else {"energy": c.limits}).axes["energy"]


def expression(config: Mapping[str, Any], surroundings: Surroundings) -> Formulas | CalculatedAxis:
    """Build a ``calc.expression``."""
    c = parse(ExpressionConfiguration, config, "calc.expression")
    made = Formulas(
        c.name,
        {role: axis_of(name, c.name, surroundings) for role, name in c.axes.items()},
        {role: settings.formula for role, settings in c.calculated.items()},
        c.inverse,
        {role: settings.unit for role, settings in c.calculated.items()},
    )
    made.tolerances = c.tolerances
    _limited(made, {role: s.limits for role, s in c.calculated.items() if s.limits is not None})
    return made if len(made.axes) > 1 else next(iter(made.axes.values()))


def axis_of(name: str, whose: str, surroundings: Surroundings) -> Axis:
    """An axis of the session by name.

    :raises InvalidInput: when that is something else.
    """
    found = surroundings.device(name)
    if not isinstance(found, Axis):
        raise InvalidInput(f"{whose}: {name} is no axis.", hint="Calculated axes are made of axes.")
    return found


def _following(made: _C, tolerance: float | None, *roles: str) -> _C:
    if tolerance is not None:
        made.tolerances = dict.fromkeys(roles, tolerance)
    return made


def _limited(made: _C, limits: Mapping[str, Limits]) -> _C:
    for role, (low, high) in limits.items():
        if role not in made.axes:
            known = ", ".join(made.axes)
            raise InvalidInput(f"{made.name}: limits.{role}: it has no such axis.", hint=f"Known: {known}.")
        made.axes[role].configure_limits(low, high)
    return made
