"""A whole configuration, from files to values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from firstlight.configuration import ConfigurationError, load
from firstlight.devices import Axis, Surroundings, build
from firstlight.devices.sim import SimShutter
from firstlight.model import FakeClock, InvalidInput, NotFound
from tests.configuration.conftest import Loaded, Wrong

EXAMPLE = """\
    # fl01.yml, checked by the device types
    beamline: fl01
    devices:
      - {name: rot, kind: sim.axis, unit: deg, velocity: 20 deg/s, limits: [-180, 540]}
      - {name: fshut, kind: sim.shutter}
      - {name: cam, kind: sim.camera, shape: [512, 640], rotation: $rot, shutter: $fshut}
      - {name: diode, kind: sim.diode, shutter: $fshut}
      - {name: ring, kind: sim.ring}
    groups:
      tomo: [cam, diode, ring]
    default: tomo
    suspend:
      beam: {when: ring.current < 5 mA, resume: ring.current > 50 mA, wait: 30 s}
    """


def test_the_example_of_the_design_is_loaded(loaded: Loaded) -> None:
    beamline = loaded(EXAMPLE)
    assert beamline.name == "fl01"
    assert list(beamline.devices) == ["rot", "fshut", "cam", "diode", "ring"]
    assert beamline.groups == {"tomo": ("cam", "diode", "ring")}
    assert beamline.default == "tomo"
    assert beamline.suspend["beam"] == {
        "when": "ring.current < 5 mA", "resume": "ring.current > 50 mA", "wait": "30 s"
    }  # fmt: skip
    assert beamline.levels() == (("rot", "fshut", "ring"), ("cam", "diode"))
    cam = beamline.device("cam")
    assert cam.settings == {"shape": [512, 640], "rotation": "rot", "shutter": "fshut"}
    assert cam.shown["rotation"] == "$rot"
    assert cam.references == ("rot", "fshut")
    assert str(cam.where) == "fl01.yml:6"
    assert cam.source
    assert not beamline.device("rot").source


def test_settings_are_what_devices_are_built_from(loaded: Loaded) -> None:
    beamline = loaded(EXAMPLE)
    surroundings = Surroundings(FakeClock())
    rot = build(json.loads(json.dumps(beamline.device("rot").config)), surroundings)
    assert isinstance(rot, Axis)
    assert rot.velocity == pytest.approx(20.0)
    assert isinstance(build(beamline.device("fshut").config, surroundings), SimShutter)


def test_a_beamline_cannot_be_changed(loaded: Loaded) -> None:
    beamline = loaded(EXAMPLE)
    with pytest.raises(AttributeError):
        beamline.name = "fl02"  # type: ignore[misc]
    with pytest.raises(TypeError):
        beamline.devices["rot"] = beamline.devices["cam"]  # type: ignore[index]


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_file(wrong: Wrong) -> None:
    assert wrong(
        """\
        beamline: h@
        templates:
          slow: {kind: sim.axis, velocty: 20 deg/s}
        devics: []
        devices:
          - {name: rot, like: slow, unit: deg, limits: [-180]}
          - {name: sx, like: slov, unit: mm}
          - {name: fshut, kind: sim.shuter}
          - {name: ring, kind: sim.ring, current: 3 kg, interval: -1}
          - {name: cam, kind: sim.camera, shape: [512, 640.5], shutter: $fshutt, detector: {gian: 3}}
        groups:
          tomo: [cam, rng]
        default: tom
        suspend:
          beam: {whn: ring.current < 5 mA, wait: 30 m}
        """
    ) == [
        "fl01.yml:1: beamline: 'h@' is not a name for a beamline. Use letters, digits and _ - . only, for instance h.",
        "fl01.yml:3: templates.slow.velocty: sim.axis has no such setting (inherited by rot). Did you mean velocity?",
        "fl01.yml:4: devics: A configuration has no such setting. Did you mean devices?",
        "fl01.yml:6: rot.limits: Expected 2 values, got 1.",
        "fl01.yml:7: sx.like: There is no template or device 'slov'. Did you mean slow?",
        "fl01.yml:8: fshut.kind: There is no kind of device 'sim.shuter'. Did you mean sim.shutter?",
        "fl01.yml:9: ring.current: '3 kg' is not a quantity in mA. Write for instance '20 mA'.",
        "fl01.yml:9: ring.interval: Expected more than 0 s, got -1.",
        "fl01.yml:10: cam.shape.1: Expected a whole number, got 640.5.",
        "fl01.yml:10: cam.shutter: There is no device 'fshutt'. Did you mean fshut?",
        "fl01.yml:10: cam.detector.gian: detector has no such setting. Did you mean gain?",
        "fl01.yml:12: groups.tomo: There is no device or group 'rng'. Did you mean ring?",
        "fl01.yml:13: default: There is no group 'tom'. Did you mean tomo?",
        "fl01.yml:15: suspend.beam.when: beam needs this setting, and it is missing.",
        "fl01.yml:15: suspend.beam.whn: beam has no such setting. Did you mean when?",
        "fl01.yml:15: suspend.beam.wait: '30 m' is not a quantity in s. Write for instance '20 s'.",
    ]


def test_one_problem_is_one_sentence_with_its_hint(loaded: Loaded) -> None:
    with pytest.raises(InvalidInput) as caught:
        loaded("beamline: fl01\ndevices:\n  - {name: rot, kind: sim.axes}\n")
    error = caught.value
    assert isinstance(error, ConfigurationError)
    assert error.message == "fl01.yml:3: rot.kind: There is no kind of device 'sim.axes'."
    assert error.hint == "Did you mean sim.axis?"
    assert error.problems[0].where.column == 23


def test_a_path_with_nothing_names_the_nearest_file(loaded: Loaded, tmp_path: Path) -> None:
    loaded(EXAMPLE)
    with pytest.raises(NotFound, match=r"There is no configuration fl01.yaml. Did you mean fl01.yml\?"):
        load("fl01.yaml")
    with pytest.raises(NotFound, match="firstlight config new"):
        load(tmp_path / "absent" / "x")


@pytest.mark.parametrize(
    ("device", "told"),
    [
        ("{kind: sim.axis}", "devices: This device has no name. Add name: and a word."),
        ("{name: , kind: sim.axis}", "devices: This device has no name. Add name: and a word."),
        ("{name: [a], kind: sim.axis}", "name: Expected a word as the name of the device."),
        ("{name: 5, kind: sim.axis}", "name: Expected a word as the name of the device."),
        ("{name: 2th, kind: sim.axis}", "devices: '2th' cannot be the name of a device. Use letters, digits and _, a"),
        ("{name: my axis, kind: sim.axis}", "Use letters, digits and _, a letter first: my_axis."),
        ("{name: lambda, kind: sim.axis}", "It is a word of Python; take for instance lambda1."),
        ("{name: rot, kind: [a]}", "rot.kind: Expected the word for a kind of device."),
        ("{name: rot}", "rot.kind: This device has no kind. Add one, for instance kind: sim.axis."),
        ("{name: rot, kind: 'mine:camera'}", "A function of yours becomes a kind as a plug-in."),
        ("rot", "devices: A device is a mapping, and this is a text."),
        ("{name: rot, kind: sim.axis, like: 5}", "rot.like: Expected the name of a template or a device."),
    ],
)  # fmt: skip
def test_a_device_that_is_none_is_one_sentence(wrong: Wrong, device: str, told: str) -> None:
    problems = wrong(f"beamline: fl01\ndevices:\n  - {device}\n")
    assert len(problems) == 1
    assert problems[0].startswith("fl01.yml:3: ")
    assert told in problems[0]


def test_devices_have_a_name_each(wrong: Wrong) -> None:
    files = "beamline: fl01\ndevices:\n  - {name: rot, kind: sim.axis}\n  - {name: rot, kind: sim.ring}\n"
    assert wrong(files) == ["fl01.yml:4: rot: Another device has this name, in fl01.yml:3. Give each its own name."]


@pytest.mark.parametrize("value", ["{rot: {kind: sim.axis}}", "5"])
def test_devices_that_are_no_list_are_told(wrong: Wrong, value: str) -> None:
    problems = wrong(f"beamline: fl01\ndevices: {value}\n")
    assert len(problems) == 1
    assert "Begin each device with a dash: - {name: rot, kind: sim.axis}" in problems[0]


def test_sections_with_nothing_in_them_are_as_if_absent(loaded: Loaded) -> None:
    beamline = loaded("beamline: fl01\ndevices:\ngroups:\naliases:\nscripts:\nstorage:\nicat:\nsuspend:\ninclude:\n")
    assert (dict(beamline.devices), dict(beamline.groups), beamline.icat) == ({}, {}, None)


def test_a_device_is_found_by_name_and_alias_and_else_the_nearest_is_named(loaded: Loaded) -> None:
    beamline = loaded(EXAMPLE.replace("default: tomo", "default: tomo\n    aliases: {omega: rot}"))
    assert beamline.device("omega").name == "rot"
    with pytest.raises(NotFound, match=r"fl01 has no device 'diod'. Did you mean diode\?"):
        beamline.device("diod")
    with pytest.raises(NotFound, match=r"fl01 has no group 'tomos'. Did you mean tomo\?"):
        beamline.members("tomos")


def test_numbers_are_plain_and_infinity_is_a_limit(loaded: Loaded) -> None:
    text = (
        "beamline: fl01\ndevices:\n  - {name: rot, kind: sim.axis, limits: [-.inf, 0x10], sign: -1, velocity: 1e-3}\n"
    )
    axis = build(loaded(text).device("rot").config, Surroundings(FakeClock()))
    assert isinstance(axis, Axis)
    assert axis.dial_limits == (float("-inf"), 16.0)
