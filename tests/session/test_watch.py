"""Waiting for the file of a run that has ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firstlight.buffer import Buffer
from firstlight.data import Run
from firstlight.data import open as open_run
from firstlight.model import EndReason, RunEnd, RunInfo
from firstlight.process import ChildState
from firstlight.session._watch import SaverWatch
from firstlight.storage import DataPolicy, Roots


class Living:
    """A saver that runs, and writes nothing."""

    state = ChildState.READY
    log = Path("saver.log")


@pytest.fixture
def watch(buffer_root: Path) -> SaverWatch:
    child: Any = Living()
    return SaverWatch(child, buffer_root / "runs")


def ended(buffer_root: Path, data: Path, reason: EndReason) -> Run:
    saving = DataPolicy("fl01", Roots.under(data)).experiment("hc1").dataset("tooth", "one").saving()
    buffer = Buffer(buffer_root)
    info = RunInfo(name="ct", title="ct 1", start_epoch=1.7e9, saving=saving)
    with buffer.create_run(info, readers=["saver"]) as run:
        run.stop(RunEnd(reason=reason, epoch=1.7e9 + 1))
    return open_run(run.key, buffer=buffer)


def press(*ignored: object) -> bool:
    raise KeyboardInterrupt


def test_ctrl_c_again_does_not_wait_for_the_file_of_an_aborted_run(
    buffer_root: Path, tmp_path: Path, watch: SaverWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ended(buffer_root, tmp_path, EndReason.ABORTED)
    monkeypatch.setattr(run, "wait_for", press)
    assert watch.unsaved(run) is None


def test_ctrl_c_while_the_file_of_a_complete_run_is_written_reaches_the_user(
    buffer_root: Path, tmp_path: Path, watch: SaverWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be meant for the loop of scans around it."""
    run = ended(buffer_root, tmp_path, EndReason.SUCCESS)
    monkeypatch.setattr(run, "wait_for", press)
    with pytest.raises(KeyboardInterrupt):
        watch.unsaved(run)
