"""The server: one event loop, many clients, none of which can hurt another."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from firstlight.model import WireError
from firstlight.wire._caller import Caller
from firstlight.wire._connection import FAREWELL, Connection, Limits
from firstlight.wire._failure import failure
from firstlight.wire._protocol import MAXIMUM, Event, Role, frame
from firstlight.wire._service import Service, handlers
from firstlight.wire._socket import Claim, Peer, peer
from firstlight.wire._values import pack

_logger = logging.getLogger(__name__)

THREADS = 32
"""Of all plain handlers of a server together; each connection may use a few."""


class Server:
    """Serves a :class:`Service` on a local socket that only this user may open.

    :param path: of the socket; what a dead server left there is taken over.
    :param grant: the highest role that clients get, or a function of the :class:`Peer` that says so.
    :param maximum: bytes of the largest message.
    :param backlog: events of one topic that wait for one client; when it is slower,
        the oldest are lost, and it is told.
    """

    def __init__(
        self,
        service: Service,
        path: Path,
        *,
        grant: Role | Callable[[Peer], Role] = Role.TERMINAL,
        maximum: int = MAXIMUM,
        backlog: int = 256,
    ) -> None:
        self.service = service
        self.path = Path(path)
        self._grant = grant
        self._methods = handlers(service)
        self._limits = Limits(maximum=maximum, backlog=backlog)
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._threads: ThreadPoolExecutor | None = None

    def start(self) -> Self:
        """Serve in a thread of its own; returns when clients can connect.

        :raises Conflict: another process serves at the path.
        :raises InvalidInput: the path is too long.
        """
        started = threading.Event()
        problem: list[BaseException] = []

        def run() -> None:
            try:
                asyncio.run(self.serve(started.set))
            except BaseException as error:
                if started.is_set():
                    _logger.exception("The server at %s failed.", self.path)
                else:
                    problem.append(error)
            finally:
                started.set()

        self._thread = threading.Thread(target=run, name=f"wire {self.path.name}", daemon=True)
        self._thread.start()
        started.wait()
        if problem:
            self._thread.join()
            raise problem[0]
        return self

    async def serve(self, started: Callable[[], object] = lambda: None) -> None:
        """Serve in the present event loop until :meth:`stop` or cancellation.

        :param started: called when clients can connect.
        """
        claim = Claim(self.path)
        try:
            self._over = asyncio.Event()
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=f"wire {self.path.name}")
            server = await asyncio.start_unix_server(self._accept, sock=claim.socket, limit=1 << 20)
            with self._lock:
                self._loop = asyncio.get_running_loop()
            self.service.attach(self._publish)
            try:
                started()
                await self._over.wait()
            finally:
                self.service.detach(self._publish)
                with self._lock:
                    self._loop = None
                server.close()
                await self._dismiss()
                self._threads.shutdown(wait=False, cancel_futures=True)
        finally:
            claim.release()

    def stop(self) -> None:
        """Close all connections and remove the socket; from any thread, idempotent."""
        with self._lock:
            loop, over = self._loop, self._over
            if loop is not None and over is not None:
                loop.call_soon_threadsafe(over.set)
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        who = peer(writer.get_extra_info("socket"))
        # The file's mode keeps other users out already; this holds when somebody changed it.
        if who.uid not in (os.geteuid(), 0):
            _logger.warning("Refused process %d of user %d.", who.pid, who.uid)
            writer.write(
                frame(failure(0, WireError(f"The server at {self.path} serves only the user who started it.")))
            )
            # It is still introducing itself: closed now, its pipe would break before it has read why.
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(self._limits.hello):
                    await reader.read(1)
            writer.close()
            return
        role = self._grant(who) if callable(self._grant) else self._grant
        assert self._threads is not None
        connection = Connection(reader, writer, self._methods, role, self._limits, self._threads, who)
        task = asyncio.current_task()
        assert task is not None
        with self._lock:
            self._connections[connection] = task
        try:
            await connection.run()
        except asyncio.CancelledError:
            # Dismissed: this task is nobody's to wait for, and asyncio would print that it was cancelled.
            pass
        finally:
            with self._lock:
                del self._connections[connection]
            if connection.caller is not None:
                self._say_goodbye(connection.caller)

    def _say_goodbye(self, who: Caller) -> None:
        """Tell the service that a client is gone; in a thread, since it may have to wait for something."""

        def gone() -> None:
            try:
                self.service.left(who)
            except Exception:
                _logger.exception("The end of a client could not be dealt with.")

        assert self._threads is not None
        try:
            self._threads.submit(gone)
        except RuntimeError:
            _logger.debug("The server ends with its clients.")

    async def _dismiss(self) -> None:
        connections = list(self._connections.items())
        await asyncio.gather(*(connection.flush(FAREWELL) for connection, _ in connections))
        for _, task in connections:
            task.cancel()
        await asyncio.gather(*(task for _, task in connections), return_exceptions=True)

    def _publish(self, topic: str, payload: object) -> None:
        with self._lock:
            if self._loop is None:
                return
            followers = [connection for connection in self._connections if connection.follows(topic)]
        if followers:
            value = msgspec.Raw(pack(payload))
            frame(Event(topic, value, 0), self._limits.maximum)
            for connection in followers:
                connection.push(topic, value)
