"""The pictures of the docs are made by a program that works."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def screenshots() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_screenshots", ROOT / "docs/_screenshots.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["docs_screenshots"] = module
    spec.loader.exec_module(module)
    return module


def test_every_picture_that_the_docs_show_can_be_made_and_is_there(screenshots: ModuleType) -> None:
    names = {f"{picture.name}-{theme}.png" for picture in screenshots.PICTURES for theme in ("light", "dark")}
    kept = {path.name for path in (ROOT / "docs/_static/pages").iterdir()}
    text = (ROOT / "docs/how-to/watch-in-the-browser.md").read_text()
    shown = {word.split("/")[-1] for word in text.split() if "_static/pages/" in word}
    assert shown
    assert shown <= kept
    assert kept <= names


@pytest.mark.long
@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed: ./run ci-setup installs it")
@pytest.mark.timeout(600)
def test_the_pictures_are_made_from_a_real_session(screenshots: ModuleType, tmp_path: Path) -> None:
    made = screenshots.make(tmp_path, only=("empty", "align", "phone"), themes=("dark",))
    assert [path.name for path in made] == ["empty-dark.png", "align-dark.png", "phone-dark.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in made)
