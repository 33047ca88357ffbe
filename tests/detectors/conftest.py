from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from firstlight.buffer import Buffer, RunWriter
from firstlight.model import RunInfo
from firstlight.process import Supervisor

MakeRun = Callable[..., RunWriter]


@pytest.fixture
def buffer(buffer_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Buffer:
    """A buffer that child processes find by the same root."""
    monkeypatch.setenv("FIRSTLIGHT_SPILL", str(tmp_path / "spill"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(buffer_root / "run"))
    return Buffer(buffer_root / "root")


@pytest.fixture
def make_run(buffer: Buffer) -> Iterator[MakeRun]:
    """Make runs owned by this process; what a test leaves is closed."""
    made: list[RunWriter] = []

    def make(**options: object) -> RunWriter:
        info = RunInfo(name="ct", title="ct 1", start_epoch=1_700_000_000.0)
        made.append(buffer.create_run(info, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for run in made:
        run.close()


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """A supervisor whose children find the sources beside the tests."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with Supervisor("test", tmp_path / "logs") as supervisor:
        yield supervisor


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module with sources and steps, as children import it."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return import_module("camera_sources")
