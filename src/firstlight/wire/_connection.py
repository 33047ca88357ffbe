"""The server's side of one connection."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from firstlight.model import FirstlightError, WireError
from firstlight.wire._caller import Caller, answering
from firstlight.wire._failure import failure
from firstlight.wire._protocol import (
    FRAME_TIMEOUT,
    MAGIC,
    MAXIMUM,
    VERSION,
    Cancel,
    Event,
    Hello,
    Reply,
    Request,
    Role,
    ServerMessage,
    Subscribe,
    Welcome,
    frame,
    from_client,
)
from firstlight.wire._service import Handler, find
from firstlight.wire._socket import Peer
from firstlight.wire._stream import read_frame
from firstlight.wire._values import pack, unpack

_logger = logging.getLogger(__name__)


FAREWELL = 1.0
"""Seconds that a client has at the end to take what was already said."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one client may use of the server.

    :param maximum: bytes of one message.
    :param backlog: events of one topic that wait for it.
    :param requests: unanswered at a time; a client with more is dismissed.
    :param threads: plain handlers that run for it at a time.
    :param topics: that it follows.
    :param hello: seconds until it must have introduced itself.
    :param frame: seconds within which a frame that has begun must be complete.
    """

    maximum: int = MAXIMUM
    backlog: int = 256
    requests: int = 1024
    threads: int = 4
    topics: int = 256
    hello: float = 10.0
    frame: float = FRAME_TIMEOUT


class _Backlog:
    """Events of one topic that wait for the client."""

    def __init__(self, limit: int) -> None:
        self.values: deque[msgspec.Raw] = deque()
        self.limit = limit
        self.lost = 0


class Connection:
    """One client: reads its requests, runs them, writes answers and events."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        methods: Mapping[str, Handler],
        grant: Role,
        limits: Limits,
        threads: Executor,
        peer: Peer,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._methods = methods
        self._role = grant
        self._peer = peer
        self.caller: Caller | None = None
        """Who is at the other end, once it has introduced itself."""
        self._limits = limits
        self._threads = threads
        self._slots = asyncio.Semaphore(limits.threads)
        self._requests: dict[int, asyncio.Task[None]] = {}
        self._answers: deque[bytes] = deque()
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._backlogs: dict[str, _Backlog] = {}
        # Topics of the events that wait, in the order in which they were told.
        self._turns: deque[str] = deque()
        self._awake = False
        self._something = asyncio.Event()
        self._nothing = asyncio.Event()
        self._nothing.set()

    async def run(self) -> None:
        """Serve the client until it leaves or breaks the rules."""
        writing: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(self._limits.hello):
                await self._greet()
            writing = asyncio.create_task(self._write())
            while (data := await read_frame(self._reader, self._limits.maximum, self._limits.frame)) is not None:
                self._handle(data)
        except (WireError, TimeoutError) as error:
            told = error if isinstance(error, WireError) else WireError("The client did not introduce itself in time.")
            _logger.warning("A connection is closed: %s", told)
            self._last_word(told)
        except ConnectionError as error:
            _logger.debug("A client is gone: %s", error)
        finally:
            for task in [*self._requests.values(), *([writing] if writing else [])]:
                task.cancel()
            await self._close()

    def follows(self, topic: str) -> bool:
        """Whether the client wants these events."""
        return topic in self._backlogs

    def push(self, topic: str, value: msgspec.Raw) -> None:
        """Queue an event, at the cost of the oldest when the client is slow; from any thread."""
        with self._lock:
            backlog = self._backlogs.get(topic)
            if backlog is None:
                return
            if len(backlog.values) >= backlog.limit:
                # The newer one takes the older one's turn.
                backlog.values.popleft()
                backlog.lost += 1
            else:
                self._turns.append(topic)
            backlog.values.append(value)
            if self._awake:
                return
            self._awake = True
        self._from_thread(self._wake)

    async def flush(self, timeout: float) -> None:
        """Wait until the client took everything, at most ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._nothing.wait()
        except TimeoutError:
            _logger.debug("A client did not take its last messages.")

    async def _greet(self) -> None:
        data = await read_frame(self._reader, self._limits.maximum, self._limits.frame)
        if data is None:
            raise ConnectionResetError("it left without a word")
        hello = from_client(data)
        if not isinstance(hello, Hello) or hello.magic != MAGIC:
            raise WireError("A client must introduce itself first.")
        if hello.version != VERSION:
            raise WireError(
                f"This server speaks version {VERSION} of the protocol, the client version {hello.version}.",
                hint="Use the same version of Firstlight on both sides.",
            )
        try:
            self._role = min(self._role, Role(hello.role))
        except ValueError as error:
            raise WireError(f"{hello.role} is not a role.") from error
        self.caller = Caller(self._peer, self._role)
        self._writer.write(frame(Welcome(VERSION, self._role)))
        await self._writer.drain()

    async def _close(self) -> None:
        self._writer.close()
        try:
            async with asyncio.timeout(FAREWELL):
                await self._writer.wait_closed()
        except TimeoutError:
            self._writer.transport.abort()
        except ConnectionError as error:
            _logger.debug("A client is gone: %s", error)

    def _handle(self, data: bytes) -> None:
        match from_client(data):
            case Request(number=number) as request:
                if number <= 0 or number in self._requests:
                    raise WireError(f"Request number {number} cannot be used (again).")
                if len(self._requests) + len(self._answers) >= self._limits.requests:
                    raise WireError(f"More than {self._limits.requests} requests wait for an answer.")
                task = asyncio.create_task(self._answer(request))
                self._requests[number] = task
                task.add_done_callback(lambda _: self._requests.pop(number, None))
            case Cancel(number=number):
                if number in self._requests:
                    self._requests[number].cancel()
            case Subscribe() as wish:
                self._subscribe(wish)
            case Hello():
                raise WireError("A client introduces itself once.")

    def _subscribe(self, wish: Subscribe) -> None:
        with self._lock:
            if not wish.on:
                self._backlogs.pop(wish.topic, None)
                self._turns = deque(topic for topic in self._turns if topic != wish.topic)
            elif wish.topic not in self._backlogs:
                if len(self._backlogs) >= self._limits.topics:
                    raise WireError(f"A client may follow {self._limits.topics} topics at most.")
                self._backlogs[wish.topic] = _Backlog(self._limits.backlog)
        self._say(Reply(wish.number, msgspec.Raw(pack(None))))

    async def _answer(self, request: Request) -> None:
        answer: ServerMessage
        try:
            value = await self._call(request)
            answer = Reply(request.number, msgspec.Raw(pack(value)))
            self._say(answer)
        except FirstlightError as error:
            self._say(failure(request.number, error))
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            self._say(failure(request.number, WireError(f"{request.method} was cancelled where it ran.")))
        except Exception as error:
            _logger.exception("%s failed.", request.method)
            told = WireError(
                f"{request.method} failed: {type(error).__name__}: {error}.",
                hint="This is a fault of the program; its traceback is in the log of the process that serves.",
            )
            self._say(failure(request.number, told))

    async def _call(self, request: Request) -> Any:
        handler = find(self._methods, request.method)
        if self._role < handler.role:
            raise WireError(
                f"{request.method} needs the role {handler.role.name}; this connection has {self._role.name}."
            )
        arguments = handler.validate(unpack(request.arguments))
        assert self.caller is not None
        with answering(self.caller):
            if handler.is_async:
                return await handler.function(**arguments)
            context = copy_context()
        await self._slots.acquire()
        done = self._threads.submit(context.run, partial(handler.function, **arguments))
        # A thread cannot be cancelled: its slot is free when it has returned, not when nobody waits any more.
        done.add_done_callback(lambda _: self._from_thread(self._slots.release))
        return await asyncio.wrap_future(done)

    def _say(self, message: ServerMessage) -> None:
        self._answers.append(frame(message, self._limits.maximum))
        self._wake()

    def _last_word(self, error: WireError) -> None:
        try:
            self._writer.write(frame(failure(0, error)))
        except (ConnectionError, RuntimeError):
            _logger.debug("The client did not hear why it is dismissed.")

    def _wake(self) -> None:
        self._nothing.clear()
        self._something.set()

    def _from_thread(self, function: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:
            _logger.debug("The server has ended; its client needs nothing any more.")

    async def _write(self) -> None:
        """Answers before events, since somebody waits for them; each as fast as the client takes it."""
        try:
            while True:
                await self._something.wait()
                self._something.clear()
                while data := self._next():
                    self._writer.write(data)
                    await self._writer.drain()
                self._nothing.set()
        except ConnectionError:
            # The reader sees the same end.
            self._nothing.set()

    def _next(self) -> bytes | None:
        if self._answers:
            return self._answers.popleft()
        with self._lock:
            if not self._turns:
                self._awake = False
                return None
            topic = self._turns.popleft()
            backlog = self._backlogs[topic]
            event = Event(topic, backlog.values.popleft(), backlog.lost)
            backlog.lost = 0
        return frame(event)
