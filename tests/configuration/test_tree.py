"""Folders of files: their order, what folders give to their devices, what is included."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from firstlight.configuration import load
from tests.configuration.conftest import Loaded, Write, Wrong

TREE = {
    "zero.yml": "devices:\n  - {name: zero, kind: sim.ring}\n",
    "beamline.yml": "beamline: fl01\ndevices:\n  - {name: first, kind: sim.ring}\ngroups: {a: [first]}\n",
    "motors/__init__.yml": "kind: sim.axis\nunit: mm\nvelocity: 2 mm/s\n",
    "motors/stage.yml": "devices: [{name: sx}, {name: fast, velocity: 5}, {name: fshut, kind: sim.shutter}]\n",
    "motors/fine/__init__.yml": "velocity: 1 um/s\nlatency: 1 ms\n",
    "motors/fine/piezo.yml": "devices:\n  - {name: px}\ngroups: {b: [px]}\n",
    "motors/.hidden/x.yml": "devices: [{name: hidden, kind: sim.axis}]\n",
    "motors/notes.txt": "devices: none\n",
}


def test_the_files_of_a_folder_and_those_below_are_one_configuration(loaded: Loaded) -> None:
    beamline = loaded(TREE)
    assert list(beamline.devices) == ["first", "zero", "sx", "fast", "fshut", "px"]
    assert dict(beamline.groups) == {"a": ("first",), "b": ("px",)}
    assert {file.name for file in beamline.files} == {
        "beamline.yml", "zero.yml", "stage.yml", "piezo.yml", "__init__.yml"
    }  # fmt: skip
    assert all(file.is_absolute() for file in beamline.files)


def test_settings_of_a_folder_reach_its_devices_and_those_below(loaded: Loaded) -> None:
    beamline = loaded(TREE)
    assert beamline.device("sx").settings == {"unit": "mm", "velocity": "2 mm/s"}
    assert beamline.device("fast").settings == {"unit": "mm", "velocity": 5}
    assert beamline.device("px").settings == {"unit": "mm", "velocity": "1 um/s", "latency": "1 ms"}
    assert beamline.device("px").kind == "sim.axis"
    origin = beamline.device("px").origins["unit"]
    assert (str(origin.where), origin.via) == ("motors/__init__.yml:2", "motors/__init__.yml")
    assert beamline.device("fast").origins["velocity"].via == ""


def test_devices_of_a_kind_without_such_a_setting_do_not_take_it_from_their_folder(loaded: Loaded) -> None:
    assert loaded(TREE).device("fshut").settings == {}


def test_a_setting_of_a_folder_that_no_device_has_is_told_with_the_nearest(wrong: Wrong) -> None:
    assert wrong(TREE | {"motors/__init__.yml": "kind: sim.axis\nunit: mm\nvelocty: 2 mm/s\n"}) == [
        "motors/__init__.yml:3: velocty: No device of this folder has such a setting. Did you mean velocity?"
    ]


def test_a_wrong_setting_of_a_folder_is_told_where_it_is_written_and_who_inherits_it(wrong: Wrong) -> None:
    told = wrong(TREE | {"motors/__init__.yml": "kind: sim.axis\nunit: mm\nvelocity: 2 kg\n"})
    assert len(told) == 1
    assert told[0].startswith("motors/__init__.yml:3: velocity: '2 kg' is not a quantity in mm/s (inherited by sx).")


def test_a_file_of_a_folder_is_loaded_with_the_settings_of_that_folder(write: Write) -> None:
    write(TREE | {"motors/stage.yml": "beamline: fl01\ndevices:\n  - {name: sx}\n"})
    assert load("motors/stage.yml").device("sx").settings["unit"] == "mm"


def test_a_folders_settings_hold_nothing_else(wrong: Wrong) -> None:
    told = wrong(TREE | {"motors/__init__.yml": "kind: sim.axis\ndevices: []\n"})
    assert told[0] == (
        "motors/__init__.yml:2: devices: This file holds settings that the devices of its folder inherit, and nothing "
        "else. Move it to another file of the folder."
    )


def test_included_files_and_folders_are_read_once(loaded: Loaded, tmp_path: Path) -> None:
    beamline = loaded(
        {
            "fl01.yml": "beamline: fl01\ninclude: [parts/a.yml, ./parts, '${EXTRA}/b.yml']\n",
            "parts/a.yml": "include: ../fl01.yml\ndevices: [{name: a, kind: sim.ring}]\n",
            "parts/__init__.yml": "current: 100 mA\n",
            "extra/b.yml": "devices: [{name: b, kind: sim.ring}]\n",
        },
        EXTRA=str(tmp_path / "extra"),
    )
    assert list(beamline.devices) == ["a", "b"]
    assert beamline.device("a").settings == {"current": "100 mA"}


@pytest.mark.parametrize(
    ("include", "told"),
    [
        ("[moters.yml]", "include: There is no file moters.yml. Did you mean motors.yml?"),
        ("[[motors.yml]]", "include: Expected the path of a file, and this is a list."),
        ("[5]", "include: Expected the path of a file, and this is a number."),
        ("'${ABSENT_VARIABLE}'", "include: The environment variable ABSENT_VARIABLE is not set."),
        ("$rot", "include: $rot refers to a device, which may not be here. Write $$ for a dollar."),
    ],
)
def test_what_cannot_be_included_is_told(wrong: Wrong, include: str, told: str) -> None:
    problems = wrong({"fl01.yml": f"beamline: fl01\ninclude: {include}\n", "motors.yml": "devices: []\n"})
    assert any(one.startswith(f"fl01.yml:2: {told}") for one in problems)


def test_what_two_files_define_is_told_with_both_places(wrong: Wrong) -> None:
    told = wrong(
        {
            "beamline.yml": "beamline: fl01\ngroups: {a: [x]}\ndefault: a\n",
            "a.yml": "devices: [{name: x, kind: sim.ring}]\ngroups: {a: [x], b: [x]}\n",
            "b.yml": "beamline: fl02\nscripts: {}\n",
            "c.yml": "devices: [{name: x, kind: sim.ring}]\nscripts: []\n",
        }
    )
    assert told == [
        "a.yml:2: groups.a: This is defined in beamline.yml:2 too. Keep one of them.",
        "b.yml:1: beamline: This is defined in beamline.yml:1 too. Keep one of them.",
        "b.yml:2: scripts: Expected a text or a list, got a mapping.",
        "c.yml:1: x: Another device has this name, in a.yml:1. Give each its own name.",
        "c.yml:2: scripts: This is defined in b.yml:2 too. Keep one of them.",
    ]


def test_an_empty_folder_says_how_to_begin(wrong: Wrong, write: Write) -> None:
    write({})
    Path("empty").mkdir()
    os.chdir("empty")
    assert wrong({})[0] == ".:1: The folder holds no .yml file. Write one: firstlight config new"


def test_a_folder_is_read_once_however_many_links_lead_to_it(loaded: Loaded, write: Write) -> None:
    write({"beamline.yml": "beamline: fl01\n"})
    for name in ("again", "and_again"):
        Path(name).symlink_to(Path().absolute())
    assert loaded({}).name == "fl01"


def test_very_deep_folders_are_refused(wrong: Wrong) -> None:
    files = {"beamline.yml": "beamline: fl01\n", "/".join(["d"] * 25) + "/x.yml": "devices: []\n"}
    assert any("More than 20 folders in each other" in one for one in wrong(files))


@pytest.mark.parametrize(
    ("storage", "folder"),
    [
        ("", "firstlight-data"),
        ("storage: {data: data}\n", "data"),
        ("storage: {tmp: 'x/{beamline}/tmp'}\n", "x/fl01/tmp"),
    ],
)
def test_data_beside_the_configuration_are_not_looked_through(loaded: Loaded, storage: str, folder: str) -> None:
    files = {"beamline.yml": f"beamline: fl01\n{storage}", f"{folder}/hc1/SCRIPTS/notes.yml": "beamline: notes\n"}
    assert loaded(files).name == "fl01"


@pytest.mark.parametrize("data", [".", "..", "/"])
def test_a_configuration_may_lie_among_the_data(loaded: Loaded, data: str) -> None:
    files = {"beamline.yml": f"beamline: fl01\nstorage: {{data: {data}}}\n", "motors/a.yml": TREE["zero.yml"]}
    assert list(loaded(files).devices) == ["zero"]
