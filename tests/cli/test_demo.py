"""``firstlight demo``: its options reach the session, and what cannot work is refused before anything starts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firstlight import session

Main = Callable[..., int]
Refused = Callable[..., str]


def test_every_option_reaches_the_experiment(main: Main, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(session, "demo", lambda **options: asked.append(options))
    assert main("demo") == 0
    more = ["--data", "d", "--seed", "7", "--replay", "tooth.h5", "--angles", "-5", "175"]
    assert main("demo", "--fast", "--headless", *more) == 0
    assert main("demo", "--headless", "--web") == 0
    assert main("demo", "--no-web") == 0
    shown = [options.pop("pages") is not None for options in asked]
    assert shown == [True, False, True, False]
    plain, full, *_ = asked
    assert plain == {"fast": False, "headless": False, "data": None, "seed": 1, "replay": None, "angles": None}
    assert full == {
        "fast": True, "headless": True, "data": Path("d"), "seed": 7, "replay": Path("tooth.h5"),
        "angles": (-5.0, 175.0),
    }  # fmt: skip


def test_images_that_do_not_tell_their_angles_need_them(refused: Refused, tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    for number in range(3):
        tifffile.imwrite(tmp_path / f"p{number}.tif", np.ones((4, 6), "<u2"))
    demo = ["demo", "--headless", "--data", str(tmp_path / "d"), "--replay", str(tmp_path)]
    assert "--angles 0 180" in refused(*demo)
    assert "--replay" in refused("demo", "--headless", "--angles", "0", "180")


def test_angles_of_a_folder_of_images_make_the_scan(tmp_path: Path) -> None:
    from firstlight.session._demo import _recorded
    from firstlight.session._simulated import devices

    tifffile = pytest.importorskip("tifffile")
    for number in range(5):
        tifffile.imwrite(tmp_path / f"p{number}.tif", np.ones((4, 6), "<u2"))
    plan = _recorded(tmp_path, False, (0.0, 160.0))
    assert (plan.projections, plan.turn) == (5, (-20.0, 180.0))
    camera = devices(plan.layout, 1, tmp_path)[-1]
    assert (camera["file"], camera["angles"]) == (str(tmp_path), [0.0, 160.0])


def test_a_replay_that_is_not_there_is_refused(refused: Refused, tmp_path: Path) -> None:
    assert "missing.h5" in refused("demo", "--headless", "--data", str(tmp_path / "d"), "--replay", "missing.h5")


def test_a_replay_of_another_kind_is_refused(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "letter.h5").write_text("Dear colleague,\n")
    assert "letter.h5" in refused("demo", "--headless", "--data", str(tmp_path / "d"), "--replay", "letter.h5")


def test_data_that_cannot_be_stored_are_refused(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "file" in refused("demo", "--headless", "--data", "file")
    assert "/proc/nowhere" in refused("demo", "--headless", "--data", "/proc/nowhere")
