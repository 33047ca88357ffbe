"""The JSON Schema for editors: valid itself, and of one mind with the loader."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from firstlight.configuration import schema, schema_text
from firstlight.devices import configuration, kinds
from tests.configuration.conftest import Loaded, Wrong

HEAD = "beamline: fl01\ndevices:\n  - {name: rot, kind: sim.axis}\n"


def parsed(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def complaints(text: str) -> list[str]:
    validator = jsonschema.Draft7Validator(schema())
    return [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(parsed(text))
    ]


def test_the_schema_is_a_schema_and_plain_json() -> None:
    document = json.loads(schema_text())
    assert document == schema()
    jsonschema.Draft7Validator.check_schema(document)
    assert document["additionalProperties"] is False


def test_every_kind_and_every_setting_is_in_it_with_its_text() -> None:
    document = schema()
    assert document["definitions"]["device"]["properties"]["kind"]["enum"] == list(kinds())
    for kind in kinds():
        described = document["definitions"][kind]
        assert described["description"]
        for name, field in configuration(kind).model_fields.items():
            if name != "name" and field.description:
                setting = described["properties"][name]
                if "description" not in setting:  # it is that of the setting's own type
                    setting = document["definitions"][setting["allOf"][0]["$ref"].rpartition("/")[2]]
                assert field.description.rstrip(".") in setting["description"]


def test_units_are_in_the_texts() -> None:
    camera = schema()["definitions"]["sim.camera"]["properties"]
    assert camera["dead_time"]["description"] == "From the end of an exposure to the start of the next, s."
    assert camera["pixel_size"]["description"] == "Edge of a pixel at the sample, mm."


@pytest.mark.parametrize(
    "text",
    [
        HEAD,
        "",
        "devices:\ngroups:\nstorage:\nicat:\ninclude:\nscripts:\n",
        "include: motors.yml\nscripts: [a.py]\n",
        HEAD + "  - {name: sx, like: rot, limits: [-1 mm, 5], velocity: '${V}', sign: '${S}', instant: '${I}'}\n",
        HEAD + "  - {name: cam, kind: sim.camera, shape: [4, 5], sample: none, radius: 3 um, detector: {bits: 12}}\n",
        HEAD + "  - {name: cam, kind: replay, file: a.h5, rotation: $rot}\n",
        HEAD + "  - {name: cam, like: other}\n  - {name: bare}\n",
        HEAD + "  - {name: d, kind: sim.diode, peaks: {$rot: {fwhm: 2}}}\n",
        HEAD + "templates: {slow: {kind: sim.axis, velocity: 1 deg/s}, any: {velocity: 3}}\n",
        HEAD + "storage: {compression: '${C}', merge: false}\nicat: {brokers: ['a:1', '${BROKER}']}\n",
        HEAD + "suspend: {beam: {when: a < 5 mA, wait: 30 s}}\nsessions: {a: {devices: [rot]}}\n",
        HEAD + "setups: {fast: {rot: {velocity: 40 deg/s}}}\naliases: {omega: rot}\ngroups: {g: [rot]}\ndefault: g\n",
    ],
)
def test_what_is_right_is_valid(text: str) -> None:
    assert complaints(text or "{}") == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("  - {name: sx, kind: sim.axis, velocty: 3}", "devices.1: Additional properties are not allowed ('velocty'"),
        ("  - {name: sx, kind: sim.axes}", "devices.1.kind: 'sim.axes' is not one of ['sim.axis'"),
        ("  - {name: sx, kind: sim.axis, velocity: fast}", "devices.1.velocity: 'fast' does not match"),
        ("  - {name: sx, kind: sim.axis, velocity: -3}", "devices.1.velocity: -3 is less than or equal to the minimum"),
        ("  - {name: sx, kind: sim.axis, limits: [1]}", "devices.1.limits: [1] is too short"),
        ("  - {name: sx, kind: sim.axis, limits: [1, 2, 3]}", "devices.1.limits"),
        ("  - {name: sx, kind: sim.axis, sign: left}", "devices.1.sign: 'left' does not match"),
        ("  - {name: sx, kind: sim.axis, instant: 5}", "devices.1.instant: 5 is not of type 'boolean', 'string'"),
        ("  - {name: cam, kind: replay, rotation: $rot}", "devices.1: 'file' is a required property"),
        ("  - {name: cam, kind: sim.camera, detector: {gian: 2}}", "devices.1.detector: Additional properties are not"),
        ("  - {name: my axis, kind: sim.axis}", "devices.1.name: 'my axis' does not match"),
        ("  - {kind: sim.axis}", "devices.1: 'name' is a required property"),
        ("devics: []", ": Additional properties are not allowed ('devics' was unexpected)"),
        ("groups: {a: rot}", "groups.a: 'rot' is not of type 'array'"),
        ("storage: {compresion: none}", "storage: Additional properties are not allowed"),
        ("storage: {compression: lz4}", "storage.compression: 'lz4' is not valid"),
        ("icat: {brokers: [nohost]}", "icat"),
        ("suspend: {beam: {wait: 3}}", "suspend.beam: 'when' is a required property"),
        (
            "templates: {a: {kind: sim.axis, velocty: 3}}",
            "templates.a: Additional properties are not allowed ('velocty'",
        ),
    ],
)
def test_what_is_wrong_is_told_and_the_loader_agrees(wrong: Wrong, line: str, told: str) -> None:
    text = f"{HEAD}{line}\n"
    found = complaints(text)
    assert any(one.startswith(told) for one in found), found
    if "templates" not in line:  # which the loader checks where they are used
        assert all(one.startswith("fl01.yml:4: ") for one in wrong(text))


def test_a_kind_may_be_known_alone() -> None:
    assert schema(["sim.ring"])["definitions"]["device"]["properties"]["kind"]["enum"] == ["sim.ring"]


def test_what_the_loader_takes_is_valid_for_editors_too(loaded: Loaded) -> None:
    text = HEAD + "  - {name: sx, kind: sim.axis, unit: mm, velocity: 0.3 m/min, limits: [-.inf, 2 cm], latency: 0}\n"
    loaded(text)
    assert complaints(text) == []
