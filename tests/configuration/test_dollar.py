"""References to devices, and texts from the environment."""

from __future__ import annotations

import json

import pytest

from firstlight.configuration import ConfigurationError, settings, shown
from tests.configuration.conftest import Loaded, Wrong

HEAD = "beamline: fl01\ndevices:\n  - {name: rot, kind: sim.axis}\n  - {name: fshut, kind: sim.shutter}\n"


def test_a_reference_is_the_name_of_a_device_anywhere_in_the_settings(loaded: Loaded) -> None:
    beamline = loaded(
        HEAD + "  - {name: d, kind: sim.diode, shutter: $fshut, peaks: {$rot: {fwhm: 2}}}\naliases: {omega: rot}\n"
    )
    entry = beamline.device("d")
    assert entry.settings == {"shutter": "fshut", "peaks": {"rot": {"fwhm": 2}}}
    assert entry.references == ("fshut", "rot")
    assert entry.shown == {"shutter": "$fshut", "peaks": {"$rot": {"fwhm": 2}}}
    assert "peaks.$rot.fwhm" in entry.origins


def test_a_reference_may_stand_within_a_text_and_be_an_alias(loaded: Loaded) -> None:
    text = HEAD + "  - {name: cam, kind: replay, file: '$omega of $$5 $fshut.state $(P)', rotation: $omega}\n"
    entry = loaded(text + "aliases: {omega: rot}\n").device("cam")
    assert entry.settings["file"] == "rot of $5 fshut.state $(P)"
    assert entry.references == ("rot", "fshut")


def test_inherited_references_are_references(loaded: Loaded) -> None:
    text = HEAD + "  - {name: d, kind: sim.diode, shutter: $fshut}\n  - {name: e, like: d}\n"
    assert loaded(text).device("e").references == ("fshut",)


@pytest.mark.parametrize(
    ("devices", "told"),
    [
        ("{name: d, kind: sim.diode, shutter: $fshutt}", "d.shutter: There is no device 'fshutt'. Did you mean fshut?"),
        ("{name: d, kind: sim.diode, peaks: {$rott: {}}}", "There is no device 'rott'. Did you mean rot?"),
        ("{name: d, kind: sim.diode, shutter: $d}", "d: These devices need each other: d -> d."),
        ("{name: c, kind: replay, file: '${', rotation: $rot}", "c.file: ${ is no variable. Write ${NAME} or"),
        ("{name: c, kind: replay, file: '${A B}', rotation: $rot}", "c.file: ${A B} is no variable."),
    ],
)
def test_a_reference_to_nothing_is_told_with_the_nearest(wrong: Wrong, devices: str, told: str) -> None:
    problems = wrong(HEAD + f"  - {devices}\n")
    assert len(problems) == 1
    assert problems[0].startswith("fl01.yml:5: ")
    assert told in problems[0]


def test_devices_that_need_each_other_are_named_in_their_order(wrong: Wrong) -> None:
    told = wrong(
        "beamline: fl01\ndevices:\n"
        "  - {name: a, kind: calc.monochromator, crystal: Si111, axis: $b}\n"
        "  - {name: b, kind: calc.monochromator, crystal: Si111, axis: $c}\n"
        "  - {name: c, kind: calc.monochromator, crystal: Si111, axis: $a}\n"
    )
    assert told == [
        "fl01.yml:3: a: These devices need each other: a -> b -> c -> a. Take one reference away."
    ]  # fmt: skip


def test_variables_are_replaced_in_texts_and_hidden_when_shown(loaded: Loaded) -> None:
    text = HEAD + (
        "  - {name: cam, kind: replay, rotation: $rot, file: '/data/${FOLDER}/${NAME:-scan}.h5',"
        " maximum_rate: '${RATE}'}\n"
        "storage: {data: '${FOLDER}'}\n"
    )
    beamline = loaded(text, FOLDER="s3cret", RATE="20 Hz", NAME="")
    cam = beamline.device("cam")
    assert cam.settings["file"] == "/data/s3cret/scan.h5"
    assert cam.settings["maximum_rate"] == "20 Hz"
    assert beamline.storage.data == "s3cret"
    told = json.dumps(shown(beamline)) + repr(cam) + "".join(str(one) for one in settings(cam))
    assert "s3cret" not in told
    assert "/data/${FOLDER}/${NAME:-scan}.h5" in told


def test_a_variable_is_not_looked_into(loaded: Loaded) -> None:
    text = HEAD + "  - {name: cam, kind: replay, rotation: $rot, file: '${FILE}'}\n"
    assert loaded(text, FILE="$rot ${X} $$").device("cam").settings["file"] == "$rot ${X} $$"


def test_a_missing_variable_is_told_by_name_and_nothing_more_is_said_about_it(wrong: Wrong) -> None:
    text = HEAD + "  - {name: cam, kind: sim.camera, maximum_rate: '${RATE}', shape: '${SHAPE}'}\n"
    assert wrong(text, RATES="5") == [
        "fl01.yml:5: cam.maximum_rate: The environment variable RATE is not set. Did you mean RATES?",
        "fl01.yml:5: cam.shape: The environment variable SHAPE is not set. Set it before starting: export SHAPE=...",
    ]


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("maximum_rate: '${PASSWORD}'", "'${PASSWORD}' is not a quantity in 1/s."),
        ("seed: '${PASSWORD}'", "cam.seed: Expected a whole number, got '${PASSWORD}'."),
        ("sample: '${PASSWORD}', dtpe: 5", "cam.dtpe: sim.camera has no such setting."),
    ],
)
def test_no_message_holds_the_value_of_a_variable(loaded: Loaded, setting: str, told: str) -> None:
    text = HEAD + f"  - {{name: cam, kind: sim.camera, {setting}}}\n"
    with pytest.raises(ConfigurationError) as caught:
        loaded(text, PASSWORD="hunter2\\n")
    assert told in str(caught.value)
    assert "hunter2" not in str(caught.value)
