"""Kinds of devices that installed packages bring."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from firstlight.configuration import broken, load, schema
from firstlight.configuration._problem import ConfigurationError
from firstlight.devices import build, build_source, configuration, is_source, kinds, plugins
from firstlight.model import InvalidInput, NotFound

MODULE = '''
from firstlight.devices import Configuration, Kind, unit
from pydantic import model_validator
from typing import Annotated

class Settings(Configuration):
    """A lamp."""
    current: Annotated[float, unit("mA")] = 5.0
    """Through the lamp."""

class Lamp:
    def __init__(self, name, current):
        self.name, self.current = name, current

def lamp(config, surroundings):
    return Lamp(config["name"], config.get("current", 5.0))

def camera(config, surroundings):
    return ("frames of", config["name"])

class Odd(Configuration):
    """Its type cannot be told in JSON, and its check fails."""
    name: str
    sort: type = int
    @model_validator(mode="after")
    def fails(self):
        raise KeyError(self.name)

LAMP = Kind(lamp, Settings)
ODD = Kind(lamp, Odd)
CAMERA = Kind(camera, Settings, source=True)
NOTHING = 5
'''

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """``install("lamps", {"lab.lamp": "lab_lamps:LAMP"})``: a package with these entry points, as pip leaves it."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "lab_lamps.py").write_text(MODULE)
    (site / "lab_failing.py").write_text("raise RuntimeError('no licence\\nfor this')\n")
    monkeypatch.syspath_prepend(str(site))

    def run(name: str, points: dict[str, str]) -> None:
        info = site / f"{name}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        lines = "".join(f"{kind} = {target}\n" for kind, target in points.items())
        (info / "entry_points.txt").write_text(f"[firstlight.devices]\n{lines}")
        plugins.cache_clear()

    plugins.cache_clear()
    yield run
    plugins.cache_clear()
    for module in ("lab_lamps", "lab_failing"):
        sys.modules.pop(module, None)


def test_a_kind_of_a_package_is_like_a_built_in_one(install: Install, tmp_path: Path) -> None:
    install("lamps", {"lab.lamp": "lab_lamps:LAMP", "lab.camera": "lab_lamps:CAMERA"})
    assert {"lab.lamp", "lab.camera"} <= set(kinds())
    assert configuration("lab.lamp").__doc__ == "A lamp."
    assert not is_source("lab.lamp")
    assert is_source("lab.camera")
    lamp = build({"kind": "lab.lamp", "name": "red", "current": 3})
    assert (lamp.name, getattr(lamp, "current")) == ("red", 3)  # noqa: B009 - the type is the plug-in's
    assert str(build_source("lab.camera", {"name": "eye"})) == "('frames of', 'eye')"
    path = tmp_path / "fl01.yml"
    path.write_text(
        "beamline: fl01\ndevices: [{name: red, kind: lab.lamp, current: 3 mA}, {name: e, kind: lab.camera}]\n"
    )
    assert load(path).device("red").config == {"name": "red", "kind": "lab.lamp", "current": "3 mA"}
    assert load(path).device("e").source
    assert "lab.lamp" in schema()["definitions"]
    assert broken() == ()


def test_settings_of_a_plug_in_are_checked_by_its_type(install: Install, tmp_path: Path) -> None:
    install("lamps", {"lab.lamp": "lab_lamps:LAMP"})
    path = tmp_path / "fl01.yml"
    path.write_text("beamline: fl01\ndevices:\n - {name: a, kind: lab.lamp, curent: 3}\n - {name: b, kind: lab.lmp}\n")
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert [(one.where.line, one.hint) for one in caught.value.problems] == [
        (3, "Did you mean current?"), (4, "Did you mean lab.lamp?")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (
            "lab_absent:LAMP",
            "The kind lab.bad of lamps 1.2 cannot be loaded: ModuleNotFoundError: No module named 'lab_",
        ),
        ("lab_lamps:ABSENT", "The kind lab.bad of lamps 1.2 cannot be loaded: AttributeError"),
        ("lab_failing:LAMP", "The kind lab.bad of lamps 1.2 cannot be loaded: RuntimeError: no licence for this."),
        ("lab_lamps:NOTHING", "The kind lab.bad of lamps 1.2 cannot be used: lab_lamps:NOTHING is no devices.Kind."),
    ],
)
def test_a_broken_plug_in_is_named_and_does_not_break_the_others(
    install: Install, tmp_path: Path, target: str, told: str
) -> None:
    install("lamps", {"lab.bad": target, "lab.lamp": "lab_lamps:LAMP"})
    assert build({"kind": "lab.lamp", "name": "red"}).name == "red"
    assert not is_source("lab.bad")
    with pytest.raises(InvalidInput) as caught:
        build({"kind": "lab.bad", "name": "x"})
    assert caught.value.message.startswith(told)
    assert caught.value.hint == "Mend or remove lamps 1.2."
    assert [one.startswith(told) for one in broken()] == [True]
    assert "lab.lamp" in schema()["definitions"]
    assert "lab.bad" not in schema()["definitions"]
    path = tmp_path / "fl01.yml"
    path.write_text("beamline: fl01\ndevices:\n - {name: a, kind: lab.lamp}\n - {name: b, kind: lab.bad}\n")
    with pytest.raises(ConfigurationError) as refused:
        load(path)
    assert [str(one.where) for one in refused.value.problems] == [f"{path}:4"]
    assert refused.value.problems[0].message.startswith(told)


def test_a_plug_in_cannot_take_the_name_of_a_built_in_kind(install: Install) -> None:
    install("lamps", {"sim.axis": "lab_lamps:LAMP"})
    assert configuration("sim.axis").__module__.startswith("firstlight.")
    assert kinds().count("sim.axis") == 1
    assert "The kind sim.axis of lamps 1.2 has a name that Firstlight itself uses." in broken()[0]


def test_two_packages_with_the_same_kind_are_named(install: Install) -> None:
    install("lamps", {"lab.lamp": "lab_lamps:LAMP"})
    install("torches", {"lab.lamp": "lab_lamps:CAMERA"})
    with pytest.raises(InvalidInput, match=r"The kind lab.lamp comes from .* 1.2 and from .* 1.2\."):
        configuration("lab.lamp")


def test_a_source_is_no_device_and_a_device_no_source(install: Install) -> None:
    install("lamps", {"lab.lamp": "lab_lamps:LAMP", "lab.camera": "lab_lamps:CAMERA"})
    with pytest.raises(InvalidInput, match=r"There is no kind of device 'lab.camera'"):
        build({"kind": "lab.camera", "name": "x"})
    with pytest.raises(InvalidInput, match=r"There is no kind of device 'lab.lamp'"):
        build_source("lab.lamp", {"name": "x"})


def test_without_plug_ins_the_kinds_are_the_built_in_ones(install: Install) -> None:
    install("lamps", {})
    with pytest.raises(NotFound, match=r"'lab.lamp'"):
        configuration("lab.lamp")


def test_a_type_that_fails_to_check_is_told_and_the_others_are_checked(install: Install, tmp_path: Path) -> None:
    install("lamps", {"lab.odd": "lab_lamps:ODD"})
    path = tmp_path / "fl01.yml"
    path.write_text(
        "beamline: fl01\ndevices:\n - {name: a, kind: lab.odd}\n - {name: b, kind: lab.odd, sorrt: 3}\n"
        " - {name: c, kind: sim.rong}\n"
    )
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    told = [str(one).removeprefix(f"{path}:") for one in caught.value.problems]
    assert told == [
        "3: a: lab.odd failed to check this: KeyError: 'a'. Report it to who made the kind.",
        "4: b.sorrt: lab.odd has no such setting. Did you mean sort?",
        "5: c.kind: There is no kind of device 'sim.rong'. Did you mean sim.ring?",
    ]
    assert "lab.odd" in schema()["definitions"]
