"""What holds for both clients."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firstlight.model import (
    DeviceTimeout,
    FirstlightError,
    InvalidInput,
    MissingExtra,
    NotFound,
    StorageFull,
    TriggerMode,
    TriggerPlan,
    WireError,
)
from firstlight.wire import AsyncClient, Client, Role, Server, WireTimeout, _failure

Wait = Callable[..., None]


def test_values_go_and_come_back_unharmed(server: Server, connect: Any) -> None:
    client = connect(server.path)
    plan = TriggerPlan(mode=TriggerMode.TIME, points=3, exposure=0.1)
    value = {"plan": plan, "pair": (1, [2.5, None]), "raw": b"\0\1", "mode": TriggerMode.POSITION}
    assert client.call("echo", value=value) == value
    np.testing.assert_array_equal(client.call("echo", value=np.eye(3)[:, ::2]), np.eye(3)[:, ::2])


def test_large_values_cross(server: Server, connect: Any) -> None:
    frame = np.random.default_rng(1).integers(0, 60000, (1500, 1500), dtype=np.uint16)
    np.testing.assert_array_equal(connect(server.path).call("echo", value=frame), frame)


def test_a_message_that_is_too_large_is_refused_where_it_is_sent(server: Server, connect: Any) -> None:
    client = connect(server.path, maximum=1000)
    with pytest.raises(InvalidInput, match="larger than the 1000"):
        client.call("echo", value=b"x" * 1000)
    assert client.call("echo", value=1) == 1


def test_an_answer_that_is_too_large_becomes_an_error(desk: Any, socket_path: Path, connect: Any) -> None:
    with Server(desk, socket_path, maximum=1000):
        client = connect(socket_path)
        with pytest.raises(InvalidInput, match="larger than the 1000"):
            client.call("repeat", text="x", times=1000)
        assert client.call("echo", value=1) == 1


def test_plain_methods_run_in_threads_and_do_not_hold_up_the_others(server: Server, desk: Any, connect: Any) -> None:
    slow, fast = connect(server.path), connect(server.path)
    answer: list[str] = []
    thread = threading.Thread(target=lambda: answer.append(slow.call("block")))
    thread.start()
    assert desk.waiting.wait(10)
    assert fast.call("echo", value=1) == 1
    assert slow.call("plain", number=2).startswith("2 in wire")
    desk.go_on.set()
    thread.join()
    assert answer == ["went on"]


def test_one_client_serves_many_threads(server: Server, connect: Any) -> None:
    client = connect(server.path)
    got: dict[int, list[Any]] = {}

    def work(seed: int) -> None:
        got[seed] = [client.call("echo", value=(seed, i)) for i in range(50)]

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {seed: [(seed, i) for i in range(50)] for seed in range(8)}


@pytest.mark.parametrize(
    ("how", "kind", "words"),
    [
        ("timeout", DeviceTimeout, "cam: frame 3 did not come. Look at the trigger."),
        ("full", StorageFull, "No room left."),
        ("extra", MissingExtra, "fabio is not installed. Install it with: pip install 'firstlight[images]'"),
        ("base", WireError, "Something."),
    ],
)
def test_errors_arrive_as_the_class_they_were(
    server: Server, connect: Any, how: str, kind: type[FirstlightError], words: str
) -> None:
    with pytest.raises(kind) as caught:
        connect(server.path).call("fail", how=how)
    assert type(caught.value) is kind
    assert str(caught.value) == words
    if how == "timeout":
        assert vars(caught.value) == {
            "device": "cam",
            "message": "cam: frame 3 did not come.",
            "hint": "Look at the trigger.",
        }


def test_an_error_that_is_unknown_here_arrives_as_its_nearest_base(
    server: Server, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect(server.path)
    family = _failure._family
    monkeypatch.setattr(_failure, "_family", lambda kind: [k for k in family(kind) if k.__name__ != "CustomFailure"])
    with pytest.raises(DeviceTimeout, match="cam: custom") as caught:
        client.call("fail", how="custom")
    assert type(caught.value) is DeviceTimeout


def test_a_fault_of_the_program_is_logged_there_and_told_without_a_traceback(
    server: Server, connect: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(WireError, match="fail failed: ZeroDivisionError: by nothing") as caught:
        connect(server.path).call("fail", how="bug")
    assert "Traceback" not in str(caught.value)
    assert "Traceback" in caplog.text


def test_a_method_that_cancels_itself_is_an_error(server: Server, connect: Any) -> None:
    with pytest.raises(WireError, match="was cancelled where it ran"):
        connect(server.path).call("fail", how="cancelled")


def test_a_value_that_cannot_cross_back_is_an_error(server: Server, connect: Any) -> None:
    with pytest.raises(InvalidInput, match="type object cannot cross"):
        connect(server.path).call("bad_value")


def test_wrong_requests_are_answered_and_the_connection_goes_on(server: Server, connect: Any) -> None:
    client = connect(server.path)
    with pytest.raises(NotFound, match="Did you mean echo"):
        client.call("ecko")
    with pytest.raises(InvalidInput, match="plain: number: Input should be a valid integer"):
        client.call("plain", number="x")
    with pytest.raises(NotFound):
        client.call("__init__")
    assert client.call("echo", value=1) == 1


def test_roles_are_capped_and_checked(desk: Any, socket_path: Path, connect: Any) -> None:
    with Server(desk, socket_path, grant=Role.OPERATE):
        viewer = connect(socket_path, role=Role.VIEW)
        assert viewer.call("echo", value=1) == 1
        with pytest.raises(WireError, match="plain needs the role OPERATE; this connection has VIEW"):
            viewer.call("plain", number=1)
        ambitious = connect(socket_path, role=Role.TERMINAL)
        assert ambitious.role is Role.OPERATE
        ambitious.call("plain", number=1)
        with pytest.raises(WireError, match="needs the role TERMINAL"):
            ambitious.call("end")


def test_the_server_may_grant_by_the_process_that_asks(desk: Any, socket_path: Path, connect: Any) -> None:
    import os

    seen = []

    def grant(peer: Any) -> Role:
        seen.append(peer)
        return Role.TERMINAL

    with Server(desk, socket_path, grant=grant):
        assert connect(socket_path, role=Role.TERMINAL).call("end") == "the end"
    assert (seen[0].pid, seen[0].uid) == (os.getpid(), os.getuid())


def test_a_call_that_takes_too_long_is_cancelled_there(server: Server, desk: Any, connect: Any) -> None:
    client = connect(server.path)
    with pytest.raises(WireTimeout, match=r"did not answer wait_for_ever within 0\.05 s"):
        client.call("wait_for_ever", timeout=0.05)
    assert desk.cancelled.wait(10)
    assert client.call("echo", value=1) == 1


def test_a_client_that_goes_away_cancels_what_it_asked_for(server: Server, desk: Any, connect: Any) -> None:
    client = connect(server.path)
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            client.call("wait_for_ever", timeout=float("inf"))
        except WireError as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert desk.waiting.wait(10)
    client.close()
    thread.join()
    assert desk.cancelled.wait(10)
    assert "was closed here" in str(errors[0])


def test_calls_that_wait_fail_at_once_when_the_server_ends(
    desk: Any, socket_path: Path, connect: Any, wait_for: Wait
) -> None:
    server = Server(desk, socket_path).start()
    client = connect(socket_path)
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            client.call("wait_for_ever", timeout=float("inf"))
        except WireError as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert desk.waiting.wait(10)
    server.stop()
    thread.join(10)
    assert "was closed by its server" in str(errors[0])
    wait_for(lambda: client.closed)
    with pytest.raises(WireError, match="was closed by its server"):
        client.call("echo")
    with pytest.raises(WireError, match="There is no socket"):
        connect(socket_path)


def test_a_closed_client_says_so(server: Server, connect: Any) -> None:
    client = connect(server.path)
    client.close()
    client.close()
    assert client.closed
    with pytest.raises(WireError, match="was closed here"):
        client.call("echo")


def test_events_come_in_order_to_all_that_follow(server: Server, desk: Any, connect: Any) -> None:
    first, second, other = (connect(server.path) for _ in range(3))
    a, b, c = first.events("state"), second.events("state"), other.events("else")
    for value in range(5):
        desk.emit("state", (value, np.arange(value)))
    desk.emit("else", "x")
    for events in (a, b):
        got = [events.get(10) for _ in range(5)]
        assert [(value, list(array)) for value, array in got] == [(v, list(range(v))) for v in range(5)]
        assert events.lost == 0
    assert c.get(10) == "x"
    with pytest.raises(WireTimeout, match="No event of else"):
        c.get(0.01)


def test_two_may_follow_one_topic_over_one_client(server: Server, desk: Any, connect: Any) -> None:
    client = connect(server.path)
    a, b = client.events("state"), client.events("state")
    desk.emit("state", 1)
    assert (a.get(10), b.get(10)) == (1, 1)
    a.close()
    desk.emit("state", 2)
    assert b.get(10) == 2
    with pytest.raises(WireError, match="followed no longer"):
        a.get(1)
    b.close()
    client.call("echo")
    desk.emit("state", 3)
    again = client.events("state")
    desk.emit("state", 4)
    assert again.get(10) == 4


def test_events_can_be_called_back(server: Server, desk: Any, connect: Any, wait_for: Wait) -> None:
    got: list[Any] = []
    connect(server.path).events("state", got.append)
    desk.emit("state", 1)
    desk.emit("state", 2)
    wait_for(lambda: got == [1, 2])


def test_a_callback_that_raises_harms_nobody(
    server: Server, desk: Any, connect: Any, caplog: pytest.LogCaptureFixture, wait_for: Wait
) -> None:
    def bad(value: Any) -> None:
        raise ValueError("my fault")

    client = connect(server.path)
    client.events("state", bad)
    desk.emit("state", 1)
    wait_for(lambda: "my fault" in caplog.text)
    assert client.call("echo", value=1) == 1


def test_a_follower_that_does_not_iterate_loses_the_oldest_and_is_told(server: Server, desk: Any, connect: Any) -> None:
    client = connect(server.path)
    events = client.events("state", backlog=3)
    client.call("tell", topic="state", values=list(range(10)))
    last = client.events("last")
    desk.emit("last")
    last.get(10)
    assert [events.get(10) for _ in range(3)] == [7, 8, 9]
    assert events.lost == 7


def test_iteration_ends_when_the_client_closes(server: Server, desk: Any, connect: Any) -> None:
    client = connect(server.path)
    events = client.events("state")
    last = client.events("last")
    for value in range(3):
        desk.emit("state", value)
    desk.emit("last")
    last.get(10)
    client.close()
    assert events.all() == [0, 1, 2]


def test_iteration_raises_when_the_server_is_gone(desk: Any, socket_path: Path, connect: Any) -> None:
    server = Server(desk, socket_path).start()
    events = connect(socket_path).events("state")
    desk.emit("state", 1)
    server.stop()
    assert events.get(10) == 1
    with pytest.raises(WireError, match="closed by its server"):
        events.all()


def test_a_callback_of_the_synchronous_client_must_not_call_it(server: Server, desk: Any, wait_for: Wait) -> None:
    with Client(server.path) as client:
        errors: list[BaseException] = []

        def ask(value: Any) -> None:
            try:
                client.call("echo")
            except WireError as error:
                errors.append(error)

        client.events("state", ask)
        desk.emit("state")
        wait_for(lambda: errors)
        assert "cannot wait" in str(errors[0])


def test_cancelling_an_asynchronous_call_cancels_it_there(server: Server, desk: Any) -> None:
    async def main() -> None:
        async with AsyncClient(server.path) as client:
            task = asyncio.create_task(client.call("wait_for_ever"))
            await asyncio.to_thread(desk.waiting.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await asyncio.to_thread(desk.cancelled.wait, 10)
            assert await client.call("echo", value=2) == 2

    asyncio.run(main())


def test_many_asynchronous_calls_at_once_are_all_answered(server: Server) -> None:
    async def main() -> None:
        async with AsyncClient(server.path) as client:
            answers = await asyncio.gather(*(client.call("echo", value=i) for i in range(500)))
            assert answers == list(range(500))

    asyncio.run(main())


def test_an_asynchronous_client_must_connect_first(socket_path: Path) -> None:
    with pytest.raises(WireError, match="Call connect first"):
        asyncio.run(AsyncClient(socket_path).call("echo"))


def test_the_end_of_the_server_wakes_an_asynchronous_client(desk: Any, socket_path: Path) -> None:
    async def main() -> None:
        server = Server(desk, socket_path).start()
        async with AsyncClient(socket_path) as client:
            waiter = asyncio.create_task(client.wait_closed())
            await asyncio.to_thread(server.stop)
            await waiter
            assert client.closed

    asyncio.run(main())


def test_a_client_that_leaves_at_once_leaves_nothing_open(server: Server, wait_for: Wait) -> None:
    async def visit() -> None:
        async with AsyncClient(server.path):
            pass

    for _ in range(3):
        asyncio.run(visit())
    # What was left open would be complained about here.
    gc.collect()
    wait_for(lambda: not server._connections)


def test_the_socket_of_a_client_that_was_closed_is_closed_at_once(server: Server) -> None:
    async def story() -> int:
        client = AsyncClient(server.path)
        await client.connect()
        assert client._writer is not None
        socket = client._writer.get_extra_info("socket")
        assert socket.fileno() >= 0
        await client.close()
        return int(socket.fileno())

    assert asyncio.run(story()) == -1
