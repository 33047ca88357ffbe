"""Settings whose type says that they name a device, and names of what devices bring themselves."""

from __future__ import annotations

from firstlight.configuration import schema
from tests.configuration.conftest import Loaded, Wrong

HEAD = """\
beamline: fl01
devices:
  - {name: energy, kind: calc.monochromator, crystal: Si111, axis: bragg, undulator: {axis: gap, period: 20}}
  - {name: slits, kind: calc.slits, positive: $up, negative: lower}
  - {name: bragg, kind: sim.axis, unit: deg}
  - {name: gap, kind: sim.axis, unit: mm}
  - {name: up, kind: sim.axis, unit: mm}
  - {name: down, kind: sim.axis, unit: mm}
  - {name: table, kind: calc.table, legs: [up, $down, gap], places: [[0, 0], [1, 0], [0, 1]]}
aliases: {lower: down, opening: slits.gap}
"""


def test_a_setting_that_names_a_device_is_a_reference_without_a_dollar_too(loaded: Loaded) -> None:
    beamline = loaded(HEAD)
    assert beamline.device("energy").references == ("bragg", "gap")
    assert set(beamline.device("slits").references) == {"up", "down"}
    assert beamline.device("slits").settings == {"positive": "up", "negative": "down"}
    assert beamline.device("slits").shown == {"positive": "$up", "negative": "lower"}
    assert set(beamline.device("table").references) == {"up", "down", "gap"}
    assert beamline.levels()[0] == ("bragg", "gap", "up", "down")


def test_a_wrong_name_there_is_told_with_the_nearest(wrong: Wrong) -> None:
    text = HEAD.replace("axis: bragg", "axis: brag").replace("[up, ", "[upp, ").replace("axis: gap", "axis: $gapp")
    assert wrong(text) == [
        "fl01.yml:3: energy.axis: There is no device 'brag'. Did you mean bragg?",
        "fl01.yml:3: energy.undulator.axis: There is no device 'gapp'. Did you mean gap?",
        "fl01.yml:9: table.legs.0: There is no device 'upp'. Did you mean up?",
    ]


def test_an_inherited_name_is_told_where_it_is_written(wrong: Wrong) -> None:
    text = HEAD.replace("devices:", "templates: {s: {kind: calc.slits, positive: upp, negative: down}}\ndevices:")
    assert wrong(text.replace("kind: calc.slits, positive: $up, negative: lower", "like: s")) == [
        "fl01.yml:2: templates.s.positive: There is no device 'upp' (inherited by slits). Did you mean up?"
    ]


def test_a_circle_without_dollars_is_found(wrong: Wrong) -> None:
    told = wrong(
        "beamline: fl01\ndevices:\n  - {name: a, kind: calc.monochromator, crystal: Si111, axis: b}\n"
        "  - {name: b, kind: calc.monochromator, crystal: Si111, axis: $a}\n"
    )
    assert told == ["fl01.yml:3: a: These devices need each other: a -> b -> a. Take one reference away."]


def test_parts_of_devices_are_known_by_the_device(loaded: Loaded, wrong: Wrong) -> None:
    beamline = loaded(
        HEAD
        + "setups: {open: {slits.gap: {velocity: 1}, opening: {velocity: 1}, session: {group: a}}}\n"
        + "groups: {a: [slits.gap]}\nsessions: {s: {devices: [opening]}}\n"
    )
    assert beamline.aliases["opening"] == "slits.gap"
    assert beamline.device("opening").name == "slits"
    assert beamline.sessions["s"].devices == ("slits", "up", "down")
    told = wrong(HEAD + "setups: {open: {slit.gap: {velocity: 1}}}\ngroups: {a: [slit.gap]}\n")
    assert [one.split(": ", 2)[2] for one in told] == [
        "There is no device 'slit'. Did you mean slits?",
        "There is no device or group 'slit'. Did you mean slits?",
    ]


def test_a_reference_to_a_part_needs_the_whole(loaded: Loaded) -> None:
    text = HEAD + "  - {name: t2, kind: calc.slits, positive: $slits.gap, negative: opening}\n"
    lines = text.splitlines(keepends=True)
    entry = loaded("".join([*lines[:9], lines[10], lines[9]])).device("t2")
    assert entry.settings == {"positive": "slits.gap", "negative": "slits.gap"}
    assert entry.references == ("slits",)


def test_words_of_the_prompt_are_no_names(wrong: Wrong) -> None:
    told = wrong("beamline: fl01\ndevices: [{name: session, kind: sim.axis}]\n")
    assert len(told) == 1
    assert told[0].endswith("cannot be the name of a device. It is a word of Firstlight; take for instance session1.")


def test_the_schema_says_nothing_that_editors_do_not_know() -> None:
    assert "reference" not in str(schema()["definitions"]["calc.slits"]["properties"]["positive"])
