"""The configurations that the documentation shows are right, and so is the kind that it adds."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from firstlight.configuration import load
from firstlight.devices import Kind, Surroundings, plugins
from firstlight.model import CounterDriver, FakeClock

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("reference/configuration.md", "how-to/write-a-configuration.md")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_every_configuration_of_a_page_is_right(page: str, tmp_path: Path) -> None:
    found = blocks(page, "yaml")
    assert found
    for text in found:
        path = tmp_path / "fl01.yml"
        path.write_text(text)
        assert load(path, {}).devices


def test_the_kind_that_the_page_adds_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks("how-to/add-a-kind-of-device.md", "python")
    (points,) = blocks("how-to/add-a-kind-of-device.md", "toml")
    (text,) = blocks("how-to/add-a-kind-of-device.md", "yaml")
    (tmp_path / "lab_lamps.py").write_text(code)
    info = tmp_path / "lamps-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lamps\nVersion: 1\n")
    name, target = re.findall(r'^"(.*)" = "(.*)"$', points, re.MULTILINE)[0]
    assert '[project.entry-points."firstlight.devices"]' in points
    (info / "entry_points.txt").write_text(f"[firstlight.devices]\n{name} = {target}\n")
    (tmp_path / "fl01.yml").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins.cache_clear()
    try:
        entry = load(tmp_path / "fl01.yml", {}).device("red")
        kind = plugins()["lab.lamp"].load()
        assert isinstance(kind, Kind)
        assert isinstance(kind.builder({"name": "red", **entry.settings}, Surroundings(FakeClock())), CounterDriver)
    finally:
        plugins.cache_clear()
        sys.modules.pop("lab_lamps", None)
