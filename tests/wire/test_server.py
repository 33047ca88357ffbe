from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firstlight.model import Conflict, InvalidInput, WireError
from firstlight.process import ProcessSpec, Supervisor
from firstlight.wire import AsyncClient, Client, Peer, Role, Server, unpack
from firstlight.wire import _server as server_module
from firstlight.wire._connection import Limits
from firstlight.wire._protocol import (
    MAGIC,
    VERSION,
    Cancel,
    Failure,
    Hello,
    Reply,
    Request,
    Subscribe,
    Welcome,
    frame,
    from_server,
)
from firstlight.wire._values import pack

Wait = Callable[..., None]


class Raw:
    """A client that may misbehave."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(str(path))

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def greet(self) -> None:
        self.send(frame(Hello(MAGIC, VERSION, Role.OPERATE)))
        assert isinstance(self.receive(), Welcome)

    def receive(self) -> Any:
        """The next message; None at the end."""
        header = self._exactly(4)
        if not header:
            return None
        return from_server(self._exactly(struct.unpack("<I", header)[0]))

    def last(self) -> Any:
        """The last message before the server closes the connection."""
        message = None
        while (more := self.receive()) is not None:
            message = more
        return message

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            try:
                more = self.socket.recv(count - len(data))
            except ConnectionResetError:
                return b""
            if not more:
                return b""
            data += more
        return data


@pytest.fixture
def raw(server: Server) -> Iterator[Callable[[], Raw]]:
    made: list[Raw] = []

    def make() -> Raw:
        made.append(Raw(server.path))
        return made[-1]

    yield make
    for client in made:
        client.socket.close()


def request(number: int, method: str, **arguments: Any) -> bytes:
    import msgspec

    return frame(Request(number, method, msgspec.Raw(pack(arguments))))


def refused(client: Raw, words: str) -> None:
    answer = client.last()
    assert isinstance(answer, Failure)
    assert (answer.number, answer.kinds[0]) == (0, "WireError")
    assert words in answer.message


def still_serves(server: Server) -> bool:
    with Client(server.path) as client:
        return bool(client.call("echo", value=1) == 1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "announces 542393671 bytes"),
        (b"\0\0\0\0", "announces 0 bytes"),
        (struct.pack("<I", (64 << 20) + 1), "are allowed"),
        (struct.pack("<I", 3) + b"abc", "no message of Firstlight's protocol"),
        (frame(Cancel(1)), "must introduce itself first"),
        (frame(Hello("http", VERSION, 1)), "must introduce itself first"),
        (
            frame(Hello(MAGIC, VERSION + 1, 1)),
            f"speaks version {VERSION} of the protocol, the client version {VERSION + 1}",
        ),
        (frame(Hello(MAGIC, VERSION, 9)), "9 is not a role"),
    ],
)
def test_a_bad_introduction_is_refused_with_a_reason(
    server: Server, raw: Callable[[], Raw], data: bytes, words: str
) -> None:
    client = raw()
    client.send(data)
    refused(client, words)
    assert still_serves(server)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (struct.pack("<I", 5) + b"\xc1\xc1\xc1\xc1\xc1", "no message"),
        (struct.pack("<I", 2**32 - 1), "are allowed"),
        (frame(Hello(MAGIC, VERSION, 1)), "introduces itself once"),
        (frame(Reply(1, __import__("msgspec").Raw(b"\xc0"))), "no message"),
        (request(0, "echo"), "Request number 0"),
        (request(1, "wait_for_ever") + request(1, "echo"), "Request number 1"),
    ],
)
def test_breaking_the_protocol_closes_that_connection_alone(
    server: Server, raw: Callable[[], Raw], data: bytes, words: str
) -> None:
    client, neighbour = raw(), raw()
    client.greet()
    neighbour.greet()
    client.send(data)
    refused(client, words)
    neighbour.send(request(1, "echo", value=5))
    assert neighbour.receive().number == 1


def test_a_truncated_frame_ends_only_its_connection(server: Server, raw: Callable[[], Raw]) -> None:
    client = raw()
    client.greet()
    client.send(request(1, "echo")[:-2])
    client.socket.shutdown(socket.SHUT_WR)
    refused(client, "ended in the middle of a frame")
    assert still_serves(server)


def test_frames_may_come_in_pieces(server: Server, raw: Callable[[], Raw]) -> None:
    client = raw()
    client.greet()
    for byte in request(1, "echo", value="slow"):
        client.send(bytes([byte]))
    assert client.receive().number == 1


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server with little patience and small limits."""
    monkeypatch.setattr(
        server_module,
        "Limits",
        lambda **given: Limits(**{**given, "hello": 0.2, "frame": 0.2, "requests": 4, "threads": 2, "topics": 2}),
    )


def test_a_client_that_says_nothing_is_dismissed(impatient: None, server: Server, raw: Callable[[], Raw]) -> None:
    refused(raw(), "did not introduce itself in time")


def test_a_frame_that_never_ends_is_given_up(impatient: None, server: Server, raw: Callable[[], Raw]) -> None:
    client = raw()
    client.greet()
    client.send(request(1, "echo")[:7])
    refused(client, "was not complete 0.2 s after it had begun")
    assert still_serves(server)


def test_silence_between_frames_is_no_offence(
    impatient: None, server: Server, raw: Callable[[], Raw], wait_for: Wait
) -> None:
    quiet = raw()
    quiet.greet()
    refused(raw(), "introduce itself in time")
    quiet.send(request(1, "echo"))
    assert quiet.receive().number == 1


def test_too_many_unanswered_requests_dismiss_a_client(impatient: None, server: Server, raw: Callable[[], Raw]) -> None:
    client = raw()
    client.greet()
    client.send(b"".join(request(number, "wait_for_ever") for number in range(1, 6)))
    refused(client, "More than 4 requests")
    assert still_serves(server)


def test_answers_that_nobody_reads_dismiss_a_client(
    impatient: None, server: Server, raw: Callable[[], Raw], wait_for: Wait
) -> None:
    client = raw()
    client.greet()
    with contextlib.suppress(OSError):
        for number in range(1, 20):
            client.send(request(number, "repeat", text="x", times=1_000_000))
    wait_for(lambda: len(server._connections) == 0)
    assert still_serves(server)


def test_one_client_cannot_take_all_threads(impatient: None, server: Server, desk: Any, raw: Callable[[], Raw]) -> None:
    client = raw()
    client.greet()
    for number in (1, 2, 3):
        client.send(request(number, "block"))
    assert desk.waiting.wait(10)
    client.send(frame(Cancel(1)) + frame(Cancel(2)))
    with Client(server.path) as other:
        assert other.call("plain", number=1)
    desk.go_on.set()
    assert client.receive().number == 3


def test_a_client_may_not_follow_topics_without_end(impatient: None, server: Server, raw: Callable[[], Raw]) -> None:
    client = raw()
    client.greet()
    client.send(b"".join(frame(Subscribe(i, f"t{i}", on=True)) for i in range(1, 4)))
    refused(client, "follow 2 topics at most")


def test_a_cancelled_request_gets_no_answer(server: Server, desk: Any, raw: Callable[[], Raw]) -> None:
    client = raw()
    client.greet()
    client.send(request(1, "wait_for_ever"))
    assert desk.waiting.wait(10)
    client.send(frame(Cancel(1)) + frame(Cancel(77)) + request(2, "echo"))
    assert client.receive().number == 2
    assert desk.cancelled.wait(10)


def test_a_slow_client_loses_events_and_is_told_while_others_get_all(desk: Any, socket_path: Path) -> None:
    with Server(desk, socket_path, backlog=5), Client(socket_path) as quick:
        slow = Raw(socket_path)
        try:
            slow.greet()
            slow.send(frame(Subscribe(1, "state", on=True)))
            assert slow.receive().number == 1
            events = quick.events("state")
            payload = b"x" * 100_000
            for number in range(60):
                desk.emit("state", (number, payload))
                assert events.get(10)[0] == number
            assert events.lost == 0
            desk.emit("state", "last")
            got: list[Any] = []
            lost = 0
            while not got or got[-1] != "last":
                event = slow.receive()
                value = unpack(event.value)
                got.append(value if isinstance(value, str) else value[0])
                lost += event.lost
            assert got[:-1] == sorted(got[:-1])
            assert lost > 0
            assert len(got) + lost == 61
        finally:
            slow.socket.close()


def test_emitting_never_blocks_on_a_client_that_does_not_read(desk: Any, socket_path: Path) -> None:
    with Server(desk, socket_path):
        stuck = Raw(socket_path)
        stuck.greet()
        stuck.send(frame(Subscribe(1, "state", on=True)))
        assert stuck.receive().number == 1
        for _ in range(2000):
            desk.emit("state", b"x" * 10_000)
        with Client(socket_path) as client:
            assert client.call("echo", value=1) == 1
        stuck.socket.close()


def test_an_event_that_cannot_cross_is_refused_where_it_is_told(server: Server, desk: Any) -> None:
    with Client(server.path) as client:
        client.events("state")
        with pytest.raises(InvalidInput):
            desk.emit("state", object())


def test_the_socket_is_private_and_removed_at_the_end(desk: Any, socket_path: Path) -> None:
    with Server(desk, socket_path):
        assert socket_path.stat().st_mode & 0o777 == 0o600
    assert list(socket_path.parent.iterdir()) == []


def test_another_user_is_refused(desk: Any, socket_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    monkeypatch.setattr(server_module, "peer", lambda _: Peer(1, 4243, 1))
    with Server(desk, socket_path), pytest.raises(WireError, match="only the user who started it"):
        Client(socket_path)


def test_two_servers_cannot_have_one_path(server: Server, desk: Any) -> None:
    with pytest.raises(Conflict, match="Another process serves"):
        Server(desk, server.path).start()
    assert still_serves(server)


def test_what_a_dead_server_left_is_taken_over(desk: Any, socket_path: Path) -> None:
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(socket_path))
    dead.close()
    socket_path.with_name("s.lock").touch()
    with pytest.raises(WireError, match="has ended"):
        Client(socket_path)
    with Server(desk, socket_path) as server:
        assert still_serves(server)


def test_a_server_may_start_again_where_it_was(desk: Any, socket_path: Path) -> None:
    server = Server(desk, socket_path)
    for _ in range(3):
        server.start()
        assert still_serves(server)
        server.stop()
        server.stop()


def test_a_path_that_is_too_long_is_told(desk: Any, tmp_path: Path) -> None:
    path = tmp_path / ("x" * 120)
    with pytest.raises(InvalidInput, match="Linux allows 107"):
        Server(desk, path).start()
    with pytest.raises(InvalidInput, match="Linux allows 107"):
        Client(path)


def test_a_folder_that_is_missing_is_told(desk: Any, tmp_path: Path) -> None:
    with pytest.raises(WireError, match="No such file or directory"):
        Server(desk, Path("/proc/none/s")).start()


def test_a_server_can_run_in_a_loop_that_is_there(desk: Any, socket_path: Path) -> None:
    async def main() -> str:
        server = Server(desk, socket_path)
        started = asyncio.Event()
        task = asyncio.create_task(server.serve(started.set))
        await started.wait()

        async with AsyncClient(socket_path) as client:
            answer = await client.call("plain", number=1)
        server.stop()
        await task
        return str(answer)

    assert asyncio.run(main()).startswith("1 in")


def test_events_told_just_before_the_end_still_arrive(desk: Any, socket_path: Path) -> None:
    server = Server(desk, socket_path).start()
    with Client(socket_path) as client:
        events = client.events("state")
        for value in range(100):
            desk.emit("state", value)
        server.stop()
        assert [events.get(10) for _ in range(100)] == list(range(100))


def test_many_clients_come_and_go(server: Server, wait_for: Wait) -> None:
    def visit(number: int) -> None:
        for i in range(10):
            with Client(server.path) as client:
                assert client.call("echo", value=(number, i)) == (number, i)

    threads = [threading.Thread(target=visit, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: not server._connections)


messages = st.one_of(
    st.binary(max_size=100),
    st.binary(max_size=100).map(lambda data: struct.pack("<I", len(data)) + data),
    st.builds(lambda n, name: request(n, name), st.integers(0, 5), st.sampled_from(["echo", "wait_for_ever", "x"])),
    st.builds(lambda n: frame(Cancel(n)), st.integers(0, 5)),
    st.builds(lambda n, on: frame(Subscribe(n, "state", on)), st.integers(0, 5), st.booleans()),
    st.builds(lambda data, cut: data[:cut], st.just(request(3, "echo", value=[1, 2])), st.integers(0, 30)),
)


@given(greets=st.booleans(), pieces=st.lists(messages, max_size=6))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_client_sends_the_others_are_served(server: Server, greets: bool, pieces: list[bytes]) -> None:
    bad = Raw(server.path)
    try:
        with contextlib.suppress(OSError):
            if greets:
                bad.greet()
            for piece in pieces:
                bad.send(piece)
            bad.socket.shutdown(socket.SHUT_WR)
        answer = bad.last()
        assert answer is None or isinstance(answer, Welcome | Reply | Failure)
    finally:
        bad.socket.close()
    assert still_serves(server)


def test_a_client_talks_to_a_server_in_another_process(
    tmp_path: Path, socket_path: Path, monkeypatch: pytest.MonkeyPatch, wait_for: Wait
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    with Supervisor("test", tmp_path) as supervisor:
        child = supervisor.spawn(ProcessSpec("desk", "wire_target:serve", {"path": str(socket_path)}))
        client = Client(child.wait_ready()["socket"])
        assert client.call("process") == child.pid
        events = client.events("tick")
        client.call("tick")
        assert events.get(10) == "tock"
        child.kill()
        wait_for(lambda: client.closed)
        with pytest.raises(WireError, match="closed by its server"):
            client.call("process")
        client.close()
