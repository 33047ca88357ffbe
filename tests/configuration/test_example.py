"""What ``firstlight config new`` writes."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from firstlight.configuration import load, new
from firstlight.devices import Surroundings, build, build_source
from firstlight.model import Conflict, FakeClock, InvalidInput


def test_the_example_is_right_and_every_device_can_be_built(tmp_path: Path) -> None:
    written = new(tmp_path, "id99")
    assert [path.name for path in written] == ["beamline.yml", "firstlight.schema.json"]
    beamline = load(tmp_path / "beamline.yml", {})
    assert beamline.name == "id99"
    assert beamline.roots.root("hc1", "id99") == tmp_path / "data" / "visitor"
    surroundings = Surroundings(FakeClock())
    for level in beamline.levels():
        for name in level:
            entry = beamline.device(name)
            if entry.source:
                build_source(entry.kind, {"name": name, **entry.settings}, surroundings)
            else:
                assert build(entry.config, surroundings).name == name
    assert load(tmp_path, {}).devices.keys() == beamline.devices.keys()


@pytest.mark.parametrize("full", [False, True])
def test_editors_find_nothing_wrong_with_the_example_by_its_own_schema(tmp_path: Path, full: bool) -> None:
    path, beside = new(tmp_path / "fl01.yml", "id99", full=full)
    assert load(path, {}).name == "id99"
    text = path.read_text()
    assert text.splitlines()[0] == f"# yaml-language-server: $schema={beside.name}"
    document = YAML(typ="safe", pure=True).load(text)
    assert list(jsonschema.Draft7Validator(json.loads(beside.read_text())).iter_errors(document)) == []


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    path, beside = new(tmp_path / "fl01.yml")
    path.write_text("mine")
    beside.write_text("mine too")
    with pytest.raises(Conflict, match="exists, and is left as it is"):
        new(tmp_path / "fl01.yml")
    assert new(tmp_path / "fl02.yml") == (tmp_path / "fl02.yml",)
    assert (path.read_text(), beside.read_text()) == ("mine", "mine too")


def test_a_name_that_cannot_stand_in_paths_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is not a name for a beamline"):
        new(tmp_path / "a.yml", "id 99")
    assert list(tmp_path.iterdir()) == []
