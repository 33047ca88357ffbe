from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from firstlight.model import Conflict, InvalidInput, ProcessError
from firstlight.process import Change, Child, ChildState, ProcessSpec, Restart, Supervisor

Wait = Callable[..., None]


def spec(target: str, name: str = "cam", **options: object) -> ProcessSpec:
    return ProcessSpec(name, f"process_targets:{target}", **options)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()


def test_a_child_gets_its_arguments_and_gives_its_information(supervisor: Supervisor) -> None:
    child = supervisor.spawn(spec("serve", arguments={"shape": [2, 3], "unit": "µm"}, nice=3))
    info = child.wait_ready()
    assert info["arguments"] == {"shape": [2, 3], "unit": "µm"}
    assert info["pid"] == child.pid != os.getpid()
    assert info["nice"] == os.nice(0) + 3
    assert child.state is ChildState.READY
    assert child.exit_code is None
    assert child.info == info


def test_stop_asks_first_and_the_target_can_finish(supervisor: Supervisor) -> None:
    child = supervisor.spawn(spec("serve"))
    child.wait_ready()
    child.stop()
    assert (child.state, child.exit_code, child.error) == (ChildState.EXITED, 0, None)
    assert any("the last word" in line for line in child.tail())


def test_a_child_that_does_not_stop_is_killed(supervisor: Supervisor) -> None:
    child = supervisor.spawn(spec("ignore_the_request", stop_timeout=0.2))
    child.wait_ready()
    child.stop()
    assert (child.state, child.exit_code) == (ChildState.EXITED, -signal.SIGKILL)


def test_kill_ends_at_once_and_without_a_restart(supervisor: Supervisor) -> None:
    child = supervisor.spawn(spec("ignore_the_request", restart=Restart.ON_FAILURE))
    child.wait_ready()
    child.kill()
    assert (child.state, child.exit_code) == (ChildState.EXITED, -signal.SIGKILL)


def test_children_stop_in_reverse_order_and_stop_is_idempotent(supervisor: Supervisor, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    for name in ("first", "second", "third"):
        supervisor.spawn(spec("serve_and_note", name, arguments={"notes": str(notes)})).wait_ready()
    assert [child.name for child in supervisor.children] == ["first", "second", "third"]
    supervisor.stop()
    supervisor.stop()
    assert notes.read_text().split() == ["third", "second", "first"]
    with pytest.raises(Conflict):
        supervisor.spawn(spec("serve"))


def test_stop_from_many_threads_is_one_stop(supervisor: Supervisor) -> None:
    children = [supervisor.spawn(spec("serve", f"c{i}")) for i in range(3)]
    threads = [threading.Thread(target=supervisor.stop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(child.state is ChildState.EXITED for child in children)


def test_a_child_stopped_while_it_starts_ends(supervisor: Supervisor) -> None:
    child = supervisor.spawn(spec("serve"))
    child.stop()
    assert child.state is ChildState.EXITED
    with pytest.raises(ProcessError, match="cam has ended"):
        child.wait_ready()


def test_two_living_children_cannot_have_one_name_but_a_successor_can(supervisor: Supervisor) -> None:
    first = supervisor.spawn(spec("serve"))
    with pytest.raises(Conflict, match="cam runs already"):
        supervisor.spawn(spec("serve"))
    first.stop()
    second = supervisor.spawn(spec("serve"))
    second.wait_ready()
    assert supervisor.children == (second,)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("no_such_module:main", "No module named 'no_such_module'"),
        ("process_targets:no_such_function", "no_such_function"),
    ],
)
def test_a_target_that_cannot_be_imported_is_named(supervisor: Supervisor, target: str, words: str) -> None:
    child = supervisor.spawn(ProcessSpec("cam", target))
    with pytest.raises(ProcessError, match="cam ended with exit code 1") as caught:
        child.wait_ready()
    assert words in caught.value.message
    assert child.state is ChildState.FAILED


def test_a_target_that_raises_before_it_is_ready_shows_its_last_lines(supervisor: Supervisor) -> None:
    child = supervisor.spawn(spec("raise_before_ready", restart=Restart.ON_FAILURE))
    with pytest.raises(ProcessError, match="RuntimeError: the cable is loose") as caught:
        child.wait_ready()
    assert "so far so good" in caught.value.hint
    assert str(child.log) in caught.value.hint
    assert child.error is caught.value


def test_an_error_made_for_people_arrives_as_it_is_and_without_a_traceback(supervisor: Supervisor) -> None:
    child = supervisor.spawn(spec("raise_for_people"))
    with pytest.raises(ProcessError, match=r"There is no such beamline\. Try fl01\.") as caught:
        child.wait_ready()
    assert "Traceback" not in str(caught.value)


def test_a_child_that_is_never_ready_is_told_by_the_time_out(supervisor: Supervisor) -> None:
    child = supervisor.spawn(spec("never_ready"))
    with pytest.raises(ProcessError, match=r"not ready within 0\.1 s"):
        child.wait_ready(timeout=0.1)


def test_a_child_that_returns_has_ended_well(supervisor: Supervisor) -> None:
    child = supervisor.spawn(spec("return_at_once", restart=Restart.ON_FAILURE))
    assert child.wait(10)
    assert (child.state, child.exit_code, child.info) == (ChildState.EXITED, 0, {"done": True})


def watch(child: Child) -> list[Change]:
    seen: list[Change] = []
    child.on_change(seen.append)
    return seen


def test_death_is_told_with_exit_code_and_log(supervisor: Supervisor, wait_for: Wait) -> None:
    child = supervisor.spawn(spec("exit_three"))
    seen = watch(child)
    child.wait(10)
    wait_for(lambda: seen and seen[-1].state is ChildState.FAILED)
    assert seen[-1].exit_code == 3
    assert "exit code 3" in seen[-1].message
    assert any("Started as process" in line for line in seen[-1].tail)


def test_a_signal_is_named(supervisor: Supervisor) -> None:
    child = supervisor.spawn(spec("serve"))
    child.wait_ready()
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait(10)
    assert child.exit_code == -signal.SIGKILL
    assert child.error is not None
    assert "SIGKILL" in child.error.message


def test_a_callback_that_raises_does_not_disturb(supervisor: Supervisor, caplog: pytest.LogCaptureFixture) -> None:
    child = supervisor.spawn(spec("serve"))

    def bad(change: Change) -> None:
        raise ValueError("my fault")

    child.on_change(bad)
    seen = watch(child)
    child.wait_ready()
    child.stop()
    assert ChildState.STOPPING in [change.state for change in seen]
    assert "my fault" in caplog.text


def test_a_failed_child_is_restarted(supervisor: Supervisor, tmp_path: Path, wait_for: Wait) -> None:
    child = supervisor.spawn(spec("die_once", restart=Restart.ON_FAILURE, arguments={"mark": str(tmp_path / "mark")}))
    seen = watch(child)
    wait_for(lambda: child.state is ChildState.READY and child.info.get("life") == 2)
    states = [change.state for change in seen]
    assert ChildState.RESTARTING in states
    assert next(c for c in seen if c.state is ChildState.RESTARTING).exit_code == -signal.SIGKILL
    child.stop()
    assert child.state is ChildState.EXITED


def test_restarts_are_limited(supervisor: Supervisor) -> None:
    child = supervisor.spawn(spec("die_always", restart=Restart.ON_FAILURE, max_restarts=2))
    seen = watch(child)
    assert child.wait(30)
    assert child.state is ChildState.FAILED
    assert [change.state for change in seen].count(ChildState.RESTARTING) == 2
    assert child.error is not None
    assert "failure 3 in 60 s" in child.error.message


def test_a_child_can_be_stopped_between_two_lives(supervisor: Supervisor, wait_for: Wait) -> None:
    child = supervisor.spawn(spec("die_always", restart=Restart.ON_FAILURE, max_restarts=100))
    wait_for(lambda: child.state is ChildState.RESTARTING)
    child.stop()
    assert child.state is ChildState.EXITED


def test_ctrl_c_of_the_terminal_does_not_reach_a_child(supervisor: Supervisor) -> None:
    child = supervisor.spawn(spec("serve", "here"))
    survivor = supervisor.spawn(spec("serve", "survivor", survive_parent=True))
    here, away = child.wait_ready(), survivor.wait_ready()
    assert here["group"] == child.pid != os.getpgid(0)
    assert here["session"] == os.getsid(0)
    assert away["session"] == survivor.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_the_target_to_stop(supervisor: Supervisor, number: signal.Signals) -> None:
    child = supervisor.spawn(spec("serve"))
    child.wait_ready()
    assert child.pid is not None
    os.kill(child.pid, number)
    assert child.wait(10)
    assert (child.state, child.exit_code) == (ChildState.EXITED, 0)


def test_children_die_in_order_when_their_parent_is_killed(
    supervisor: Supervisor, tmp_path: Path, wait_for: Wait
) -> None:
    mark = tmp_path / "mark"
    arguments = {"logs": str(tmp_path / "inner"), "survive": False, "mark": str(mark)}
    middle = supervisor.spawn(spec("parent_of_others", "middle", arguments=arguments))
    inner = middle.wait_ready()["inner"]
    assert alive(inner)
    middle.kill()
    wait_for(lambda: not alive(inner))
    assert mark.read_text() == "ended in order"


def test_an_orphan_that_does_not_stop_ends_itself(supervisor: Supervisor, tmp_path: Path, wait_for: Wait) -> None:
    logs = tmp_path / "inner"
    middle = supervisor.spawn(spec("parent_of_a_deaf_child", "middle", arguments={"logs": str(logs)}))
    inner = middle.wait_ready()["inner"]
    middle.kill()
    wait_for(lambda: not alive(inner))
    text = (logs / "inner.log").read_text()
    assert "The parent is gone; stopping." in text
    assert "in ignore_the_request" in text


def test_what_lies_in_the_present_folder_hides_no_module(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    supervisor.spawn(spec("serve")).wait_ready()


def test_survivors_live_on_when_their_parent_is_killed(supervisor: Supervisor, tmp_path: Path, wait_for: Wait) -> None:
    mark = tmp_path / "mark"
    logs = tmp_path / "inner"
    arguments = {"logs": str(logs), "survive": True, "mark": str(mark)}
    middle = supervisor.spawn(spec("parent_of_others", "middle", arguments=arguments))
    inner = middle.wait_ready()["inner"]
    middle.kill()
    try:
        wait_for(lambda: "going on without it" in (logs / "inner.log").read_text())
        assert alive(inner)
    finally:
        os.kill(inner, signal.SIGTERM)
    wait_for(lambda: not alive(inner))
    assert mark.read_text() == "ended in order"


def test_the_end_of_the_thread_that_spawned_is_not_the_end_of_the_child(supervisor: Supervisor, tmp_path: Path) -> None:
    middle = supervisor.spawn(spec("spawn_from_a_short_thread", "middle", arguments={"logs": str(tmp_path)}))
    middle.wait_ready()
    middle.stop()
    assert middle.exit_code == 0


def test_a_death_is_seen_though_a_grandchild_holds_all_descriptors(supervisor: Supervisor) -> None:
    child = supervisor.spawn(spec("fork_a_heir"))
    assert child.wait(10)
    assert child.exit_code == 5
    os.kill(child.info["heir"], signal.SIGKILL)


def test_descriptors_are_not_inherited(supervisor: Supervisor, tmp_path: Path) -> None:
    with (tmp_path / "secret").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        links = supervisor.spawn(spec("list_descriptors")).wait_ready()["links"]
    assert not any("secret" in link for link in links.values())
    assert links["0"] == "/dev/null"


def test_a_child_loads_only_what_it_needs(supervisor: Supervisor) -> None:
    child = supervisor.spawn(spec("list_modules"))
    child.wait(10)
    heavy = {"numpy", "pydantic", "asyncio", "subprocess", "firstlight.model", "msgspec"}
    assert not heavy & set(child.info["modules"])


def test_started_by_hand_it_says_so() -> None:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-m", "firstlight.process"], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "not for typing" in done.stderr


def test_a_parent_that_forgets_to_stop_still_ends_its_children(tmp_path: Path, wait_for: Wait) -> None:
    import subprocess

    code = (
        "import sys; from pathlib import Path\n"
        "from firstlight.process import ProcessSpec, Supervisor\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"s = Supervisor('forgetful', Path({str(tmp_path)!r}))\n"
        f"child = s.spawn(ProcessSpec('c', 'process_targets:note_the_end', {{'mark': {str(tmp_path / 'mark')!r}}}))\n"
        "print(child.wait_ready()['pid'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not alive(int(done.stdout))
    assert (tmp_path / "mark").read_text() == "ended in order"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("name", "target", "arguments"),
    [
        ("../cam", "a:b", {}),
        ("", "a:b", {}),
        ("cam", "a.b", {}),
        ("cam", "a:b c", {}),
        ("cam", ":b", {}),
        ("cam", "a:b", {"path": Path("x")}),
    ],
)
def test_a_bad_description_is_refused(name: str, target: str, arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        ProcessSpec(name, target, arguments)
