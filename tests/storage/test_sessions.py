"""Sessions that share a buffer have a saver each, and what one leaves another one takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from firstlight.buffer import Buffer
from firstlight.storage import SaverOptions, open_scan, saver_address
from firstlight.storage import _service as service
from firstlight.wire import Server
from tests.storage.conftest import Producer, closed, saving, wait_closed

Make = Callable[..., Producer]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_ORPHANS", 0.0)


def finished(producer: Make, session: str) -> Producer:
    made = producer(session=session)
    made.start()
    made.produce(20)
    made.stop()
    return made


def test_a_saver_saves_the_runs_of_its_own_session(
    buffer: Buffer, producer: Make, wait_for: Callable[..., None]
) -> None:
    with (
        Server(service.Saver(buffer, SaverOptions()), saver_address("b", buffer.root)),
        saving(buffer, session="a") as saver,
    ):
        theirs, mine, nobodys = (finished(producer, session) for session in ("b", "a", ""))
        wait_closed(buffer, mine.key)
        wait_closed(buffer, nobodys.key)
        wait_for(lambda: saver.status().closed == 2)
        assert not closed(buffer, theirs.key)


def test_a_saver_takes_over_what_a_dead_session_left(buffer: Buffer, producer: Make) -> None:
    left = finished(producer, "gone")
    with saving(buffer, session="a"):
        wait_closed(buffer, left.key)


def test_two_savers_never_save_the_same_run_at_once(buffer: Buffer, producer: Make) -> None:
    with saving(buffer, session="a") as one, saving(buffer, session="b") as two:
        runs = [finished(producer, "gone") for _ in range(6)]
        for run in runs:
            wait_closed(buffer, run.key)
    assert one.status().runs == two.status().runs == ()
    for run in runs:
        saved = buffer.run(run.key).info.saving
        assert saved is not None
        with open_scan(Path(saved.file), f"{saved.number}.1") as scan:
            run.check(scan)
