"""The one evaluator of expressions: calculated axes and counters, suspenders, forms.

An expression is arithmetic over named numbers, and nothing else: names, numbers that may carry a unit (``5 mA``),
operators, comparisons, ``and or not``, ``a if c else b`` and the functions of :data:`FUNCTIONS`. Units are worked out
once, when it is bound to those of its names; what is computed for each value is plain arithmetic on numbers or arrays.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from firstlight.model._errors import InvalidInput
from firstlight.model._formula import (
    ARGUMENTS,
    CONSTANTS,
    LARGEST_POWER,
    ExpressionError,
    Name,
    Number,
    Operation,
    Tree,
    nearest,
    parse_formula,
)
from firstlight.model._units import parse_unit, registry

if TYPE_CHECKING:
    from pint.facets.plain import PlainUnit

FUNCTIONS = tuple(ARGUMENTS)
"""What an expression may call. Angles are in radians unless they carry a unit."""

_Compute = Callable[[Mapping[str, Any]], Any]


class Expression:
    """An expression, read once.

    Names may have dots and colons: ``ring.current``, ``mca:Fe_ka``. A comparison or ``and`` gives truth.

    :param text: for instance ``"diode / ring * 100 mA"`` or ``"ring.current < 5 mA"``.
    :param names: that may occur; None for any.
    :raises ExpressionError: with the column of what is wrong, and the nearest name.
    """

    __slots__ = ("_plain", "_tree", "names", "text")

    def __init__(self, text: str, names: Collection[str] | None = None) -> None:
        self.text = text
        self._tree = parse_formula(text, names)
        self.names: tuple[str, ...] = tuple(_columns(self._tree))
        """That occur, in their order."""
        self._plain: Formula | None = None

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """Compute it for names without units.

        :param values: a number or an array for each name.
        :raises ExpressionError: a value is missing or no number.
        """
        if self._plain is None:
            self._plain = self.bind({})
        return self._plain(values)

    def bind(self, units: Mapping[str, str], unit: str | None = None) -> Formula:
        """Work out the units.

        A number without unit, and a name whose unit is unknown or empty, takes that of what it is added to or compared
        with. Angles become radians inside ``sin`` and the like; ``asin`` and the like give rad.

        :param units: of the names.
        :param unit: that the result is wanted in; None for the one that follows.
        :raises ExpressionError: units that do not fit each other or the wanted one.
        """
        found = _Binder(self.text, units).bind(self._tree)
        columns = _columns(self._tree)
        if found.truth:
            if unit:
                raise ExpressionError(self.text, 1, f"it says whether something holds; that has no unit {unit}.")
            return Formula(self.text, columns, "", True, found.compute)
        compute, own = _simplified(found)
        if unit is None:
            return Formula(self.text, columns, _spelled(own, units), False, compute)
        wanted = _unit_of(unit)
        if own is not None and wanted is not None:
            line = _line(own, wanted)
            if line is None and not found.sure:
                line = (0.0, 1.0)
            if line is None:
                shown = _spelled(own, units)
                raise ExpressionError(
                    self.text,
                    1,
                    f"it gives {shown or 'a number without unit'}, not {unit}.",
                    hint="Multiply with a constant that has a unit, such as 2.5 V/mm.",
                )
            compute = _linear(compute, *line)
        elif own is not None and not unit and found.sure:
            line = _line(own, registry().Unit(""))
            if line is None:
                shown = _spelled(own, units)
                raise ExpressionError(self.text, 1, f"it gives {shown}, not a number without unit.")
            compute = _linear(compute, *line)
        return Formula(self.text, columns, unit, False, compute)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Expression({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and other._tree == self._tree and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __reduce__(self) -> tuple[type[Expression], tuple[str]]:
        return Expression, (self.text,)


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression whose units are known.

    :param unit: of the result; empty for a plain number, or truth.
    :param truth: whether the result says that something holds.
    """

    text: str
    columns: Mapping[str, int]
    """Of the names, where they occur first."""
    unit: str
    truth: bool
    _compute: _Compute

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """The result: a float or bool from numbers, an array from arrays; a division by zero gives inf or NaN.

        :param values: a number or an array for each name, in the units that it was bound with.
        :raises ExpressionError: a value is missing or no number, or arrays do not fit each other.
        """
        given: dict[str, Any] = {}
        for name, column in self.columns.items():
            try:
                given[name] = _number(values[name])
            except KeyError:
                raise ExpressionError(
                    self.text, column, f"there is no value of {name!r}.", hint=nearest(name, values)
                ) from None
            except (TypeError, ValueError, OverflowError):
                raise ExpressionError(self.text, column, f"{name} = {values[name]!r:.40} is no number.") from None
        try:
            with np.errstate(all="ignore"):
                result = self._compute(given)
        except ValueError:
            shapes = ", ".join(f"{name} {np.shape(value)}" for name, value in given.items())
            raise ExpressionError(self.text, 1, f"the values do not fit each other: {shapes}.") from None
        return result.item() if result.ndim == 0 else result


@dataclass(frozen=True, slots=True)
class _Value:
    """A part of an expression.

    :param unit: None for a number that takes any.
    :param constant: whether no name occurs in it.
    :param sure: whether the unit is; it is not after a product with something of unknown unit.
    """

    compute: _Compute
    unit: PlainUnit | None = None
    constant: bool = False
    truth: bool = False
    sure: bool = True


class _Binder:
    """Works out the units of one expression, from its leaves up."""

    def __init__(self, text: str, units: Mapping[str, str]) -> None:
        self._text = text
        self._units = units

    def bind(self, tree: Tree) -> _Value:
        match tree:
            case Number(value=value, unit=unit):
                number = np.float64(value)
                return _Value(lambda given: number, _unit_of(unit), constant=True)
            case Name(name=name):
                known = _unit_of(self._units.get(name, ""))
                return _Value(operator.itemgetter(name), known, sure=known is not None)
            case Operation(what=what, operands=operands):
                values = [self.bind(operand) for operand in operands]
                if what not in _LOGICAL:
                    values = [_counted(value) if value.truth else value for value in values]
                made = self._operation(what, values, tree)
                sums = what in ("+", "-", "min", "max", "where", "hypot", "%")
                sure = any(v.sure and v.unit is not None for v in values) if sums else all(v.sure for v in values)
                made = replace(made, sure=sure or all(value.constant for value in values))
                if all(value.constant for value in values):
                    with np.errstate(all="ignore"):
                        result = made.compute({})
                    return _Value(lambda given: result, made.unit, constant=True, truth=made.truth)
                return made

    def _operation(self, what: str, values: list[_Value], tree: Operation) -> _Value:
        match what:
            case "+" | "-":
                return self._sum(what, values, tree)
            case "*" | "/":
                return self._product(what, values)
            case "**":
                return self._power(values, tree)
            case "positive" | "negative":
                return _Value(_apply(_UNARY[what], values), values[0].unit)
            case "and" | "or":
                function = np.logical_and if what == "and" else np.logical_or
                return _Value(_fold(function, values), truth=True)
            case "not":
                return _Value(_apply(np.logical_not, values), truth=True)
            case "<" | "<=" | ">" | ">=" | "==" | "!=":
                return _Value(_apply(_COMPARE[what], self._common(values, tree)[0]), truth=True)
            case "where":
                chosen, unit = self._common(values[1:], tree)
                truth = all(value.truth for value in values[1:])
                return _Value(_apply(np.where, [values[0], *chosen]), unit, truth=truth)
            case "min" | "max":
                compared, unit = self._common(values, tree)
                return _Value(_fold(np.minimum if what == "min" else np.maximum, compared), unit)
            case "hypot" | "%":
                compared, unit = self._common([self._absolute(v) for v in values], tree)
                return _Value(_apply(np.hypot if what == "hypot" else np.mod, compared), unit)
            case "//":
                compared, unit = self._common([self._absolute(v) for v in values], tree)
                return _Value(_apply(np.floor_divide, compared), _plain(unit))
            case "abs":
                return _Value(_apply(np.abs, values), values[0].unit)
            case "sign":
                return _Value(_apply(np.sign, values), _plain(values[0].unit))
            case "sqrt":
                root = self._absolute(values[0])
                return _Value(_apply(np.sqrt, [root]), None if root.unit is None else root.unit**0.5)
        return self._function(what, values, tree)

    def _function(self, what: str, values: list[_Value], tree: Operation) -> _Value:
        if what == "atan2":
            return _Value(_apply(np.arctan2, self._common(values, tree)[0]), registry().Unit("rad"))
        value = values[0]
        if what in ("deg", "rad"):
            if value.unit is None:
                function: Any = np.degrees if what == "deg" else np.radians
                return _Value(_apply(function, values), registry().Unit(what))
            return _Value(self._to(value, what, tree, what).compute, registry().Unit(what))
        target = "rad" if what in ("sin", "cos", "tan") else ""
        inner = self._to(value, target, tree, what)
        result = None if value.unit is None else registry().Unit("")
        if what in ("asin", "acos", "atan"):
            result = registry().Unit("rad")
        return _Value(_apply(_PLAIN[what], [inner]), result)

    def _sum(self, what: str, values: list[_Value], tree: Operation) -> _Value:
        left, right = values
        function = operator.add if what == "+" else operator.sub
        offset = [v for v in values if v.unit is not None and _is_offset(v.unit)]
        if not offset:
            both, unit = self._common(values, tree)
            return _Value(_apply(function, both), unit)
        # On a scale with its own zero (°C), two points have a difference, and a point can be shifted.
        scale = offset[0].unit
        assert scale is not None
        if left.unit is not None and right.unit is not None and what == "-" and len(offset) == 2:
            both, _ = self._common(values, tree)
            return _Value(_apply(function, both), registry().Unit(f"delta_{scale}"))
        if len(offset) == 1 and (what == "+" or left is offset[0]):
            other = right if left is offset[0] else left
            shift = other if other.unit is None else self._to(other, f"delta_{scale}", tree, what)
            both = [left, shift] if left is offset[0] else [shift, right]
            return _Value(_apply(function, both), scale)
        raise self._error(
            tree, f"points on a scale in {scale:~C} cannot be added.", "Convert to K, or take a difference."
        )

    def _product(self, what: str, values: list[_Value]) -> _Value:
        left, right = (self._absolute(v) for v in values)
        function = operator.mul if what == "*" else operator.truediv
        unit: Any = None
        if left.unit is not None or right.unit is not None:
            one = registry().Unit("")
            unit = function(left.unit or one, right.unit or one)
        return _Value(_apply(function, [left, right]), unit)

    def _power(self, values: list[_Value], tree: Operation) -> _Value:
        base = self._absolute(values[0])
        exponent = self._to(values[1], "", tree, "an exponent")
        compute = _apply(operator.pow, [base, exponent])
        if base.unit is None:
            return _Value(compute)
        if exponent.constant:
            value = float(exponent.compute({}))
            if abs(value) <= LARGEST_POWER:
                return _Value(compute, base.unit**value)
            raise self._error(tree, f"the power of a quantity with unit is at most {LARGEST_POWER}.")
        plain = self._to(base, "", tree, "a power that varies")
        return _Value(_apply(operator.pow, [plain, exponent]), registry().Unit(""))

    def _common(self, values: list[_Value], tree: Operation) -> tuple[list[_Value], PlainUnit | None]:
        """All in the unit of the first that surely has one."""
        units = sorted((v for v in values if v.unit is not None), key=lambda v: not v.sure)
        unit = units[0].unit if units else None
        if unit is None:
            return values, None
        converted = []
        for value in values:
            line = (0.0, 1.0) if value.unit is None else _line(value.unit, unit)
            if line is None and not value.sure:
                line = (0.0, 1.0)
            if line is None:
                a, b = (_spelled(u, self._units) or "a plain number" for u in (unit, value.unit))
                raise self._error(tree, f"{b} and {a} do not go together in {tree.what}.", "Make the units the same.")
            converted.append(replace(value, compute=_linear(value.compute, *line), unit=unit))
        return converted, unit

    def _to(self, value: _Value, unit: str, tree: Operation, what: str) -> _Value:
        """A value in a unit; one without any is taken as it is."""
        target = registry().Unit(unit) if value.unit is not None else None
        line = (0.0, 1.0) if value.unit is None or target is None else _line(value.unit, target)
        if line is None and not value.sure:
            line = (0.0, 1.0)
        if line is None:
            wanted = "an angle" if unit in ("rad", "deg") else unit or "a plain number"
            raise self._error(
                tree, f"{what} takes {wanted}, not {_spelled(value.unit, self._units)}.", "Divide by a unit."
            )
        return replace(value, compute=_linear(value.compute, *line), unit=target)

    def _absolute(self, value: _Value) -> _Value:
        """On a scale whose zero is nothing: °C become K."""
        if value.unit is None or not _is_offset(value.unit):
            return value
        base = registry().get_base_units(value.unit)[1]
        line = _line(value.unit, base)
        assert line is not None
        return replace(value, compute=_linear(value.compute, *line), unit=base)

    def _error(self, tree: Operation, what: str, hint: str = "") -> ExpressionError:
        return ExpressionError(self._text, tree.column, what, hint=hint)


_LOGICAL = frozenset({"and", "or", "not", "where"})

_UNARY: dict[str, Any] = {"positive": np.positive, "negative": np.negative}
_COMPARE: dict[str, Any] = {
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal, "==": np.equal, "!=": np.not_equal,
}  # fmt: skip
_PLAIN: dict[str, Any] = {
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "exp": np.exp, "log": np.log, "log10": np.log10,
}  # fmt: skip


def _apply(function: Callable[..., Any], values: list[_Value]) -> _Compute:
    computes = [value.compute for value in values]
    if len(computes) == 1:
        (one,) = computes
        return lambda given: function(one(given))
    if len(computes) == 2:
        left, right = computes
        return lambda given: function(left(given), right(given))
    return lambda given: function(*[compute(given) for compute in computes])


def _fold(function: Callable[..., Any], values: list[_Value]) -> _Compute:
    computes = [value.compute for value in values]
    return lambda given: functools.reduce(function, [compute(given) for compute in computes])


def _linear(compute: _Compute, shift: float, factor: float) -> _Compute:
    if shift == 0.0:
        return compute if factor == 1.0 else lambda given: compute(given) * factor
    return lambda given: compute(given) * factor + shift


def _number(value: Any) -> Any:
    """As 64-bit floats: integers must neither overflow nor grow without end."""
    if type(value) is float:
        return np.float64(value)
    given = np.asarray(value)
    if given.dtype.kind not in "fiub":
        raise TypeError(given.dtype)
    return given.astype(np.float64, copy=False)[()]


def _counted(value: _Value) -> _Value:
    """Truth as a number: NumPy adds two truths to a truth."""
    inner = value.compute
    return _Value(lambda given: inner(given).astype(np.float64), None, value.constant)


def _columns(tree: Tree) -> dict[str, int]:
    """The names, each with the column where it occurs first."""
    match tree:
        case Name(name=name, column=column):
            return {name: column}
        case Operation(operands=operands):
            found: dict[str, int] = {}
            for operand in operands:
                found = _columns(operand) | found if found else _columns(operand)
            return dict(sorted(found.items(), key=lambda item: item[1]))
    return {}


def _unit_of(text: str) -> PlainUnit | None:
    """The unit; None when there is none, nobody knows it, or numbers in it cannot be added (dB)."""
    if not text:
        return None
    try:
        unit = parse_unit(text)
    except InvalidInput:
        return None
    return unit if _affine(unit) else None


def _affine(unit: PlainUnit) -> bool:
    base = registry().get_base_units(unit)[1]
    at = [float(registry().Quantity(float(x), unit).to(base).magnitude) for x in (0, 1, 2)]
    return abs((at[2] - at[1]) - (at[1] - at[0])) <= 1e-6 * abs(at[1] - at[0])


def _is_offset(unit: PlainUnit) -> bool:
    return float(registry().Quantity(0.0, unit).to_base_units().magnitude) != 0.0


def _line(source: PlainUnit, target: PlainUnit) -> tuple[float, float] | None:
    """Shift and factor from one unit to another; None when they are of different kinds."""
    if source == target:
        return 0.0, 1.0
    if source.dimensionality != target.dimensionality:
        return None
    quantity = registry().Quantity
    shift = float(quantity(0.0, source).to(target).magnitude)
    return shift, float(quantity(1.0, source).to(target).magnitude) - shift


def _plain(unit: PlainUnit | None) -> PlainUnit | None:
    return None if unit is None else registry().Unit("")


def _simplified(value: _Value) -> tuple[_Compute, PlainUnit | None]:
    """Lengths over lengths are numbers: units that cancel but for a factor are taken out."""
    unit = value.unit
    if unit is None or not unit.dimensionless:
        return value.compute, unit
    parts = registry().Quantity(1.0, unit).unit_items()
    if all(registry().Unit(name).dimensionless for name, _ in parts):
        return value.compute, unit
    plain = registry().Unit("")
    line = _line(unit, plain)
    assert line is not None
    return _linear(value.compute, *line), plain


def _spelled(unit: PlainUnit | None, units: Mapping[str, str]) -> str:
    """A unit as it was written for one of the names, or short."""
    if unit is None:
        return ""
    for text in units.values():
        if text and _unit_of(text) == unit:
            return text
    short = f"{unit:~C}" if str(unit) != "dimensionless" else ""
    for fancy, plain in (("Δ°C", "delta_degC"), ("°C", "degC"), ("µ", "u"), ("Å", "angstrom")):
        short = short.replace(fancy, plain)
    return short


__all__ = ["CONSTANTS", "FUNCTIONS", "Expression", "ExpressionError", "Formula"]
