"""What a session offers by name: handles, groups, aliases, setups, scripts, where data go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firstlight.model import Conflict, DeviceError, InvalidInput, LimitError, NotFound, RunAborted
from firstlight.scanning import Busy, Client, Progress, acting_as
from firstlight.session import ScriptError, Session

ANNA = Client("anna", 101, "shell")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    import shutil
    import tempfile

    root = Path(tempfile.mkdtemp(prefix="firstlight-test-", dir="/dev/shm"))
    quick: dict[str, Any] = {"kind": "sim.axis", "velocity": 500.0, "acceleration": 50000.0, "limits": [-100, 100]}
    devices: list[dict[str, Any]] = [
        {"name": "rot", **quick},
        {"name": "sx", "unit": "mm", **quick},
        {"name": "slow", "kind": "sim.axis", "velocity": 1.0, "acceleration": 100.0},
        {"name": "fshut", "kind": "sim.shutter"},
        {"name": "ring", "kind": "sim.ring"},
        {"name": "diode", "kind": "sim.diode"},
    ]
    setups: dict[str, dict[str, dict[str, Any]]] = {
        "fast": {"rot": {"velocity": 800.0}, "session": {"group": "both", "count_time": 0.002}},
        "wrong": {"rot": {"velocity": 700.0}, "sx": {"velocity": -1.0}},
        "typo": {"rot": {"velocty": 1.0}},
    }
    try:
        with Session(
            "faces", devices, data=tmp_path_factory.mktemp("data"), buffer=root, setups=setups,
            aliases={"omega": "rot", "i0": "diode"},
            groups={"one": ["ring"], "both": ["ring", "diode"]}, default=["one"],
        ) as made:  # fmt: skip
            yield made
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def session(shared: Session) -> Session:
    shared.move(rot=0.0, sx=0.0)
    return shared


def test_axes_move_and_stop_by_plain_calls(session: Session) -> None:
    session.rot.move(10.0)
    session.rot.move(-2.0, relative=True)
    assert session.rot.position == pytest.approx(8.0)
    job = session.slow.move(80.0, wait=False)
    assert job is not None
    session.slow.stop()
    with pytest.raises(RunAborted):
        job.result(10)
    assert not session.slow.moving
    with pytest.raises(LimitError):
        session.rot.move(1000.0)


def test_all_axes_move_at_once_by_name_or_by_object(session: Session) -> None:
    session.move({session.rot: 5.0, "sx": 1.0})
    session.move({"omega": 1.0}, relative=True)
    assert (session.rot.position, session.sx.position) == (pytest.approx(6.0), pytest.approx(1.0))
    job = session.move({"slow": 0.5}, wait=False)
    assert job is not None
    session.abort()
    with pytest.raises(RunAborted):
        job.result(10)


def test_a_shutter_opens_by_a_plain_call(session: Session) -> None:
    session.fshut.open()
    assert session.shutters["fshut"].is_open
    session.fshut.close()
    assert not session.fshut.is_open


def test_settings_are_set_on_the_handle_while_nobody_else_uses_the_device(session: Session) -> None:
    before = session.sx.velocity
    session.sx.velocity = 100.0
    assert session.sx.device.velocity == 100.0
    session.sx.velocity = before
    session.sx.set_position(7.0)
    assert session.sx.position == pytest.approx(7.0)
    session.sx.set_position(0.0)
    with pytest.raises(AttributeError, match="sx has no setting velocty"):
        session.sx.velocty = 1.0
    session.engine.lock(["sx"], ANNA)
    try:
        with pytest.raises(Busy, match="sx is locked by anna's shell"):
            session.sx.velocity = 1.0
    finally:
        session.engine.unlock(["sx"], ANNA)


def test_devices_are_found_by_sort_name_and_alias(session: Session) -> None:
    assert list(session.axes) == ["rot", "sx", "slow", "omega"]
    assert list(session.counters) == ["ring", "diode", "i0"]
    assert session.omega is session.rot is session.axes["omega"]
    with pytest.raises(NotFound, match=r"There is no axis rott\. Did you mean rot"):
        session.axes["rott"]
    assert session.axes.get("rott") is None
    assert "rot: <Axis rot" in repr(session.axes)


def test_an_alias_stands_for_its_device_in_scans(session: Session) -> None:
    run = session.ascan("omega", 0, 1, 1, 0, "i0")
    assert {"rot", "diode"} <= set(run)


def test_locks_are_taken_for_a_block(session: Session) -> None:
    with session.lock("rot", "omega", session.sx):
        assert [lock.device for lock in session.locks] == ["rot", "sx"]
        session.move(rot=1.0)
        with acting_as(ANNA), pytest.raises(Busy, match="rot is locked by"):
            session.move(rot=2.0)
    assert session.locks == ()


def test_progress_of_every_run_is_heard_until_it_is_not(session: Session) -> None:
    heard: list[Progress] = []
    leave = session.listen(heard.append)
    run = session.loopscan(2, 0, "ring")
    leave()
    leave()
    count = len(heard)
    assert {progress.key for progress in heard} == {run.key}
    session.loopscan(2, 0, "ring")
    assert len(heard) == count
    assert [r.key for r in session.runs][-2] == run.key


def test_the_active_group_is_switched_on_the_fly(session: Session) -> None:
    assert "diode" not in session.loopscan(1, 0)
    session.groups.active = "both"
    try:
        assert "diode" in session.loopscan(1, 0)
        session.groups.both.disable("di*")
        assert "diode" not in session.loopscan(1, 0)
    finally:
        session.groups.both.enable()
        session.groups.active = "one"


def test_a_setup_holds_for_its_block_and_is_set_back(session: Session) -> None:
    before = session.rot.velocity
    with session.setup("fast"):
        assert session.rot.velocity == 800.0
        run = session.ascan("rot", 0, 1, 2)
        assert run.info.count_time == 0.002
        assert "diode" in run
    assert session.rot.velocity == before
    assert session.groups.active is session.groups.one
    with pytest.raises(InvalidInput, match="count_time"):
        session.ascan("rot", 0, 1, 2)


def test_a_setup_is_set_back_whatever_happens(session: Session) -> None:
    before = session.rot.velocity

    def within() -> None:
        with session.setup("fast"), session.setup("fast"):
            raise RuntimeError("whatever")

    with pytest.raises(RuntimeError, match="whatever"):
        within()
    assert session.rot.velocity == before
    assert session.defaults == {}


def test_a_setup_that_is_refused_changes_nothing(session: Session) -> None:
    before = session.rot.velocity
    for name, says in (("wrong", "velocity"), ("typo", "rot has no parameter velocty. Did you mean velocity")):
        with pytest.raises((InvalidInput, DeviceError), match=says), session.setup(name):
            pass
        with pytest.raises((InvalidInput, DeviceError), match=says):
            session.setup(name).apply()
        assert session.rot.velocity == before
    with pytest.raises(NotFound, match=r"There is no setup fst\. Did you mean fast"):
        session.setup("fst")


def test_a_script_sees_the_sessions_names_and_is_loaded_again_when_it_changes(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "align.py"
    path.write_text("rot.move(3)\ndef there():\n    return round(omega.position, 3), session.name\n")
    script = session.script(path)
    assert script.there() == (3.0, "faces")
    assert session.script(str(path.with_suffix(""))) is script
    path.write_text("def there():\n    return 'changed'\n")
    assert session.script(path).there() == "changed"


def test_errors_of_a_script_point_at_the_line(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    for text, says in (
        ("x = 1\nrott.move(1)\n", r"bad.py:2: NameError: name 'rott' is not defined\. Did you mean rot\?"),
        ("\n\nfor x in\n", r"bad\.py:3: invalid syntax"),
        ("def f():\n    rot.move(1000)\n\nf()\n", r"bad\.py:2: rot: cannot go to 1000 deg"),
        ("open('/nowhere/at/all')\n", r"bad\.py:1: FileNotFoundError"),
    ):
        path.write_text(text)
        with pytest.raises(ScriptError, match=says):
            session.script(path)
    with pytest.raises(NotFound, match=r"There is no script nothing\.py"):
        session.script("nothing.py")


def test_scripts_of_the_proposal_are_found_by_name(session: Session) -> None:
    session.newproposal("hc77")
    folder = session.current.experiment.scripts
    folder.mkdir(parents=True)
    (folder / "mine.py").write_text("value = 5\n")
    assert session.scripts["mine"] == folder / "mine.py"
    assert session.script("mine").value == 5
    session.endproposal()
    assert "mine" not in session.scripts
    assert session.current.experiment.proposal.startswith("faces")


def test_the_log_is_that_of_the_current_dataset(session: Session) -> None:
    session.newdataset("first")
    session.elog.add("beam is back")
    assert [entry.text for entry in session.elog] == ["beam is back"]
    session.newdataset("second")
    assert len(session.elog) == 0


def test_a_move_and_a_scan_run_side_by_side(session: Session) -> None:
    began = threading.Event()
    leave = session.listen(lambda progress: began.set() if progress.point > 0 else None)
    job = session.engine.launch(session.loopscan.scan(100000, 0.001, "ring"))
    assert began.wait(20)
    session.move(rot=4.0)
    assert not job.done
    with pytest.raises(Conflict, match="Something runs already: loopscan"):
        session.ct(0.1)
    session.abort()
    leave()
    assert isinstance(job.result(20).error, RunAborted)


def test_a_name_that_is_none_is_refused_where_data_go(session: Session) -> None:
    before = repr(session.current)
    for attempt, name in ((session.newproposal, "../x"), (session.newsample, "a b"), (session.newdataset, "c/d")):
        with pytest.raises(InvalidInput, match="is not a name for a"):
            attempt(name)
    assert repr(session.current) == before
