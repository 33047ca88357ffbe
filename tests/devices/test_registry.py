from __future__ import annotations

import json
from typing import Any

import pytest

from firstlight.devices import DEVICES, SOURCES, Axis, Surroundings, build, build_source, configuration, is_source
from firstlight.devices.sim import (
    Diode,
    RingCurrent,
    SimAxis,
    SimCamera,
    SimMca,
    SimPointDetector,
    SimShutter,
    SimTrigger,
)
from firstlight.model import CounterDriver, FakeClock, InvalidInput, NotFound, Shutter, Trigger


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"kind": "sim.axis", "name": "rot"}, Axis),
        ({"kind": "sim.shutter", "name": "fast"}, SimShutter),
        ({"kind": "sim.ring", "name": "ring"}, RingCurrent),
        ({"kind": "sim.diode", "name": "diode"}, Diode),
        ({"kind": "sim.trigger", "name": "card"}, SimTrigger),
        ({"kind": "sim.mca", "name": "mca"}, SimMca),
        ({"kind": "sim.point_detector", "name": "det", "sample": {"technique": "absorption"}}, SimPointDetector),
    ],
)
def test_each_kind_is_built_from_its_configuration(config: dict[str, Any], kind: type) -> None:
    device = build(config, Surroundings(FakeClock()))
    assert isinstance(device, kind)
    assert isinstance(device, (Axis, CounterDriver, Shutter, Trigger))
    assert device.name == config["name"]


def test_numbers_may_be_texts_with_a_unit_and_follow_the_axis_unit() -> None:
    axis = build(
        {
            "kind": "sim.axis", "name": "sx", "unit": "mm", "velocity": "0.3 m/min", "acceleration": "1 cm/s**2",
            "limits": ["-2 cm", 50], "position": "100 um", "sign": -1, "offset": "1 cm",
        },
        Surroundings(FakeClock()),
    )  # fmt: skip
    assert isinstance(axis, Axis)
    assert axis.velocity == pytest.approx(5.0)
    assert axis.acceleration == pytest.approx(10.0)
    assert axis.dial_limits == pytest.approx((-20.0, 50.0))
    assert axis.dial == pytest.approx(0.1)
    assert axis.position == pytest.approx(9.9)
    assert isinstance(axis.driver, SimAxis)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"name": "rot"}, "needs its kind"),
        ({"kind": "sim.axes", "name": "rot"}, "'sim.axes'.*Did you mean sim.axis"),
        ({"kind": "sim.axis"}, "sim.axis: the setting 'name' is missing"),
        ({"kind": "sim.axis", "name": "rot", "speed": 3}, "rot.*no setting 'speed'.*Known: name, unit, sign"),
        ({"kind": "sim.axis", "name": "rot", "velocity": "3 kg"}, r"rot.*velocity.*'3 kg' is not a quantity in deg/s"),
        ({"kind": "sim.axis", "name": "rot", "velocity": -3}, "rot.*velocity = -3.*greater than 0"),
        ({"kind": "sim.axis", "name": "rot", "velocity": "fast"}, "rot.*velocity.*'fast'"),
        ({"kind": "sim.axis", "name": "rot", "position": 9, "limits": [0, 1]}, "rot.*outside its limits"),
        ({"kind": "sim.diode", "name": "d", "peaks": {"x": {"fwhm": 0}}}, "peaks.x.fwhm = 0"),
    ],
)
def test_a_wrong_configuration_is_one_clear_sentence(config: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why) as caught:
        build(config, Surroundings(FakeClock()))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"sample": "bone"}, "no 'bone'.*Known: shepp-logan, tooth, none"),
        ({"shape": [0, 5]}, "shape"),
        ({"dtype": "float32"}, "'float32' cannot be had.*<u2"),
        ({"pixel_size": "3 s"}, "pixel_size"),
        ({"maximum_rate": 0}, "maximum_rate"),
    ],
)
def test_a_wrong_camera_is_one_clear_sentence(config: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        build_source("sim.camera", config, Surroundings(FakeClock()))


def test_an_unknown_source_names_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match=r"'lima'.*sim.camera, sim.area_detector, replay"):
        build_source("lima", {})


def test_a_source_may_be_a_function_of_a_module() -> None:
    source = build_source(
        "firstlight.devices.sim._build:camera", {"config": {"shape": [4, 5]}, "surroundings": Surroundings(FakeClock())}
    )
    assert isinstance(source, SimCamera)
    with pytest.raises(InvalidInput, match="cannot be loaded"):
        build_source("firstlight.nowhere:function", {})


def test_a_sample_may_be_given_body_by_body() -> None:
    body = {"centre": [0, 0, 0], "radii": [1, 1, 1], "attenuation": 0.5}
    source = build_source("sim.camera", {"shape": [4, 5], "sample": [body]}, Surroundings(FakeClock()))
    assert isinstance(source, SimCamera)
    assert len(source.imager.phantom.ellipsoids) == 1


@pytest.mark.parametrize("kind", [*DEVICES, *SOURCES])
def test_every_setting_of_every_kind_is_described(kind: str) -> None:
    schema = configuration(kind).model_json_schema()
    json.dumps(schema)
    described = {name for name, field in schema["properties"].items() if "description" in field or "$ref" in field}
    undescribed = set(schema["properties"]) - described - {"name"}
    assert not undescribed


def test_sources_are_told_from_devices() -> None:
    assert is_source("sim.camera")
    assert is_source("mine:camera")
    assert not is_source("sim.axis")
    with pytest.raises(NotFound, match=r"Did you mean sim\.diode"):
        configuration("sim.diod")


def test_devices_alone_have_no_out_of_band_stop() -> None:
    axis = build({"kind": "sim.axis", "name": "rot"})
    assert isinstance(axis, Axis)
    assert axis.out_of_band is None
