"""``firstlight demo``: its options reach the session, and what cannot work is refused before anything starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firstlight import session

Main = Callable[..., int]
Refused = Callable[..., str]


def test_every_option_reaches_the_experiment(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(session, "demo", lambda **options: asked.append(options))
    assert main("demo") == 0
    assert main("demo", "--fast", "--headless", "--data", "d", "--seed", "7", "--replay", "tooth.h5") == 0
    plain, full = asked
    assert plain == {"fast": False, "headless": False, "data": None, "seed": 1, "replay": None}
    assert full == {"fast": True, "headless": True, "data": Path("d"), "seed": 7, "replay": Path("tooth.h5")}


def test_a_replay_that_is_not_there_is_refused(refused: Refused, tmp_path: Path) -> None:
    assert "missing.h5" in refused("demo", "--headless", "--data", str(tmp_path / "d"), "--replay", "missing.h5")


def test_a_replay_of_another_kind_is_refused(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "letter.h5").write_text("Dear colleague,\n")
    assert "letter.h5" in refused("demo", "--headless", "--data", str(tmp_path / "d"), "--replay", "letter.h5")


def test_data_that_cannot_be_stored_are_refused(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "file" in refused("demo", "--headless", "--data", "file")
    assert "/proc/nowhere" in refused("demo", "--headless", "--data", "/proc/nowhere")
