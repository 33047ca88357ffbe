"""A real STOMP broker (CoilMQ), as ICAT's ingester sees it."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

PATIENCE = 60.0


class Broker:
    """A broker that runs.

    :param port: where it listens, on the loopback.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    def received(self) -> bytes:
        """The next message of ICAT's queue."""
        from pyicat_plus.client import defaults
        from stompest.config import StompConfig
        from stompest.sync import Stomp

        client = Stomp(StompConfig(f"tcp://{self.address}"))
        client.connect(connectedTimeout=PATIENCE)
        try:
            client.subscribe(f"/queue/{defaults.METADATA_QUEUE}", {"ack": "auto", "id": "1"})
            assert client.canRead(PATIENCE), "nothing arrived"
            return bytes(client.receiveFrame().body)
        finally:
            client.disconnect()


@contextlib.contextmanager
def broker() -> Iterator[Broker]:
    """Start one, and end it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    module = "pyicat_plus_pytest_plugin.servers.coilmq"
    with subprocess.Popen(
        [sys.executable, "-m", module, "-b", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _wait(process, port)
            yield Broker(port)
        finally:
            process.kill()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert process.poll() is None, "the broker ended"
        assert time.monotonic() < deadline, "the broker did not listen"
        time.sleep(0.02)
