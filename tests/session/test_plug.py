"""Pulling the plug on any device, mid-scan, mid-move or while idle, is survived."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firstlight.model import DeviceError, EndReason, ProcessError
from firstlight.scanning import Job, Outcome
from firstlight.session import RemoteSession, Session, connect
from tests.session.session_kinds import SWITCH, kinds

DEVICES: list[dict[str, Any]] = [
    {"name": "frail", "kind": "test.plugged"},
    {"name": "solid", "kind": "sim.axis", "velocity": 500.0, "acceleration": 50000.0},
    {"name": "weak", "kind": "test.counting"},
    {"name": "ring", "kind": "sim.ring"},
]


@pytest.fixture
def session(tmp_path: Path, buffer_root: Path) -> Iterator[Session]:
    with kinds(), Session("plug", DEVICES, data=tmp_path, buffer=buffer_root, state=tmp_path / "state") as made:
        yield made


@pytest.fixture
def attached(session: Session, buffer_root: Path) -> Iterator[RemoteSession]:
    with connect("plug", buffer=buffer_root) as made:
        yield made


def pull(*names: str) -> None:
    SWITCH["pulled"].update(names)


def put_back() -> None:
    SWITCH["pulled"].clear()


def the_rest_works(session: Session | RemoteSession) -> None:
    session.move(solid=1.0)
    session.move(solid=0.0)
    run = session.ascan("solid", 0, 1, 2, 0, "ring")
    assert run.end is not None
    assert run.end.reason is EndReason.SUCCESS


def test_idle(session: Session, attached: RemoteSession, wait_for: Callable[..., None]) -> None:
    pull("frail", "weak")
    the_rest_works(session)
    wait_for(lambda: "ConnectionResetError" in repr(attached.frail))
    with pytest.raises(DeviceError, match="frail: ConnectionResetError: connection reset by peer"):
        attached.frail.position  # noqa: B018 - the look-up is what is tested
    the_rest_works(attached)
    assert "frail" in session.axes
    with pytest.raises(DeviceError, match=r"frail: .*ConnectionResetError"):
        session.frail.move(1.0)
    put_back()
    session.frail.move(1.0)
    wait_for(lambda: attached.frail.position == pytest.approx(1.0))


def test_in_the_middle_of_a_move(session: Session, wait_for: Callable[..., None]) -> None:
    job = session.move({"frail": 1000.0}, wait=False)
    assert job is not None
    wait_for(lambda: session.frail.position > 1.0)
    pull("frail")
    with pytest.raises(DeviceError, match=r"frail: .*ConnectionResetError: connection reset by peer"):
        job.result(20)
    the_rest_works(session)
    put_back()
    session.frail.move(0.0)


@pytest.mark.parametrize("victim", ["frail", "weak"])
def test_in_the_middle_of_a_scan(session: Session, victim: str, wait_for: Callable[..., None]) -> None:
    scan = session.ascan.scan("frail", 0, 100, 1000, 0.0, "weak", "ring")
    job: Job[Outcome] = session.engine.launch(scan)
    wait_for(lambda: session.frail.position > 1.0)
    pull(victim)
    outcome = job.result(20)
    assert isinstance(outcome.error, DeviceError)
    assert outcome.error.device == victim
    assert outcome.end.reason is EndReason.FAILED
    assert outcome.points > 0
    assert session.unsaved(outcome) is None
    with session.open(outcome) as run:
        assert len(run["ring"]) == outcome.points
    the_rest_works(session)
    put_back()
    assert session.ascan("frail", 0, 0.2, 2, 0, "weak").end is not None


def test_a_saver_that_is_killed_for_good_ends_no_session(session: Session, wait_for: Callable[..., None]) -> None:
    the_rest_works(session)
    session.saver.kill()
    with pytest.raises(ProcessError, match="saver process has ended"):
        session.loopscan(1, 0, "ring")
    session.move(solid=1.0)
