"""``firstlight config``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Main = Callable[..., int]
Refused = Callable[..., str]
Capture = pytest.CaptureFixture[str]

TEXT = """\
beamline: fl01
templates: {stepper: {kind: sim.axis, unit: mm}}
devices:
  - {name: sx, like: stepper, velocity: 3}
  - {name: cam, kind: replay, file: "${FILE:-a}", rotation: $sx, maximum_rate: "${RATE}"}
groups: {tomo: [cam]}
"""


@pytest.fixture
def fl01(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RATE", "17 Hz")
    path = tmp_path / "fl01.yml"
    path.write_text(TEXT)
    return path


def test_a_new_configuration_is_right_as_it_is(main: Main, capsys: Capture) -> None:
    assert main("config", "new") == 0
    assert capsys.readouterr().out == "beamline.yml written.\nfirstlight.schema.json written.\n"
    assert main("config", "check") == 0
    assert capsys.readouterr().out == "fl01 is right: 8 devices, 2 groups, 1 file.\n"
    assert main("config", "show", "beamline.yml", "omega") == 0
    assert capsys.readouterr().out.startswith("rot: sim.axis, beamline.yml:")


def test_a_new_configuration_never_replaces_one(main: Main, refused: Refused) -> None:
    assert main("config", "new", "a.yml", "--name", "id01") == 0
    before = Path("a.yml").read_text()
    assert "beamline: id01" in before
    assert "a.yml exists, and is left as it is." in refused("config", "new", "a.yml")
    assert Path("a.yml").read_text() == before


def test_check_prints_every_problem_and_fails(main: Main, capsys: Capture, fl01: Path) -> None:
    fl01.write_text(TEXT.replace("velocity", "velocty").replace("[cam]", "[camm]"))
    assert main("config", "check", "fl01.yml") == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [
        "fl01.yml:4: sx.velocty: sim.axis has no such setting. Did you mean velocity?",
        "fl01.yml:6: groups.tomo: There is no device or group 'camm'. Did you mean cam?",
        "fl01.yml has 2 problems.",
    ]
    assert captured.err == ""
    assert main("config", "check", "fl01.yml", "--json") == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert problems[0] == {
        "file": "fl01.yml", "line": 4, "column": 31, "key": "sx.velocty",
        "message": "sim.axis has no such setting.", "hint": "Did you mean velocity?",
    }  # fmt: skip


def test_check_says_so_when_all_is_right(main: Main, capsys: Capture, fl01: Path) -> None:
    assert main("config", "check", str(fl01)) == 0
    assert capsys.readouterr().out == "fl01 is right: 2 devices, 1 group, 1 file.\n"
    assert main("config", "check", str(fl01), "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"problems": [], "plugins": []}


def test_a_configuration_that_is_not_there_is_one_sentence(refused: Refused, fl01: Path) -> None:
    assert refused("config", "check", "fl1.yml").endswith("hint: Did you mean fl01.yml?\n")
    assert "fl01 has no device 'cm'" in refused("config", "show", "fl01.yml", "cm")


def test_show_lists_devices_and_parts(main: Main, capsys: Capture, fl01: Path) -> None:
    assert main("config", "show", "fl01.yml") == 0
    text = capsys.readouterr().out
    assert "cam     replay    sx     fl01.yml:5" in text
    assert "group tomo" in text
    assert str(fl01.parent / "firstlight-data" / "fl01" / "inhouse") in text


def test_show_of_a_device_says_where_each_setting_comes_from_and_hides_secrets(
    main: Main, capsys: Capture, fl01: Path
) -> None:
    assert main("config", "show", "fl01.yml", "sx") == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "unit mm fl01.yml:2, template stepper Unit of positions." in lines
    assert "velocity 3 fl01.yml:4 Cruise speed, unit/s." in lines
    assert "sign 1 default 1 or -1: user = sign × dial + offset." in lines
    fl01.write_text(
        TEXT
        + "setups: {a: {sx: {velocity: '${RATE}'}}}\nsuspend: {a: {when: 'sx < ${RATE}'}}\nstorage: {data: '${RATE}'}\n"
    )
    assert main("config", "show", "fl01.yml", "cam") == 0
    assert main("config", "show", "fl01.yml", "cam", "--json") == 0
    assert main("config", "show", "fl01.yml") == 0
    assert main("config", "show", "fl01.yml", "--json") == 0
    text = capsys.readouterr().out
    assert "17 Hz" not in text
    assert "${RATE}" in text


def test_show_gives_programs_everything(main: Main, capsys: Capture, fl01: Path) -> None:
    assert main("config", "show", "fl01.yml", "--json") == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["devices"][1]["needs"] == ["sx"]
    assert whole["groups"] == {"tomo": ["cam"]}
    assert main("config", "show", "fl01.yml", "sx", "--json") == 0
    device = json.loads(capsys.readouterr().out)
    assert device["settings"][0] == {
        "key": "unit", "value": "mm", "where": "fl01.yml:2", "via": "template stepper", "meaning": "Unit of positions."
    }  # fmt: skip


def test_the_schema_is_printed_or_written(main: Main, capsys: Capture, refused: Refused, fl01: Path) -> None:
    assert main("config", "schema") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["title"] == "Firstlight configuration"
    for _ in range(2):  # an old one is replaced
        assert main("config", "schema", "-o", "schema.json") == 0
        assert "# yaml-language-server: $schema=schema.json" in capsys.readouterr().out
    assert json.loads(Path("schema.json").read_text()) == document
    assert "is no schema of Firstlight's" in refused("config", "schema", "-o", "fl01.yml")
    assert fl01.read_text() == TEXT
