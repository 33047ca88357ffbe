"""Checking the configuration of a device against its type, with errors for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationError
from pydantic.functional_validators import BeforeValidator
from pydantic_core import CoreSchema, core_schema

from firstlight.model import InvalidInput, convert


class Configuration(BaseModel):
    """Base of all device configurations: unknown keys are errors, and the text under a field is its description."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


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


Reference = Annotated[str, BeforeValidator(reference), Field(min_length=1, json_schema_extra={"reference": True})]
"""The name of another device of the session; it is built before."""


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
        where = ".".join(str(part) for part in first["loc"]) or "the configuration"
        name = config.get("name")
        subject = f"{name} ({what})" if isinstance(name, str) and name else what
        if first["type"] == "extra_forbidden":
            known = ", ".join(kind.model_fields)
            raise InvalidInput(f"{subject}: there is no setting {where!r}.", hint=f"Known: {known}.") from error
        if first["type"] == "missing":
            raise InvalidInput(f"{subject}: the setting {where!r} is missing.") from error
        reason = first["msg"].removeprefix("Value error, ")
        if isinstance(first.get("ctx", {}).get("error"), InvalidInput):
            raise InvalidInput(f"{subject}: {where}: {reason}") from error
        raise InvalidInput(f"{subject}: {where} = {first['input']!r}: {reason}.") from error
