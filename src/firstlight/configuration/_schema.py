"""One JSON Schema over all kinds of devices, for editors that complete and check YAML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import PydanticUserError

from firstlight.configuration._inherit import OURS
from firstlight.configuration._sections import Layout
from firstlight.devices import configuration, kinds, plugins
from firstlight.model import FirstlightError

DIALECT = "http://json-schema.org/draft-07/schema#"
"""Of the schema; the newest that all editors know."""

_NUMBER = r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?(?![\d.])"
_VARIABLE = r"\$\{"


def schema(names: Iterable[str] | None = None) -> dict[str, Any]:
    """What a file of a configuration may hold, as a JSON Schema.

    It is more lenient than :func:`load`: what a device inherits, or refers to, is seen only when all files are read.

    :param names: kinds of devices to know; all that can be loaded when None.
    """
    definitions: dict[str, Any] = {}
    described: list[dict[str, Any]] = []
    known: list[str] = []
    for name in kinds() if names is None else names:
        try:
            own = configuration(name).model_json_schema(by_alias=True)
        except FirstlightError:
            continue
        except PydanticUserError:  # it has a type that JSON does not know
            own = {"type": "object"}
        known.append(name)
        settings = _inlined(own, f"{name}.", definitions)
        required = [key for key in settings.pop("required", ()) if key not in OURS]
        settings["properties"] = {**settings.get("properties", {}), **dict.fromkeys(OURS, True)}
        definitions[name] = settings
        described.append(
            {"if": {"properties": {"kind": {"const": name}}, "required": ["kind"]}, "then": {"$ref": _ref(name)}}
        )
        if required:
            told = {"properties": {"kind": {"const": name}}, "required": ["kind"], "not": {"required": ["like"]}}
            described.append({"if": told, "then": {"required": required}})
    document = _inlined(Layout.model_json_schema(by_alias=True), "", definitions)
    document["properties"]["devices"] |= {"items": {"$ref": _ref("device")}}
    document["properties"]["templates"]["additionalProperties"] = {"$ref": _ref("template")}
    common = {
        "kind": {"enum": known, "description": "What the device is."},
        "like": {"type": "string", "description": "A template or device whose settings it takes."},
    }
    named = {"type": "string", "description": "The device's own name, a word.", "pattern": "^[A-Za-z][A-Za-z0-9_]*$"}
    definitions["device"] = {
        "type": "object", "description": "A device: its name, its kind, and the settings of that kind.",
        "properties": {"name": named, **common}, "required": ["name"], "allOf": described,
    }  # fmt: skip
    definitions["template"] = {
        "type": "object", "description": "Settings that devices take with like:.",
        "properties": common, "allOf": [one for one in described if "$ref" in one["then"]],
    }  # fmt: skip
    document["properties"] = {key: _or_nothing(value) for key, value in document["properties"].items()}
    return {
        "$schema": DIALECT,
        "title": "Firstlight configuration",
        "description": document.get("description", ""),
        "type": "object",
        "properties": document["properties"],
        "additionalProperties": False,
        "definitions": definitions,
    }


def broken() -> tuple[str, ...]:
    """Why kinds of installed packages cannot be used, a sentence each."""
    told = []
    for plugin in plugins().values():
        try:
            plugin.load()
        except FirstlightError as error:
            told.append(str(error))
    return tuple(told)


def _ref(name: str) -> str:
    return f"#/definitions/{name}"


def _inlined(schema: dict[str, Any], prefix: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """A type's schema, with the types that it uses put among the definitions under names of their own."""
    inner = schema.pop("$defs", {})
    for name, definition in inner.items():
        definitions[prefix + name] = _open(definition, prefix)
    opened: dict[str, Any] = _open(schema, prefix)
    return opened


def _open(node: Any, prefix: str) -> Any:
    """What pydantic takes, as people may write it: quantities with units, variables in place of values."""
    if isinstance(node, list):
        return [_open(one, prefix) for one in node]
    if not isinstance(node, Mapping):
        return node
    found: dict[str, Any] = {}
    for key, value in node.items():
        if key in ("properties", "patternProperties"):
            found[key] = {name: _open(one, prefix) for name, one in value.items()}
        elif key == "$ref":
            found[key] = _ref(prefix + value.rpartition("/")[2])
        elif key in ("title", "discriminator") and not isinstance(value, Mapping):
            continue
        elif key in ("default", "const", "enum", "examples", "required"):
            found[key] = value
        else:
            found[key] = _open(value, prefix)
    return _written(found)


def _written(found: dict[str, Any]) -> dict[str, Any]:
    unit = found.pop("unit", "")
    found.pop("reference", None)
    text = found.get("description", "")
    if unit and not re.search(rf"(?<!\w){re.escape(unit)}(?!\w)", text):
        found["description"] = f"{text.rstrip('.')}, {unit}." if text else f"In {unit}."
    if "prefixItems" in found:  # the dialect says items
        found["items"] = found.pop("prefixItems")
        found["additionalItems"] = False
    if "$ref" in found and len(found) > 1:  # beside which the dialect sees nothing
        found["allOf"] = [{"$ref": found.pop("$ref")}]
    if isinstance(found.get("default"), list) and None in found["default"]:  # JSON knows no infinity
        del found["default"]
    simple = found.get("type")
    # Each keyword looks at values of its own type only, so both forms stand in one schema, for the sake of messages.
    if simple in ("number", "integer", "boolean"):
        pattern = f"{_NUMBER}|{_VARIABLE}" if simple == "number" else _VARIABLE
        found |= {"type": [simple, "string"], "pattern": pattern}
    elif simple == "string" and "pattern" in found:
        found["pattern"] = f"{found['pattern']}|{_VARIABLE}"
    elif "enum" in found or "const" in found:
        choices = found.pop("enum", None) or [found.pop("const")]
        found["anyOf"] = [{"enum": choices}, {"type": "string", "pattern": _VARIABLE}]
        found.pop("type", None)
    return found


def _or_nothing(section: dict[str, Any]) -> dict[str, Any]:
    """A section that may be there with nothing in it."""
    if "type" in section:
        return section | {"type": [section["type"], "null"]}
    if "allOf" in section or "$ref" in section:
        rest = {key: value for key, value in section.items() if key not in ("allOf", "$ref")}
        inner = section.get("allOf", [{"$ref": section.get("$ref")}])
        return rest | {"type": ["object", "null"], "if": {"type": "object"}, "then": {"allOf": inner}}
    return section | {"anyOf": [*section["anyOf"], {"type": "null"}]}
