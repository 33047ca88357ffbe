"""The asynchronous client: the mirror of :class:`Client` for one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import math
import os
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from firstlight.model import FirstlightError, WireError
from firstlight.wire._failure import WireTimeout, rebuild
from firstlight.wire._protocol import (
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
    Subscribe,
    Welcome,
    frame,
    from_server,
)
from firstlight.wire._socket import Peer, check, peer, unreachable
from firstlight.wire._stream import read_frame
from firstlight.wire._values import pack, unpack

_logger = logging.getLogger(__name__)


class AsyncClient:
    """A connection to a :class:`Server`, made by :meth:`connect` or ``async with``.

    :param role: asked for; :attr:`role` is what was granted, once connected.
    :param timeout: seconds that a call waits for its answer when it does not say otherwise.
    """

    def __init__(
        self, path: Path | str, *, role: Role = Role.OPERATE, timeout: float = 10.0, maximum: int = MAXIMUM
    ) -> None:
        self.path = Path(path)
        self.role = role
        self.timeout = timeout
        self._maximum = maximum
        self._numbers = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._events: dict[str, list[AsyncEvents]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._peer: Peer | None = None
        self._end: WireError | None = None
        self.left = False
        """Whether :meth:`close` was called."""

    @property
    def closed(self) -> bool:
        """Whether either side closed the connection."""
        return self._end is not None

    @property
    def peer(self) -> Peer:
        """The process that serves.

        :raises WireError: not connected yet.
        """
        if self._peer is None:
            raise WireError(f"There is no connection to {self.path} yet.", hint="Call connect first.")
        return self._peer

    async def connect(self) -> Self:
        """Connect.

        :raises WireError: nobody serves there, or it speaks another protocol.
        """
        check(self.path)
        try:
            async with asyncio.timeout(None if math.isinf(self.timeout) else self.timeout):
                reader, writer = await asyncio.open_unix_connection(os.fspath(self.path), limit=1 << 20)
                try:
                    writer.write(frame(Hello(MAGIC, VERSION, self.role)))
                    self.role = await self._greet(reader)
                except BaseException:
                    writer.close()
                    raise
        except FirstlightError:
            raise
        except TimeoutError as error:
            raise WireTimeout(f"{self.path.name} did not answer within {self.timeout:g} s.") from error
        except OSError as error:
            raise unreachable(self.path, error) from error
        self._writer = writer
        self._peer = peer(writer.get_extra_info("socket"))
        self._reading = asyncio.create_task(self._read(reader))
        return self

    async def call(self, method: str, /, timeout: float | None = None, **arguments: Any) -> Any:
        """Call a method of the service and return its value; cancellation cancels the request.

        :param timeout: seconds to wait; ``math.inf`` waits for ever, None takes the client's.
        :raises FirstlightError: what the method raised, as the class it was.
        :raises WireTimeout: no answer in time; the request is cancelled.
        :raises WireError: the connection is closed, the method unknown or not allowed.
        """
        packed = msgspec.Raw(pack(arguments))
        return await self._ask(
            lambda number: Request(number, method, packed), method, self.timeout if timeout is None else timeout
        )

    async def events(
        self, topic: str, callback: Callable[[Any], None] | None = None, *, backlog: int = 256
    ) -> AsyncEvents:
        """Follow a topic from now on.

        :param callback: called with each payload in the event loop; without it, iterate over the result.
        :param backlog: events that wait to be iterated over; when there are more, the oldest are lost and counted.
        """
        events = AsyncEvents(self, topic, callback, backlog)
        self._events.setdefault(topic, []).append(events)
        await self._ask(lambda number: Subscribe(number, topic, on=True), f"subscribe {topic}", self.timeout)
        return events

    async def wait_closed(self) -> None:
        """Return when either side has closed the connection."""
        if self._reading is not None:
            await asyncio.wait([self._reading])

    async def close(self) -> None:
        """Close the connection; calls that wait raise :class:`WireError`. Idempotent."""
        self.left = True
        self._finish(WireError(f"The connection to {self.path} was closed here."))
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        self._hang_up()
        if self._writer is not None:
            # The socket itself is closed a moment later, which an event loop that ends now would not see.
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def forget(self, events: AsyncEvents) -> None:
        """Follow a topic no longer; see :meth:`AsyncEvents.close`."""
        known = self._events.get(events.topic, [])
        if events not in known:
            return
        known.remove(events)
        if not known:
            del self._events[events.topic]
            if self._end is None:
                self._send(Subscribe(next(self._numbers), events.topic, on=False))

    async def _ask(self, message: Callable[[int], ClientMessage], what: str, timeout: float) -> Any:
        if self._end is not None:
            raise self._ended()
        number = next(self._numbers)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[number] = future
        try:
            self._send(message(number))
            async with asyncio.timeout(None if math.isinf(timeout) else timeout) as limit:
                return await future
        except TimeoutError:
            if not limit.expired():
                raise
            self._send(Cancel(number))
            raise WireTimeout(f"{self.path.name} did not answer {what} within {timeout:g} s.") from None
        except asyncio.CancelledError:
            if self._end is None:
                self._send(Cancel(number))
            raise
        finally:
            del self._pending[number]

    def _send(self, message: ClientMessage) -> None:
        if self._writer is None:
            raise WireError(f"There is no connection to {self.path} yet.", hint="Call connect first.")
        self._writer.write(frame(message, self._maximum))

    async def _greet(self, reader: asyncio.StreamReader) -> Role:
        data = await read_frame(reader, self._maximum)
        if data is None:
            raise WireError(f"The connection to {self.path} was closed by its server.")
        answer = from_server(data)
        if isinstance(answer, Failure):
            raise rebuild(answer)
        if not isinstance(answer, Welcome):
            raise WireError(f"The server at {self.path} does not speak Firstlight's protocol.")
        return Role(answer.role)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while (data := await read_frame(reader, self._maximum)) is not None:
                message = from_server(data)
                match message:
                    case Reply() | Failure():
                        self._settle(message)
                    case Event():
                        self._spread(message)
                    case _:
                        raise WireError(f"The server at {self.path} does not follow the protocol.")
            self._finish(WireError(f"The connection to {self.path} was closed by its server."))
        except WireError as error:
            self._finish(error)
        except OSError as error:
            self._finish(WireError(f"The connection to {self.path} is lost: {error}."))
        finally:
            self._finish(WireError(f"The connection to {self.path} was closed here."))
            self._hang_up()

    def _hang_up(self) -> None:
        # Also called without the reading task, which may be cancelled before it began.
        if self._writer is not None:
            if self._writer.transport.get_write_buffer_size():
                # The server takes nothing any more; the transport would wait for it.
                self._writer.transport.abort()
            self._writer.close()

    def _settle(self, message: Reply | Failure) -> None:
        if isinstance(message, Failure) and message.number == 0:
            error = rebuild(message)
            raise error if isinstance(error, WireError) else WireError(error.message, hint=error.hint)
        future = self._pending.get(message.number)
        if future is None or future.done():
            return
        if isinstance(message, Failure):
            future.set_exception(rebuild(message))
            return
        try:
            future.set_result(unpack(message.value))
        except WireError as error:
            future.set_exception(error)

    def _spread(self, message: Event) -> None:
        for events in list(self._events.get(message.topic, [])):
            try:
                events.put(unpack(message.value), message.lost)
            except Exception:
                _logger.exception("An event of %s could not be handled.", message.topic)

    def _finish(self, error: WireError) -> None:
        if self._end is not None:
            return
        self._end = error
        for future in self._pending.values():
            if not future.done():
                future.set_exception(self._ended())
        for known in self._events.values():
            for events in known:
                events.end()

    def _ended(self) -> WireError:
        # A new one each time: an exception that is raised twice collects the tracebacks of both.
        assert self._end is not None
        return WireError(self._end.message, hint=self._end.hint)

    def check_open(self) -> None:
        """Do nothing while the connection is open.

        :raises WireError: why it is not.
        """
        if self._end is not None:
            raise self._ended()


class AsyncEvents:
    """Events of one topic; made by :meth:`AsyncClient.events`.

    Iteration yields payloads as they come, and raises :class:`WireError` when the server is gone; it ends when this or
    the client is closed here.
    """

    def __init__(self, client: AsyncClient, topic: str, callback: Callable[[Any], None] | None, backlog: int) -> None:
        self.topic = topic
        self.lost = 0
        """Number of events missed so far, because the server or this side could not keep them all."""
        self._client = client
        self._callback = callback
        self._backlog = backlog
        self._values: deque[Any] = deque()
        self._changed = asyncio.Event()
        self._closed = False

    async def get(self, timeout: float | None = None) -> Any:
        """The next payload.

        :raises WireTimeout: none came in time.
        :raises WireError: the connection is closed, and all that came before was got.
        """
        try:
            async with asyncio.timeout(timeout) as limit:
                await self._something()
        except TimeoutError:
            if not limit.expired():
                raise
            raise WireTimeout(f"No event of {self.topic} came within {timeout:g} s.") from None
        if self._values:
            return self._values.popleft()
        self._client.check_open()
        raise WireError(f"Events of {self.topic} are followed no longer.")

    async def __aiter__(self) -> AsyncIterator[Any]:
        while True:
            await self._something()
            if not self._values and (self._closed or self._client.left):
                return
            yield await self.get()

    async def close(self) -> None:
        """Follow the topic no longer; idempotent."""
        self._closed = True
        self._changed.set()
        self._client.forget(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _something(self) -> None:
        while not (self._values or self._closed or self._client.closed):
            self._changed.clear()
            await self._changed.wait()

    def put(self, value: Any, lost: int) -> None:
        """For the client: an event came."""
        self.lost += lost
        if self._callback is not None:
            self._callback(value)
            return
        if len(self._values) >= self._backlog:
            self._values.popleft()
            self.lost += 1
        self._values.append(value)
        self._changed.set()

    def end(self) -> None:
        """For the client: no more will come."""
        self._changed.set()
