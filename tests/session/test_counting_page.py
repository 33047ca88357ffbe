"""The pages about counters, executed."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import firstlight
from firstlight.devices import CalculatedCounter, IntegratingCounter, SamplingCounter, build
from firstlight.devices._area import SourceConfiguration
from firstlight.session import Layout, simulated

PAGES = Path(__file__).parents[2] / "docs"
SMALL = Layout(shape=(96, 160))


def code(page: str, language: str = "python") -> list[str]:
    text = (PAGES / page).read_text()
    return re.findall(rf"(?<!<!-- not run -->\n)```{language}\n(.*?)```", text, flags=re.S)


def test_what_the_page_about_counting_says_works(
    tmp_path: Path, buffer_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Callable[..., Any] = partial(simulated, tmp_path / "data", layout=SMALL, buffer=buffer_root)
    monkeypatch.setattr(firstlight, "simulated", made)
    names: dict[str, Any] = {}
    try:
        for block in code("how-to/count.md"):
            exec(block, names)
    finally:
        if "fl01" in names:
            names["fl01"].close()
    assert names["run"].info.axes == ("sx",)
    assert names["run"]["cam:spot_sum"][:].min() > 0


def test_what_the_page_about_adding_a_counter_says_works() -> None:
    names: dict[str, Any] = {}
    for block in code("how-to/add-a-counter.md"):
        exec(block, names)
    assert issubclass(names["Thermometer"], SamplingCounter)
    assert issubclass(names["Card"], IntegratingCounter)
    assert names["double"].channels[0].unit == "uA"


@pytest.mark.parametrize("page", ["how-to/count.md", "reference/counters.md"])
def test_the_configurations_on_the_pages_are_valid(page: str) -> None:
    from ruamel.yaml import YAML

    blocks = [YAML(typ="safe").load(block) for block in code(page, "yaml")]
    devices = [device for block in blocks if isinstance(block, list) for device in block]
    assert devices
    for settings in (block for block in blocks if isinstance(block, dict)):
        # Settings of a camera.
        assert SourceConfiguration.model_validate(settings).rois.keys() == settings["rois"].keys()
    calculated = [build(device) for device in devices if device["kind"] == "calc.counter"]
    assert all(isinstance(device, CalculatedCounter) for device in calculated)


def test_the_reference_names_every_mode_and_function() -> None:
    from firstlight.devices import SamplingMode
    from firstlight.model import FUNCTIONS

    page = (PAGES / "reference" / "counters.md").read_text()
    assert [name for name in (*FUNCTIONS, *SamplingMode) if name not in page] == []
