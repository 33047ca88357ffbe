from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from firstlight.process import Supervisor


@pytest.fixture
def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """A supervisor whose children find the targets beside the tests."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with Supervisor("test", tmp_path / "logs") as supervisor:
        yield supervisor
