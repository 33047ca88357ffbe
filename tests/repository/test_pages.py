"""The pages are built when their sources have changed, and never in silence left out."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["hatch_build"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.delenv("FIRSTLIGHT_PAGES_SKIP", raising=False)
    monkeypatch.delenv("FIRSTLIGHT_PAGES_FORCE", raising=False)
    return _hook()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Sources of pages, without what npm fetched."""
    shutil.copytree(ROOT / "frontend", tmp_path / "frontend", ignore=shutil.ignore_patterns("node_modules", "dist"))
    return tmp_path


def _built(checkout: Path, stamp: str) -> Path:
    static = checkout / "src/firstlight/web/static"
    static.mkdir(parents=True)
    (static / "index.html").write_text("old pages")
    (static / "sources.sha256").write_text(stamp)
    return static


@pytest.fixture
def no_node(hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise hook.PagesError("the pages could not be fetched.")

    monkeypatch.setattr(hook, "_run", fails)


def test_the_digest_follows_names_and_contents_but_not_what_npm_fetched(hook: ModuleType, checkout: Path) -> None:
    first = hook.digest(checkout)
    (checkout / "frontend/node_modules").mkdir()
    (checkout / "frontend/node_modules/x.js").write_text("x")
    assert hook.digest(checkout) == first
    (checkout / "frontend/src/more.ts").write_text("")
    second = hook.digest(checkout)
    assert second != first
    (checkout / "frontend/src/more.ts").write_text("export {};")
    assert hook.digest(checkout) not in (first, second)


def test_pages_of_these_sources_are_not_built_again(hook: ModuleType, checkout: Path, no_node: None) -> None:
    _built(checkout, hook.digest(checkout))
    assert not hook.stale(checkout)
    hook.build(checkout, force=True)


@pytest.mark.usefixtures("no_node")
def test_old_pages_are_kept_with_a_warning(
    hook: ModuleType, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    static = _built(checkout, "of other sources")
    hook.build(checkout)
    assert (static / "index.html").read_text() == "old pages"
    assert "older than their sources" in capsys.readouterr().err


@pytest.mark.usefixtures("no_node")
def test_old_pages_are_an_error_when_building_is_forced(hook: ModuleType, checkout: Path) -> None:
    _built(checkout, "of other sources")
    with pytest.raises(hook.PagesError):
        hook.build(checkout, force=True)


def test_ci_forces_the_build(hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not hook._forced()
    said = [line.removeprefix("export ") for line in (ROOT / ".ci/run").read_text().splitlines() if "PAGES" in line]
    assert "FIRSTLIGHT_PAGES_FORCE=1" in said
    monkeypatch.setenv("FIRSTLIGHT_PAGES_FORCE", "1")
    assert hook._forced()


@pytest.mark.usefixtures("no_node")
def test_no_pages_at_all_are_an_error(hook: ModuleType, checkout: Path) -> None:
    with pytest.raises(hook.PagesError):
        hook.build(checkout)


def test_skipping_takes_what_is_there(hook: ModuleType, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLIGHT_PAGES_SKIP", "1")
    assert not hook.stale(checkout)


def test_the_list_of_packages_names_no_registry() -> None:
    assert '"resolved"' not in (ROOT / "frontend/package-lock.json").read_text()
