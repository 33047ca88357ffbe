"""``like``: what devices take from templates and from other devices."""

from __future__ import annotations

import pytest

from tests.configuration.conftest import Loaded, Wrong

HEAD = """\
beamline: fl01
templates:
  stepper: {kind: sim.axis, unit: mm, velocity: 2 mm/s}
  slow: {like: stepper, velocity: 1 mm/s}
  camera: {kind: sim.camera, detector: {gain: 2, bits: 12}, shape: [10, 20], radius: 1 mm}
devices:
"""


def test_a_device_takes_what_it_does_not_say_itself(loaded: Loaded) -> None:
    beamline = loaded(
        HEAD + "  - {name: sx, like: slow, limits: [0, 1]}\n  - {name: sy, like: sx, unit: um, velocity: 3 um/s}\n"
    )
    assert beamline.device("sx").settings == {"unit": "mm", "velocity": "1 mm/s", "limits": [0, 1]}
    assert beamline.device("sy").settings == {"unit": "um", "velocity": "3 um/s", "limits": [0, 1]}
    assert beamline.device("sy").kind == "sim.axis"
    origins = {key: (str(origin.where), origin.via) for key, origin in beamline.device("sy").origins.items()}
    assert origins == {
        "unit": ("fl01.yml:8", ""), "velocity": ("fl01.yml:8", ""), "limits": ("fl01.yml:7", "device sx")
    }  # fmt: skip
    assert beamline.device("sx").origins["unit"].via == "template stepper"


def test_a_device_is_not_one_that_another_needs_because_it_is_like_it(loaded: Loaded) -> None:
    beamline = loaded(HEAD + "  - {name: sx, like: stepper}\n  - {name: sy, like: sx}\n")
    assert beamline.device("sy").references == ()


def test_mappings_go_into_each_other_and_lists_are_replaced(loaded: Loaded) -> None:
    cam = loaded(HEAD + "  - {name: cam, like: camera, detector: {bits: 14}, shape: [5, 6]}\n").device("cam")
    assert cam.settings == {"detector": {"gain": 2, "bits": 14}, "shape": [5, 6], "radius": "1 mm"}
    assert cam.origins["detector.gain"].via == "template camera"
    assert cam.origins["detector.bits"].via == ""


def test_an_empty_value_takes_an_inherited_one_away(loaded: Loaded) -> None:
    cam = loaded(HEAD + "  - {name: cam, like: camera, radius: , detector: {bits: }}\n").device("cam")
    assert cam.settings == {"detector": {"gain": 2}, "shape": [10, 20]}
    alone = loaded(HEAD + "  - {name: cam, kind: sim.camera, radius: }\n").device("cam")
    assert alone.settings == {"radius": None}


def test_a_wrong_value_is_told_once_where_it_is_written_with_all_who_inherit_it(wrong: Wrong) -> None:
    text = HEAD.replace("velocity: 2 mm/s", "velocity: 2 kg") + "".join(
        f"  - {{name: s{n}, like: stepper}}\n" for n in range(6)
    )
    told = wrong(text)
    assert len(told) == 1
    assert told[0].startswith(
        "fl01.yml:3: templates.stepper.velocity: '2 kg' is not a quantity in mm/s (inherited by s0"
    )
    assert told[0].endswith("(inherited by s0, s1, s2 and 3 more). Write for instance '20 mm/s'.")


@pytest.mark.parametrize(
    ("devices", "told"),
    [
        (
            "  - {name: sx, like: steper}\n",
            "7: sx.like: There is no template or device 'steper'. Did you mean stepper?",
        ),
        ("  - {name: sx, like: $stepper}\n", "7: sx.like: There is no template or device '$stepper'. Did you mean"),
        (
            "  - {name: a, like: b}\n  - {name: b, like: a}\n",
            "8: b.like: This goes in a circle: a -> b -> a. Break it.",
        ),
        ("  - {name: a, like: a}\n", "7: a.like: This goes in a circle: a -> a. Break it."),
        (
            "  - {name: fshut, kind: sim.shutter, like: stepper}\n",
            "3: templates.stepper.unit: sim.shutter has no such setting (inherited by fshut). Did you mean",
        ),
        (
            "  - {name: slow, kind: sim.ring}\n",
            "4: templates.slow: slow is a device too. Give the template another name.",
        ),
        ("  - {name: ring, kind: sim.ring, like: [a]}\n", "7: ring.like: Expected the name of a template or a device."),
    ],
)
def test_what_cannot_be_inherited_is_told(wrong: Wrong, devices: str, told: str) -> None:
    assert any(one.startswith(f"fl01.yml:{told.removesuffix('Did you mean')}") for one in wrong(HEAD + devices))


def test_an_unused_template_is_looked_at_too(wrong: Wrong) -> None:
    told = wrong("beamline: fl01\ntemplates:\n  a: {like: b}\n  b: {like: a}\n  c: 5\n  d: {name: x, like: e}\n")
    assert told == [
        "fl01.yml:4: templates.b.like: This goes in a circle: a -> b -> a. Break it.",
        "fl01.yml:5: templates.c: Expected a mapping, got 5.",
        "fl01.yml:6: templates.d.name: A template gives no name. Remove it.",
        "fl01.yml:6: templates.d.like: There is no template or device 'e'. Known: a, b, d.",
    ]


def test_a_very_long_chain_is_refused(wrong: Wrong) -> None:
    chain = (
        "".join(f"  - {{name: d{n}, like: d{n + 1}}}\n" for n in range(2000)) + "  - {name: d2000, kind: sim.axis}\n"
    )
    assert any("More than 50 inherit from each other." in one for one in wrong(HEAD + chain))
