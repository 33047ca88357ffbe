"""``firstlight buffer``: listing, showing and cleaning runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from firstlight.buffer import Buffer, RunWriter
from firstlight.model import ChannelSpec, EndReason, RunEnd, RunInfo

Main = Callable[..., int]
Refused = Callable[..., str]
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def buffer(environment: dict[str, str]) -> Buffer:
    return Buffer(Path(environment["FIRSTLIGHT_BUFFER"]), spill=Path(environment["FIRSTLIGHT_SPILL"]), budget=1 << 28)


@pytest.fixture
def run(buffer: Buffer) -> Iterator[RunWriter]:
    """A loop scan with seven readings, which its owner still acquires."""
    writer = buffer.create_run(
        RunInfo(name="loopscan", title="loopscan 10 [0.1]", start_epoch=1.7e9), readers=["saver"]
    )
    with writer:
        writer.create_log(ChannelSpec("diode", unit="A", source="diode")).append(np.arange(7.0))
        writer.running()
        yield writer


def stop(run: RunWriter) -> None:
    run.stop(RunEnd(reason=EndReason.SUCCESS, epoch=1.7e9))
    run.close()


def test_without_a_buffer_there_is_nothing_to_list_or_clean_and_none_is_made(
    main: Main, capsys: Capture, environment: dict[str, str]
) -> None:
    assert main("buffer", "ls") == 0
    assert "There is no buffer yet" in capsys.readouterr().out
    assert main("buffer", "clean") == 0
    assert main("buffer", "ls", "--json") == 0
    assert capsys.readouterr().out.endswith("[]\n")
    assert not Path(environment["FIRSTLIGHT_BUFFER"]).exists()


def test_a_run_is_listed_with_its_command_and_state(main: Main, capsys: Capture, run: RunWriter) -> None:
    assert main("buffer", "ls") == 0
    text = capsys.readouterr().out
    assert run.key in text
    assert "loopscan 10 [0.1]" in text
    assert "running" in text
    assert "1 run," in text


def test_json_holds_what_the_table_shows(main: Main, capsys: Capture, run: RunWriter) -> None:
    assert main("buffer", "ls", "--json") == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["key"], listed["state"], listed["alive"], listed["channels"]) == (run.key, "RUNNING", True, 1)
    assert main("buffer", "show", run.key, "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["readers"] == {"saver": False}
    (channel,) = shown["channels"]
    assert (channel["name"], channel["unit"], channel["count"], channel["sealed"]) == ("diode", "A", 7, False)


@pytest.mark.parametrize("how", ["key", "part", "-1", "0"])
def test_a_run_is_found_by_key_part_or_place(main: Main, capsys: Capture, run: RunWriter, how: str) -> None:
    wanted = {"key": run.key, "part": run.key[-6:]}.get(how, how)
    assert main("buffer", "show", wanted) == 0
    text = capsys.readouterr().out
    assert f"{run.key}: loopscan 10 [0.1]" in text
    assert "diode" in text
    assert "growing" in text
    assert "reader saver: not running" in text


def test_a_part_of_a_key_may_be_all_digits(
    main: Main, capsys: Capture, buffer: Buffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firstlight.buffer._buffer._key", lambda info: "20260101T000000-ct-00123456")
    with buffer.create_run(RunInfo(name="ct", title="ct 1", start_epoch=1.7e9)):
        assert main("buffer", "show", "123456") == 0
    assert "ct 1" in capsys.readouterr().out


def test_a_run_that_is_not_there_is_refused(refused: Refused, run: RunWriter) -> None:
    assert "error: The buffer holds no run 'ascan'.\nhint: List the runs" in refused("buffer", "show", "ascan")
    assert "error: The buffer holds 1 run, so there is no 99999999." in refused("buffer", "show", "99999999")


def test_a_part_of_two_keys_is_ambiguous(refused: Refused, buffer: Buffer, run: RunWriter) -> None:
    with buffer.create_run(RunInfo(name="loopscan", title="loopscan", start_epoch=1.7e9)):
        assert "'loopscan' could be" in refused("buffer", "show", "loopscan")


def test_an_empty_buffer_has_no_run_to_show(refused: Refused) -> None:
    assert "The buffer holds no run." in refused("buffer", "show", "x")


def test_cleaning_removes_closed_runs_and_keeps_the_others(
    main: Main, capsys: Capture, buffer: Buffer, run: RunWriter
) -> None:
    other = buffer.create_run(RunInfo(name="ct", title="ct", start_epoch=1.7e9))
    stop(other)
    buffer.recover()
    assert main("buffer", "clean") == 0
    assert "Removed 1 run and freed" in capsys.readouterr().out
    assert [entry.key for entry in buffer.runs()] == [run.key]


def test_unsaved_runs_are_removed_only_after_a_yes(
    firstlight: Callable[..., object], main: Main, capsys: Capture, buffer: Buffer, run: RunWriter
) -> None:
    stop(run)
    refusing = firstlight("buffer", "clean", "--unsaved", stdin="n\n")
    assert getattr(refusing, "returncode", None) == 130
    assert len(buffer.runs()) == 1
    assert main("buffer", "clean", "--unsaved", "--yes", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [run.key]
    assert buffer.runs() == []


def test_a_buffer_of_somebody_else_is_refused(refused: Refused, environment: dict[str, str], buffer: Buffer) -> None:
    (buffer.root / "root.json").write_text('{"version": "another", "budget": 1}')
    assert "was made by another version of Firstlight" in refused("buffer", "ls")
