"""Checking the configuration of a device against its type, with errors for people."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema

from firstlight.model import InvalidInput, convert


@dataclass(frozen=True, slots=True)
class Misfit:
    """A setting that is right by itself, and does not fit the other devices.

    :param loc: its keys and indices, ``("elements", 0, "pitch")``.
    :param message: what is wrong, one sentence.
    :param word: the name that nothing has, for which the nearest of ``known`` is told.
    """

    loc: tuple[str | int, ...]
    message: str
    word: str = ""
    known: tuple[str, ...] = ()


class WrongSetting(InvalidInput):
    """What the check of several settings together finds wrong with one of them.

    :param loc: its keys and indices below what is checked.
    """

    def __init__(self, loc: tuple[str | int, ...], message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.loc = loc


class Configuration(BaseModel):
    """Base of all device configurations: unknown keys are errors, and the text under a field is its description."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    def names_in_texts(self) -> Iterable[tuple[tuple[str | int, ...], str]]:
        """Devices, and channels of them, that texts such as expressions name: the setting, and the name."""
        return ()

    def brings(self) -> tuple[str, ...] | None:
        """Names of the axes that it brings, ``gap`` for ``slits.gap``; None when only its building tells."""
        return ()

    def channel_names(self) -> Collection[str] | None:
        """Names of the channels that it brings beside one of its own name; None when only its building tells."""
        return None

    def misfits(self, others: Mapping[str, Configuration]) -> Iterator[Misfit]:
        """What is wrong beside the other devices of the beamline, before any of them is built.

        :param others: their settings by name; those with something wrong are not among them.
        """
        yield from ()


_C = TypeVar("_C", bound=Configuration)


@dataclass(frozen=True, slots=True)
class Quantity:
    """Marks a number that may be written with a unit; the schema then says which unit it is in."""

    unit: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._number, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "unit": self.unit}

    def _number(self, value: Any) -> Any:
        return convert(value, self.unit) if isinstance(value, str) else value


def unit(name: str) -> Quantity:
    """For a number that may be written with a unit: ``Annotated[float, unit("s")]`` takes 0.02 and ``"20 ms"``."""
    return Quantity(name)


def reference(value: Any) -> Any:
    """The name of another device, written plain or as a reference: ``$bragg``."""
    return value.removeprefix("$") if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Naming:
    """Marks a text that names another device.

    :param what: the kind that it has to be of, ``axis`` for any axis; empty for any device.
    :param first: whether that device is built before.
    """

    what: str = ""
    first: bool = True

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(reference, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "reference": {"what": self.what, "first": self.first}}


Reference = Annotated[str, Naming(), Field(min_length=1)]
"""The name of another device of the session; it is built before."""

AxisReference = Annotated[str, Naming("axis"), Field(min_length=1)]
"""The name of an axis of the session, or of a part of a device: ``slits.gap``; it is built before."""

Mention = Annotated[str, Naming(first=False), Field(min_length=1)]
"""The name of another device of the session, which need not be built before."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """Marks a text that is one of some words."""

    words: tuple[str, ...]

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.literal_schema(list(self.words))


def one_of(words: Iterable[str]) -> OneOf:
    """For a text that is one of some words: ``Annotated[str, one_of(CRYSTALS)]``."""
    return OneOf(tuple(words))


def parse(kind: type[_C], config: Mapping[str, Any], what: str) -> _C:
    """The checked configuration.

    :param what: whose configuration, for the error.
    :raises InvalidInput: one sentence with the key, what was given, and what is known.
    """
    try:
        # A kind without a name of its own is not asked to know this key.
        return kind.model_validate({k: v for k, v in config.items() if k != "name" or "name" in kind.model_fields})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        cause = first.get("ctx", {}).get("error")
        below = cause.loc if isinstance(cause, WrongSetting) else ()
        where = ".".join(str(part) for part in (*first["loc"], *below)) or "the configuration"
        name = config.get("name")
        subject = f"{name} ({what})" if isinstance(name, str) and name else what
        if first["type"] == "extra_forbidden":
            known = ", ".join(kind.model_fields)
            raise InvalidInput(f"{subject}: there is no setting {where!r}.", hint=f"Known: {known}.") from error
        if first["type"] == "missing":
            raise InvalidInput(f"{subject}: the setting {where!r} is missing.") from error
        reason = first["msg"].removeprefix("Value error, ")
        if first["type"] == "literal_error":
            words = re.findall(r"'([^']*)'", str(first["ctx"]["expected"]))
            hint = f"Known: {', '.join(words)}."
            raise InvalidInput(f"{subject}: {where}: there is no {first['input']!r}.", hint=hint) from error
        if isinstance(cause, InvalidInput) and where == "the configuration":
            raise InvalidInput(f"{subject}: {reason}") from error
        if isinstance(cause, InvalidInput):
            raise InvalidInput(f"{subject}: {where}: {reason}") from error
        raise InvalidInput(f"{subject}: {where} = {first['input']!r}: {reason}.") from error
