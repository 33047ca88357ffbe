from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from firstlight.process import ProcessSpec, Supervisor, _log


def test_the_log_holds_output_errors_and_logging(supervisor: Supervisor) -> None:
    child = supervisor.spawn(ProcessSpec("talker", "process_targets:talk", {"lines": 3}))
    child.wait_ready()
    child.stop()
    text = child.log.read_text()
    assert "talker: line 2" in text
    assert "straight to the descriptor" in text
    assert child.tail(1) == (text.splitlines()[-1],)
    assert child.log.stat().st_mode & 0o777 == 0o600


def test_a_log_that_grew_is_put_aside_when_a_child_starts(supervisor: Supervisor, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "talker.log"
    log.parent.mkdir()
    log.write_bytes(b"x" * (_log.MAXIMUM + 1))
    child = supervisor.spawn(ProcessSpec("talker", "process_targets:talk", {"lines": 1}))
    child.wait_ready()
    assert _log.older(log, 1).stat().st_size == _log.MAXIMUM + 1
    assert "line 0" in log.read_text()


def test_a_child_that_talks_much_puts_its_log_aside_and_goes_on_in_a_new_one(
    supervisor: Supervisor, wait_for: Callable[..., None]
) -> None:
    child = supervisor.spawn(ProcessSpec("talker", "process_targets:talk", {"lines": 50_000}))
    child.wait_ready(60)
    wait_for(lambda: _log.older(child.log, 1).exists())
    wait_for(child.log.exists)
    child.stop()
    assert "Ended." in child.tail()[-1]


def test_only_a_few_old_logs_are_kept(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    for text in "abcdef":
        log.write_text(text * 10)
        assert _log.rotate(log, maximum=5)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.log.1", "a.log.2", "a.log.3"]
    assert [_log.older(log, age).read_text()[0] for age in (1, 2, 3)] == ["f", "e", "d"]
    assert not _log.rotate(log, maximum=5)


@pytest.mark.parametrize(
    ("lines", "start", "expected"), [(2, 0, ("b", "c")), (9, 2, ("b", "c")), (9, 99, ("a", "b", "c"))]
)
def test_the_tail_is_the_last_lines(tmp_path: Path, lines: int, start: int, expected: tuple[str, ...]) -> None:
    log = tmp_path / "a.log"
    log.write_text("a\nb\nc\n")
    assert _log.tail(log, lines, start) == expected


def test_the_tail_of_no_log_is_empty(tmp_path: Path) -> None:
    assert _log.tail(tmp_path / "none", 5) == ()
    assert _log.tail(tmp_path / "none", 0) == ()
