"""From the text of an expression to a small tree: Python's own grammar over a text in which only operators are left.

Names, numbers and units are found first and stand as blanks of the same length when Python parses, so nothing that is
not listed here can get through, and every column of an error is that of the text.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from firstlight.model._errors import InvalidInput
from firstlight.model._units import parse_unit

LONGEST = 2000
"""Characters of an expression."""
DEEPEST = 100
"""Operations inside each other."""
LARGEST_POWER = 9
"""Of a unit: ``mm**2``."""

CONSTANTS = {"pi": 3.141592653589793, "e": 2.718281828459045}
ARGUMENTS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(
        ("sin", "cos", "tan", "asin", "acos", "atan", "sqrt", "exp", "log", "log10", "abs", "sign", "deg", "rad"),
        (1, 1),
    ),
    **dict.fromkeys(("atan2", "hypot"), (2, 2)),
    **dict.fromkeys(("min", "max"), (2, 20)),
    "where": (3, 3),
}
"""The functions: fewest and most arguments."""

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
}  # fmt: skip
_UNARY: dict[type[ast.unaryop], str] = {ast.USub: "negative", ast.UAdd: "positive", ast.Not: "not"}
_COMPARED: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip
_KEYWORDS = frozenset({"and", "or", "not", "if", "else"})

_WORD = r"[^\W\d]\w*"
_TOKEN = re.compile(
    rf"(?P<blank>\s+)|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<name>{_WORD}(?:[.:]{_WORD})*)"
    r"|(?P<operator>\*\*|//|<=|>=|==|!=|[-+*/%<>(),])"
)
_FACTOR = rf"(?:{_WORD}|°[CF]?)(?:(?:\*\*|\^)-?\d+)?"
_UNIT = re.compile(rf"(?P<gap>[ \t]*)(?P<first>{_FACTOR})(?P<more>(?:[/·]{_FACTOR})*)")
_MORE = re.compile(rf"[/·](?P<factor>{_FACTOR})")
_POWER = re.compile(r"(?:\*\*|\^)(-?\d+)$")


class ExpressionError(InvalidInput):
    """An expression that cannot be used.

    :param text: the expression.
    :param column: of the culprit, from 1.
    """

    def __init__(self, text: str, column: int, what: str, *, hint: str = "") -> None:
        shown = text if len(text) <= 120 else f"{text[:117]}..."
        super().__init__(f"'{shown}', column {column}: {what}", hint=hint)
        self.text = text
        self.column = column

    @property
    def pointer(self) -> str:
        """The expression, and a caret under the culprit."""
        return (
            f"{re.sub(r'[^ -~]', ' ', self.text) if not self.text.isprintable() else self.text}\n{'^':>{self.column}}"
        )


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written.

    :param unit: empty for a bare number.
    """

    value: float
    unit: str
    column: int


@dataclass(frozen=True, slots=True)
class Name:
    """Something whose value is given: ``diode``, ``ring.current``, ``mca:Fe_ka``."""

    name: str
    column: int


@dataclass(frozen=True, slots=True)
class Operation:
    """A function or an operator, and what it is applied to."""

    what: str
    operands: tuple[Tree, ...]
    column: int


Tree: TypeAlias = "Number | Name | Operation"


def parse_formula(text: str, known: Collection[str] | None = None) -> Tree:
    """The tree of an expression.

    :param known: the names that may occur; None for any. A known name is never taken for a unit.
    :raises ExpressionError: with the column of what is wrong.
    """
    return _Parser(text, known).tree()


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest of what is known, or all of it."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"There is: {', '.join(names[:20])}." if names else ""


class _Parser:
    """One text; columns inside count from 0."""

    def __init__(self, text: str, known: Collection[str] | None) -> None:
        self._text = text
        self._known = known
        self._found: dict[int, Number | str] = {}
        """By column: a number, or a name."""

    def tree(self) -> Tree:
        if not self._text.strip():
            self._fail(0, "there is nothing to compute.", "Write for instance 2 * diode.")
        if len(self._text) > LONGEST:
            self._fail(LONGEST, f"an expression has at most {LONGEST} characters.")
        sanitised = self._sanitised()
        start = len(sanitised) - len(sanitised.lstrip())
        try:
            parsed = ast.parse(sanitised[start:], mode="eval").body
        except SyntaxError as error:
            if "nested" in str(error.msg):
                self._fail(start + (error.offset or 1) - 1, "it is nested too deeply.", "Split it into several.")
            # Python says 0 where the text ends too early.
            last = len(self._text.rstrip()) - 1
            column = min(start + error.offset - 1, last) if error.offset else last
            self._fail(column, "this is not understood.", "An operator, an operand or a bracket is missing.")
        except (RecursionError, MemoryError):
            self._fail(0, "it is nested too deeply.", "Split it into several.")
        return self._convert(parsed, start, 0)

    def _fail(self, column: int, what: str, hint: str = "") -> NoReturn:
        raise self._error(column, what, hint) from None

    def _error(self, column: int, what: str, hint: str = "") -> ExpressionError:
        return ExpressionError(self._text, column + 1, what, hint=hint)

    # -- words

    def _sanitised(self) -> str:
        """The text with an underscore for every character of a name, number or unit, and a blank for every blank."""
        out: list[str] = []
        at, after_operand = 0, False
        while at < len(self._text):
            found = _TOKEN.match(self._text, at)
            if found is None:
                self._strange(at)
            word, kind, end = found[0], found.lastgroup, found.end()
            if kind == "blank":
                out.append(" " * len(word))
                at = end
                continue
            operand = kind == "number" or (kind == "name" and word not in _KEYWORDS)
            if operand:
                if after_operand:
                    self._fail(at, f"an operator is missing before {word!r}.")
                if kind == "number":
                    end = self._number(word, at, end)
                else:
                    self._found[at] = word
                out.append("_" * (end - at))
            else:
                out.append(word)
            # ``5 mA (`` is caught by the parser: a number is no function.
            after_operand = operand or word == ")"
            at = end
        return "".join(out)

    def _number(self, digits: str, at: int, end: int) -> int:
        """Note a number and its unit, and return where they end."""
        unit = ""
        found = _UNIT.match(self._text, end)
        if found is not None and found["first"] not in _KEYWORDS:
            unit, end = self._unit(found, digits)
        self._found[at] = Number(float(digits), unit, at + 1)
        return end

    def _unit(self, found: re.Match[str], number: str) -> tuple[str, int]:
        first = found["first"]
        factor = _POWER.sub("", first)
        column = found.start("first")
        if not self._is_unit(first, column):
            hint = f"Write {number} * {factor}." if not found["gap"] or self._is_known(factor) else ""
            self._fail(column, f"there is no unit {factor!r}.", hint)
        unit, end = first, found.end("first")
        # ``5 mm/s`` is a speed; in ``100 mA/ring`` the slash divides.
        for more in _MORE.finditer(self._text, end, found.end()):
            word = _POWER.sub("", more["factor"])
            if self._is_known(word) or not self._is_unit(more["factor"], more.start("factor")):
                break
            unit, end = unit + more[0], more.end()
        return unit.replace("·", "*").replace("°C", "degC").replace("°F", "degF").replace("°", "deg"), end

    def _is_known(self, word: str) -> bool:
        return word in CONSTANTS or word in ARGUMENTS or (self._known is not None and word in self._known)

    def _is_unit(self, factor: str, column: int) -> bool:
        power = _POWER.search(factor)
        if power is not None and abs(int(power[1][:4])) > LARGEST_POWER:
            self._fail(column, f"the power of a unit is at most {LARGEST_POWER}.")
        try:
            parse_unit(_POWER.sub("", factor).replace("°C", "degC").replace("°F", "degF").replace("°", "deg"))
        except InvalidInput:
            return False
        return True

    def _strange(self, at: int) -> NoReturn:
        character = self._text[at]
        hints = {
            "^": "A power is written **.",
            "=": "Equality is written ==.",
            "&": "Write 'and'.",
            "|": "Write 'or'.",
            "!": "Write 'not', or != for unequal.",
            "[": "An expression takes whole values; there is no indexing.",
            ";": "Only one expression is computed.",
        }
        self._fail(at, f"{character!r} means nothing here.", hints.get(character, ""))

    # -- grammar

    def _convert(self, node: ast.expr, start: int, depth: int) -> Tree:
        if depth > DEEPEST:
            self._fail(start + node.col_offset, "it is nested too deeply.", "Split it into several.")
        column = start + node.col_offset

        def sub(inner: ast.expr) -> Tree:
            return self._convert(inner, start, depth + 1)

        match node:
            case ast.Name():
                return self._operand(column)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return Operation(_BINARY[type(op)], (sub(left), sub(right)), column + 1)
            case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
                return Operation(_UNARY[type(op)], (sub(operand),), column + 1)
            case ast.BoolOp(op=op, values=values):
                return Operation("and" if isinstance(op, ast.And) else "or", tuple(map(sub, values)), column + 1)
            case ast.Compare(left=left, ops=ops, comparators=others):
                return self._comparison([left, *others], ops, sub, column)
            case ast.IfExp(test=test, body=body, orelse=other):
                return Operation("where", (sub(test), sub(body), sub(other)), column + 1)
            case ast.Call(func=ast.Name() as function, args=arguments, keywords=[]):
                return self._call(start + function.col_offset, [sub(a) for a in arguments])
            case ast.Call():
                raise self._error(column, "only a function can be called.", f"There is: {', '.join(ARGUMENTS)}.")
        raise self._error(column, "this is not understood.", "It has numbers, names, operators and functions.")

    def _operand(self, column: int) -> Tree:
        found = self._found[column]
        if isinstance(found, Number):
            return found
        if found in CONSTANTS:
            return Number(CONSTANTS[found], "", column + 1)
        if found in ARGUMENTS:
            self._fail(column, f"{found} is a function.", f"Write {found}(...).")
        if self._known is not None and found not in self._known:
            self._fail(column, f"there is no {found!r}.", nearest(found, self._known))
        return Name(found, column + 1)

    def _comparison(self, operands: list[ast.expr], ops: list[ast.cmpop], sub: Any, column: int) -> Tree:
        trees = [sub(operand) for operand in operands]
        pairs: list[Tree] = []
        for op, left, right in zip(ops, trees, trees[1:], strict=False):
            if type(op) not in _COMPARED:
                self._fail(column, "this comparison is not known.", f"There is: {' '.join(_COMPARED.values())}.")
            pairs.append(Operation(_COMPARED[type(op)], (left, right), column + 1))
        return pairs[0] if len(pairs) == 1 else Operation("and", tuple(pairs), column + 1)

    def _call(self, column: int, operands: list[Tree]) -> Tree:
        name = self._found[column]
        if not isinstance(name, str) or name not in ARGUMENTS:
            if not isinstance(name, str) or name in CONSTANTS:
                self._fail(column, "a number cannot be called.", "Before the bracket an operator is missing.")
            self._fail(column, f"there is no function {name!r}.", nearest(name, ARGUMENTS))
        fewest, most = ARGUMENTS[name]
        if not fewest <= len(operands) <= most:
            wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
            self._fail(column, f"{name} takes {wanted} argument{'' if wanted == '1' else 's'}, not {len(operands)}.")
        return Operation(name, tuple(operands), column + 1)
