"""Configurations written for a test."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from firstlight.configuration import Beamline, ConfigurationError, Problem, load

Write = Callable[..., Path]
Loaded = Callable[..., Beamline]
Wrong = Callable[..., list[str]]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """``write({"beamline.yml": "..."})`` in the current folder, or ``write("...")`` for one ``fl01.yml``."""
    monkeypatch.chdir(tmp_path)

    def run(files: str | Mapping[str, str]) -> Path:
        if isinstance(files, str):
            files = {"fl01.yml": files}
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        return Path("fl01.yml") if list(files) == ["fl01.yml"] else Path()

    return run


@pytest.fixture
def loaded(write: Write) -> Loaded:
    """The beamline of files that are right."""
    return lambda files, **environ: load(write(files), environ)


@pytest.fixture
def wrong(write: Write) -> Wrong:
    """The problems of files that are wrong, as people read them."""

    def run(files: str | Mapping[str, str], **environ: str) -> list[str]:
        with pytest.raises(ConfigurationError) as caught:
            load(write(files), environ)
        told = [str(problem) for problem in caught.value.problems]
        assert all(isinstance(problem, Problem) and "\n" not in str(problem) for problem in caught.value.problems)
        assert all(one in str(caught.value) for one in told)
        return told

    return run
