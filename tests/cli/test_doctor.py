"""``firstlight doctor``: it tries the machine, says what is wrong and what to do, and its status tells scripts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from firstlight.cli import _checks
from firstlight.cli._checks import Check, Verdict

Main = Callable[..., int]
Capture = pytest.CaptureFixture[str]


def test_this_machine_can_run_an_experiment(main: Main, capsys: Capture, environment: dict[str, str]) -> None:
    assert main("doctor") == 0
    text = capsys.readouterr().out
    for name in ("python", "processor", "packages", "buffer memory", "locks", "wake-up", "sockets", "kernels", "extra"):
        assert f" {name}" in text
    assert "An experiment can run here." in text
    # It looked without leaving anything behind.
    root = Path(environment["FIRSTLIGHT_BUFFER"])
    assert not root.exists()
    assert list(root.parent.iterdir()) == []


def test_what_is_bad_comes_with_advice_and_a_status(
    main: Main, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_checks, "_locks_work", lambda folder: False)
    monkeypatch.setattr(_checks, "_kernels", lambda: Check("kernels", Verdict.GOOD, "there"))
    assert main("doctor", "--json") == 1
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert checks["locks"]["verdict"] == "bad"
    assert "FIRSTLIGHT_BUFFER" in checks["locks"]["advice"]
    assert checks["python"] == {**checks["python"], "verdict": "good", "advice": ""}
    assert main("doctor") == 1
    assert "1 thing would make an experiment fail: locks." in capsys.readouterr().out


def test_a_check_that_breaks_does_not_stop_the_others(
    main: Main, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Check:
        raise OSError("no such device")

    broken.__name__ = "_sockets"
    monkeypatch.setattr(_checks, "_sockets", broken)
    monkeypatch.setattr(_checks, "_kernels", lambda: Check("kernels", Verdict.GOOD, "there"))
    assert main("doctor", "--json") == 1
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert checks["sockets"]["verdict"] == "bad"
    assert "no such device" in checks["sockets"]["found"]
    assert "compression" in checks


def test_a_missing_extra_is_a_note_with_the_command_that_installs_it(
    main: Main, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        _checks, "_requirements", lambda: iter([("numpy", ""), ("no-such-thing", "lab"), ("ruff", "check")])
    )
    monkeypatch.setattr(_checks, "_kernels", lambda: Check("kernels", Verdict.GOOD, "there"))
    assert main("doctor", "--json") == 0
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert checks["extra lab"]["verdict"] == "note"
    assert checks["extra lab"]["advice"] == "If you want it: pip install 'firstlight[lab]'"
    assert "extra check" not in checks


def test_a_missing_package_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_checks, "_requirements", lambda: iter([("numpy", ""), ("no-such-thing", "")]))
    check = _checks._packages()
    assert (check.verdict, check.found) == (Verdict.BAD, "no-such-thing missing")


def test_a_buffer_on_a_disk_is_noted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FIRSTLIGHT_BUFFER", raising=False)
    monkeypatch.setattr("firstlight.buffer.default_root", lambda: tmp_path / "buffer")
    check = _checks._memory()
    assert check.verdict is Verdict.NOTE
    assert "--shm-size" in check.advice
