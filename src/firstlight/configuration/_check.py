"""Values against a pydantic type, with an error for each thing that is wrong, at its place in the file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from pydantic import BaseModel, PydanticUserError, ValidationError

from firstlight.configuration._problem import Problems, Where, nearest
from firstlight.configuration._yaml import Entry, Items, Node, Table
from firstlight.devices import WrongSetting
from firstlight.model import FirstlightError

_M = TypeVar("_M", bound=BaseModel)

EXPECTED = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "none_required": "nothing",
}
"""What was expected, by pydantic's type of error, where the value is of another sort altogether."""


def check(
    kind: type[_M],
    values: Mapping[str, Any],
    table: Table,
    problems: Problems,
    *,
    what: str,
    key: str = "",
    heir: str = "",
    mask: Callable[[str], str] = str,
    unknown: Collection[Where] = (),
) -> _M | None:
    """The values as the type has them; None when something is wrong, which is then among the problems.

    :param values: plain values of the table, with references and variables replaced.
    :param what: the kind, for messages.
    :param key: how the table is called in messages.
    :param heir: the device, for values that it inherits.
    :param mask: hides secrets in a message.
    :param unknown: places of values that could not be found out, about which nothing more is said.
    """
    try:
        return kind.model_validate(dict(values))
    except ValidationError as error:
        for one in _told(error, table):
            if one.where in unknown:
                continue
            entry, where, path = one.entry, one.where, ".".join(part for part in (key, *one.path) if part)
            home = _home(table, one.loc)
            message, hint = _sentence(kind, one, what, table)
            problems.add(
                where, home or path, mask(message), mask(hint), heir=heir if home and entry is not None else ""
            )
    except FirstlightError as error:
        problems.add(table.where, key, mask(error.message), mask(error.hint))
    except Exception as error:  # noqa: BLE001 - types of other people may fail in any way
        told = " ".join(f"{type(error).__name__}: {error}".split())
        problems.add(table.where, key, mask(f"{what} failed to check this: {told}."), "Report it to who made the kind.")
    return None


def keys(kind: type[BaseModel]) -> tuple[str, ...]:
    """The settings of a type, as they are written."""
    return tuple(field.alias or name for name, field in kind.model_fields.items())


@dataclass(frozen=True, slots=True)
class Named:
    """A setting that names another device.

    :param loc: where in the values.
    :param name: of the device, as it is written.
    :param what: the kind that it has to be of; ``axis`` for any axis, empty for any device.
    :param first: whether that device is built before.
    :param key: whether the key at ``loc`` is the name, rather than the value there.
    """

    loc: tuple[str | int, ...]
    name: str
    what: str
    first: bool
    key: bool = False


def references(kind: type[BaseModel], values: Any, loc: tuple[str | int, ...] = ()) -> Iterator[Named]:
    """The settings that name other devices, by their type."""
    if not loc and '"reference": {' not in _text(kind):
        return
    if isinstance(values, Mapping):
        keys = [place["propertyNames"] for place in _places(kind, loc) if "propertyNames" in place]
        for name, value in values.items():
            yield from _named((*loc, name), name, keys, key=True)
            yield from references(kind, value, (*loc, name))
    elif isinstance(values, list | tuple):
        for index, value in enumerate(values):
            yield from references(kind, value, (*loc, index))
    elif isinstance(values, str) and values:
        yield from _named(loc, values, _places(kind, loc))


def _named(
    loc: tuple[str | int, ...], name: str, places: Sequence[Mapping[str, Any]], *, key: bool = False
) -> Iterator[Named]:
    for told in (place["reference"] for place in places if "reference" in place):
        yield Named(loc, name, told["what"], told["first"], key)
        return


def place(table: Table, loc: Sequence[str | int], *, key: bool = False) -> tuple[Where, str]:
    """Where a value of a table was written, or its key, and how it is called there when it was inherited.

    Of what is not written, the place of what it would be in.
    """
    node: Node = table
    where = table.where
    found: list[str | int] = []
    for part in loc:
        if isinstance(node, Table) and (entry := _entry(node, part)) is not None:
            node = entry.node
            where = entry.where if key else node.where
        elif isinstance(node, Items):
            node = node.items[int(part)]
            where = node.where
        else:
            break
        found.append(part)
    return where, _home(table, found)


@dataclass(frozen=True, slots=True)
class _Error:
    """One error of pydantic, found again in the file.

    :param loc: keys and indices that exist in the table.
    :param tags: names of the branches of unions, and where in ``loc`` the first of them stands.
    """

    loc: tuple[str | int, ...]
    missing: str | int | None
    """The key or index that is not there."""
    tags: tuple[str, ...]
    fork: int
    detail: Mapping[str, Any]
    where: Where
    entry: Entry | None

    @property
    def type(self) -> str:
        return str(self.detail["type"])

    @property
    def path(self) -> tuple[str, ...]:
        parts = (*self.loc, self.missing) if isinstance(self.missing, str) else self.loc
        return tuple(str(part) for part in parts)


def _told(error: ValidationError, table: Table) -> Iterator[_Error]:
    """The errors that people should see: of a union only those of the branch that was meant."""
    forks: dict[tuple[str | int, ...], dict[str, list[_Error]]] = {}
    details: list[dict[str, Any]] = [dict(detail) for detail in error.errors(include_url=False)]
    for one in (_locate(detail, table) for detail in details):
        if not one.tags:
            yield one
        else:
            forks.setdefault(one.loc[: one.fork], {}).setdefault(one.tags[0], []).append(one)
    for at, branches in forks.items():
        meant = [
            errors
            for errors in branches.values()
            if not any(one.type in EXPECTED and one.loc == at for one in errors)
        ]  # fmt: skip
        if meant:
            yield from min(meant, key=len)
            continue
        first = next(iter(branches.values()))[0]
        expected = dict.fromkeys(
            EXPECTED[one.type] for errors in branches.values() for one in errors if one.type in EXPECTED
        )
        detail = {**dict(first.detail), "type": "either", "ctx": {"expected": list(expected)}}
        yield _Error(at, None, (), 0, detail, first.where, first.entry)


def _locate(detail: Mapping[str, Any], table: Table) -> _Error:
    node: Node = table
    where, entry = table.where, None
    found: list[str | int] = []
    tags: list[str] = []
    fork = 0
    missing: str | int | None = None
    cause = detail.get("ctx", {}).get("error")
    loc = (*detail["loc"], *(cause.loc if isinstance(cause, WrongSetting) else ()))
    for index, part in enumerate(loc):
        if isinstance(node, Table) and (inside := _entry(node, part)) is not None:
            entry, node = inside, inside.node
            # An unknown key is wrong by itself; of anything else the value is.
            where = entry.where if index == len(loc) - 1 and detail["type"] == "extra_forbidden" else node.where
            found.append(part)
        elif isinstance(node, Items) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
            where = node.where
            found.append(part)
        elif index == len(loc) - 1 and (detail["type"] == "missing" or isinstance(cause, WrongSetting)):
            missing = part
        elif part != "[key]":
            fork = fork if tags else len(found)
            tags.append(str(part))
    return _Error(tuple(found), missing, tuple(tags), fork, detail, where, entry)


def _entry(table: Table, part: object) -> Entry | None:
    # A key written as $name reaches the type without its dollar.
    return table.entries.get(str(part)) or table.entries.get(f"${part}")


def _home(table: Table, loc: Sequence[str | int]) -> str:
    """How the value is called where it was written, when it was inherited."""
    node: Node = table
    home = ""
    for part in loc:
        if isinstance(node, Table):
            entry = _entry(node, part)
            assert entry is not None
            home = entry.home or (f"{home}.{part}" if home else "")
            node = entry.node
        elif isinstance(node, Items):
            home = f"{home}.{part}" if home else ""
            node = node.items[int(part)]
    return home


def _sentence(kind: type[BaseModel], one: _Error, what: str, table: Table) -> tuple[str, str]:
    detail, given = one.detail, _short(one.detail.get("input"))
    context = detail.get("ctx", {})
    if one.type == "extra_forbidden":
        subject = what if len(one.loc) == 1 else one.loc[-2] if isinstance(one.loc[-2], str) else "This item"
        return f"{subject} has no such setting.", nearest(str(one.loc[-1]), _known(kind, one.loc[:-1]))
    if one.type == "missing":
        if isinstance(one.missing, int):  # the path then ends at the list
            return f"Expected {_length(kind, one.loc, one.missing)} values, got {one.missing}.", ""
        subject = what if not one.loc else one.loc[-1] if isinstance(one.loc[-1], str) else "This item"
        return f"{subject} needs this setting, and it is missing.", ""
    if one.type in ("literal_error", "enum"):
        choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        return f"Expected {' or '.join(choices)}, got {given}.", nearest(str(detail.get("input")), choices)
    if one.type == "either":
        return f"Expected {' or '.join(context['expected']) or 'something else'}, got {given}.", ""
    cause = context.get("error")
    if isinstance(cause, FirstlightError):
        return cause.message, cause.hint
    if one.type in ("value_error", "assertion_error"):
        text = str(detail["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
        return text if text.endswith((".", "!", "?")) else f"{text}.", ""
    if one.type in EXPECTED:
        return f"Expected {EXPECTED[one.type]}{_unit(kind, one.loc)}, got {given}.", ""
    bounds = {
        "greater_than": "more than {gt}",
        "greater_than_equal": "at least {ge}",
        "less_than": "less than {lt}",
        "less_than_equal": "at most {le}",
        "multiple_of": "a multiple of {multiple_of}",
        "too_short": "at least {min_length} values",
        "too_long": "at most {max_length} values",
        "string_too_short": "a text of at least {min_length} characters",
        "string_too_long": "a text of at most {max_length} characters",
        "string_pattern_mismatch": "a text like {pattern}",
    }  # fmt: skip
    if one.type == "too_long" and (exact := _length(kind, one.loc, 0)):
        return f"Expected {exact} values, got {given}.", ""
    if one.type in bounds:
        limits = {name: f"{limit:g}" if isinstance(limit, float) else limit for name, limit in context.items()}
        unit = _unit(kind, one.loc).removeprefix(" in")
        return f"Expected {bounds[one.type].format(**limits)}{unit}, got {given}.", ""
    text = str(detail["msg"])
    return f"{text[0].upper()}{text[1:]}, got {given}.", ""


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@cache
def _schema(kind: type[BaseModel]) -> Mapping[str, Any]:
    try:
        return kind.model_json_schema(by_alias=True)
    except PydanticUserError:  # it has a type that JSON does not know
        return {"properties": {name: {} for name in keys(kind)}}


@cache
def _text(kind: type[BaseModel]) -> str:
    return json.dumps(_schema(kind), default=str)


def _places(kind: type[BaseModel], loc: Sequence[str | int]) -> list[Mapping[str, Any]]:
    """The parts of a type's schema that describe a place in its values; several for a union."""
    root = _schema(kind)

    def unfolded(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        if "$ref" in schema:
            yield from unfolded(root["$defs"][schema["$ref"].rpartition("/")[2]])
        for branch in schema.get("anyOf", ()) or schema.get("oneOf", ()) or schema.get("allOf", ()):
            yield from unfolded(branch)
        yield schema

    places = list(unfolded(root))
    for part in loc:
        inner: list[Mapping[str, Any]] = []
        for place in places:
            if isinstance(part, int):
                prefix = place.get("prefixItems", ())
                follow = prefix[part] if part < len(prefix) else place.get("items")
            else:
                follow = place.get("properties", {}).get(part, place.get("additionalProperties"))
            if isinstance(follow, Mapping):
                inner += unfolded(follow)
        places = inner
    return places


def _known(kind: type[BaseModel], loc: Sequence[str | int]) -> list[str]:
    return [name for place in _places(kind, loc) for name in place.get("properties", {}) if loc or name != "name"]


def _length(kind: type[BaseModel], loc: Sequence[str | int], given: int) -> int:
    """How many values a list of fixed length has; one more than were given when that is not known."""
    fixed = [place["maxItems"] for place in _places(kind, loc) if "maxItems" in place]
    return int(fixed[0]) if fixed else given + 1


def _unit(kind: type[BaseModel], loc: Sequence[str | int]) -> str:
    units = [place["unit"] for place in _places(kind, loc) if "unit" in place]
    return f" in {units[0]}" if units else ""
