"""The synchronous client: usable from any thread, one background thread reads."""

from __future__ import annotations

import itertools
import logging
import math
import os
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from firstlight.model import FirstlightError, WireError
from firstlight.wire._failure import WireTimeout, rebuild
from firstlight.wire._protocol import (
    HEADER,
    MAGIC,
    MAXIMUM,
    VERSION,
    Cancel,
    ClientMessage,
    Event,
    Failure,
    Hello,
    Reply,
    Request,
    Role,
    ServerMessage,
    Subscribe,
    Welcome,
    frame,
    from_server,
    length,
)
from firstlight.wire._socket import check, peer, unreachable
from firstlight.wire._values import pack, unpack

_logger = logging.getLogger(__name__)


class Client:
    """A connection to a :class:`Server`, made at once.

    :param role: asked for; :attr:`role` is what was granted.
    :param timeout: seconds that a call waits for its answer when it does not say otherwise.
    :raises WireError: nobody serves there, or it speaks another protocol.
    """

    def __init__(
        self, path: Path | str, *, role: Role = Role.OPERATE, timeout: float = 10.0, maximum: int = MAXIMUM
    ) -> None:
        self.path = Path(path)
        self.timeout = timeout
        self._maximum = maximum
        self._numbers = itertools.count(1)
        self._sending = threading.Lock()
        self._lock = threading.Lock()
        self._pending: dict[int, Future[Any]] = {}
        self._events: dict[str, list[Events]] = {}
        self._following = threading.Lock()
        self._end: WireError | None = None
        self.left = False
        """Whether :meth:`close` was called."""
        self._socket = _connect(self.path, timeout)
        self._file = self._socket.makefile("rb", buffering=1 << 16)
        try:
            self.role = self._greet(role)
        except BaseException:
            self._file.close()
            self._socket.close()
            raise
        self.peer = peer(self._socket)
        """The process that serves."""
        self._thread = threading.Thread(target=self._read, name=f"wire to {self.path.name}", daemon=True)
        self._thread.start()

    @property
    def closed(self) -> bool:
        """Whether either side closed the connection."""
        return self._end is not None

    def call(self, method: str, /, timeout: float | None = None, **arguments: Any) -> Any:
        """Call a method of the service and return its value.

        :param timeout: seconds to wait; ``math.inf`` waits for ever, None takes the client's.
        :raises FirstlightError: what the method raised, as the class it was.
        :raises WireTimeout: no answer in time; the request is cancelled.
        :raises WireError: the connection is closed, the method unknown or not allowed.
        """
        packed = msgspec.Raw(pack(arguments))
        self._refuse_callbacks()
        request = self._begin(lambda number: Request(number, method, packed))
        return self._wait(*request, method, self.timeout if timeout is None else timeout)

    def events(self, topic: str, callback: Callable[[Any], None] | None = None, *, backlog: int = 256) -> Events:
        """Follow a topic from now on.

        :param callback: called with each payload, in the reading thread; without it, iterate over the result.
        :param backlog: events that wait to be iterated over; when there are more, the oldest are lost and counted.
        """
        self._refuse_callbacks()
        events = Events(self, topic, callback, backlog)
        with self._following:
            with self._lock:
                self._events.setdefault(topic, []).append(events)
            request = self._begin(lambda number: Subscribe(number, topic, on=True))
        self._wait(*request, f"subscribe {topic}", self.timeout)
        return events

    def close(self) -> None:
        """Close the connection; calls that wait raise :class:`WireError`. Idempotent."""
        self.left = True
        self._finish(WireError(f"The connection to {self.path} was closed here."))
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def forget(self, events: Events) -> None:
        """Follow a topic no longer; see :meth:`Events.close`."""
        with self._following:
            with self._lock:
                known = self._events.get(events.topic, [])
                if events not in known:
                    return
                known.remove(events)
                if known or self._end is not None:
                    return
                del self._events[events.topic]
            self._send(Subscribe(next(self._numbers), events.topic, on=False))

    def _refuse_callbacks(self) -> None:
        if threading.current_thread() is self._thread:
            raise WireError("A callback for events cannot wait for an answer of the same client.")

    def _begin(self, message: Callable[[int], ClientMessage]) -> tuple[int, Future[Any]]:
        number = next(self._numbers)
        future: Future[Any] = Future()
        with self._lock:
            if self._end is not None:
                raise self._ended()
            self._pending[number] = future
        try:
            self._send(message(number))
        except BaseException:
            with self._lock:
                self._pending.pop(number, None)
            raise
        return number, future

    def _wait(self, number: int, future: Future[Any], what: str, timeout: float) -> Any:
        try:
            return future.result(None if math.isinf(timeout) else timeout)
        except TimeoutError as error:
            if isinstance(error, FirstlightError):
                raise
            self._send(Cancel(number))
            raise WireTimeout(f"{self.path.name} did not answer {what} within {timeout:g} s.") from None
        except KeyboardInterrupt:
            self._send(Cancel(number))
            raise
        finally:
            with self._lock:
                self._pending.pop(number, None)

    def _send(self, message: ClientMessage) -> None:
        data = frame(message, self._maximum)
        try:
            with self._sending:
                self._socket.sendall(data)
        except OSError as error:
            # Half a frame may be on its way: nothing more can be said on this connection.
            self._finish(WireError(f"The connection to {self.path} is lost: {error.strerror or error}."))
            raise self._ended() from error

    def _greet(self, role: Role) -> Role:
        self._socket.settimeout(self.timeout)
        try:
            self._socket.sendall(frame(Hello(MAGIC, VERSION, role)))
            answer = self._receive()
        except TimeoutError as error:
            raise WireTimeout(f"{self.path.name} did not answer within {self.timeout:g} s.") from error
        except OSError as error:
            raise unreachable(self.path, error) from error
        if isinstance(answer, Failure):
            raise rebuild(answer)
        if not isinstance(answer, Welcome):
            raise WireError(f"The server at {self.path} does not speak Firstlight's protocol.")
        self._socket.settimeout(None)
        # A server that takes nothing any more must not hold the caller for ever.
        limit = struct.pack("ll", int(self.timeout) + 1, 0) if math.isfinite(self.timeout) else struct.pack("ll", 0, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        return Role(answer.role)

    def _receive(self) -> ServerMessage:
        header = self._file.read(HEADER)
        if not header:
            raise WireError(f"The connection to {self.path} was closed by its server.")
        if len(header) == HEADER:
            count = length(header, self._maximum)
            data = self._file.read(count)
            if len(data) == count:
                return from_server(data)
        raise WireError(f"The connection to {self.path} ended in the middle of a frame.")

    def _read(self) -> None:
        try:
            while True:
                message = self._receive()
                match message:
                    case Reply() | Failure():
                        self._settle(message)
                    case Event():
                        self._spread(message)
                    case _:
                        raise WireError(f"The server at {self.path} does not follow the protocol.")
        except WireError as error:
            self._finish(error)
        except (OSError, ValueError) as error:
            self._finish(
                WireError(f"The connection to {self.path} is lost: {getattr(error, 'strerror', None) or error}.")
            )
        finally:
            self._file.close()
            self._socket.close()

    def _settle(self, message: Reply | Failure) -> None:
        if isinstance(message, Failure) and message.number == 0:
            error = rebuild(message)
            raise error if isinstance(error, WireError) else WireError(error.message, hint=error.hint)
        with self._lock:
            future = self._pending.pop(message.number, None)
        if future is None:
            return
        if isinstance(message, Failure):
            future.set_exception(rebuild(message))
            return
        try:
            future.set_result(unpack(message.value))
        except WireError as error:
            future.set_exception(error)

    def _spread(self, message: Event) -> None:
        with self._lock:
            followers = list(self._events.get(message.topic, []))
        for events in followers:
            try:
                events.put(unpack(message.value), message.lost)
            except Exception:
                _logger.exception("An event of %s could not be handled.", message.topic)

    def _finish(self, error: WireError) -> None:
        with self._lock:
            if self._end is not None:
                return
            self._end = error
            pending = list(self._pending.values())
            followers = [events for known in self._events.values() for events in known]
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            _logger.debug("The connection to %s was gone already.", self.path)
        for future in pending:
            if not future.done():
                future.set_exception(self._ended())
        for events in followers:
            events.end(error)

    def _ended(self) -> WireError:
        # A new one each time: an exception that is raised twice collects the tracebacks of both.
        assert self._end is not None
        return WireError(self._end.message, hint=self._end.hint)


class Events:
    """Events of one topic; made by :meth:`Client.events`.

    Iteration yields payloads as they come, and raises :class:`WireError` when the server is gone; it ends when this or
    the client is closed here.
    """

    def __init__(self, client: Client, topic: str, callback: Callable[[Any], None] | None, backlog: int) -> None:
        self.topic = topic
        self.lost = 0
        """Number of events missed so far, because the server or this side could not keep them all."""
        self._client = client
        self._callback = callback
        self._backlog = backlog
        self._values: deque[Any] = deque()
        self._changed = threading.Condition()
        self._end: WireError | None = None
        self._closed = False

    def get(self, timeout: float | None = None) -> Any:
        """The next payload.

        :raises WireTimeout: none came in time.
        :raises WireError: the connection is closed, and all that came before was got.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            self._changed.wait_for(
                lambda: self._values or self._end or self._closed,
                None if deadline is None else deadline - time.monotonic(),
            )
            if self._values:
                return self._values.popleft()
            if self._end is not None:
                raise WireError(self._end.message, hint=self._end.hint)
            if self._closed:
                raise WireError(f"Events of {self.topic} are followed no longer.")
        raise WireTimeout(f"No event of {self.topic} came within {timeout:g} s.")

    def __iter__(self) -> Iterator[Any]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._values or self._end or self._closed)
                if not self._values and (self._closed or self._client.left):
                    return
            yield self.get()

    def close(self) -> None:
        """Follow the topic no longer; idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._client.forget(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def put(self, value: Any, lost: int) -> None:
        """For the client: an event came."""
        if self._callback is not None:
            self.lost += lost
            self._callback(value)
            return
        with self._changed:
            self.lost += lost
            if len(self._values) >= self._backlog:
                self._values.popleft()
                self.lost += 1
            self._values.append(value)
            self._changed.notify_all()

    def end(self, error: WireError) -> None:
        """For the client: no more will come."""
        with self._changed:
            self._end = error
            self._changed.notify_all()


def _connect(path: Path, timeout: float) -> socket.socket:
    check(path)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout if math.isfinite(timeout) else None)
        connection.connect(os.fsencode(path))
    except OSError as error:
        connection.close()
        raise unreachable(path, error) from error
    return connection
