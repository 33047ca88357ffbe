"""A service to talk to, and one face for both clients, so that the same tests hold for both."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from firstlight.model import DeviceTimeout, FirstlightError, MissingExtra, StorageFull
from firstlight.wire import AsyncClient, AsyncEvents, Client, Events, Role, Server, Service, method

_T = TypeVar("_T")


class Followed(Protocol):
    lost: int

    def get(self, timeout: float | None = None) -> Any: ...

    def close(self) -> None: ...

    def all(self) -> list[Any]:
        """Everything until the end."""


class Connected(Protocol):
    role: Role

    @property
    def closed(self) -> bool: ...

    def call(self, method: str, /, timeout: float | None = None, **arguments: Any) -> Any: ...

    def events(self, topic: str, callback: Callable[[Any], None] | None = None, *, backlog: int = 256) -> Followed: ...

    def close(self) -> None: ...


Connect = Callable[..., Connected]


@pytest.fixture
def socket_path() -> Iterator[Path]:
    """A path for a socket that is short enough wherever the tests run."""
    folder = Path(tempfile.mkdtemp(prefix="fl-"))
    yield folder / "s"
    shutil.rmtree(folder)


class CustomFailure(DeviceTimeout):
    """Known here only, when the other side forgets it."""


class Desk(Service):
    """Something of everything."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.waiting = threading.Event()
        self.go_on = threading.Event()

    @method(Role.VIEW)
    async def echo(self, value: Any = None) -> Any:
        return value

    @method()
    def plain(self, number: int) -> str:
        return f"{number} in {threading.current_thread().name}"

    @method(Role.TERMINAL)
    def end(self) -> str:
        return "the end"

    @method()
    async def fail(self, how: str) -> None:
        raise {
            "timeout": DeviceTimeout("cam", "frame 3 did not come.", hint="Look at the trigger."),
            "custom": CustomFailure("cam", "custom."),
            "full": StorageFull("No room left."),
            "extra": MissingExtra("fabio", "images"),
            "base": FirstlightError("Something."),
            "bug": ZeroDivisionError("by nothing"),
            "cancelled": asyncio.CancelledError(),
        }[how]

    @method()
    async def repeat(self, text: str, times: int) -> str:
        return text * times

    @method()
    async def bad_value(self) -> object:
        return object()

    @method()
    async def wait_for_ever(self) -> None:
        self.waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()

    @method()
    def block(self) -> str:
        self.waiting.set()
        self.go_on.wait(30)
        return "went on"

    @method()
    async def tell(self, topic: str, values: list[Any]) -> None:
        for value in values:
            self.emit(topic, value)


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.go_on.set()


@pytest.fixture
def server(desk: Desk, socket_path: Path) -> Iterator[Server]:
    with Server(desk, socket_path) as server:
        yield server


class _SyncEvents:
    def __init__(self, events: Events) -> None:
        self._events = events
        self.get = events.get
        self.close = events.close

    @property
    def lost(self) -> int:
        return self._events.lost

    def all(self) -> list[Any]:
        return list(self._events)


class _Sync(Client):
    def events(self, *arguments: Any, **options: Any) -> Any:
        return _SyncEvents(super().events(*arguments, **options))


class _Loop:
    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, what: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(30)

    def end(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


class _AsyncEventsHere:
    def __init__(self, loop: _Loop, events: AsyncEvents) -> None:
        self._loop = loop
        self._events = events

    @property
    def lost(self) -> int:
        return self._events.lost

    def get(self, timeout: float | None = None) -> Any:
        return self._loop.run(self._events.get(timeout))

    def close(self) -> None:
        self._loop.run(self._events.close())

    def all(self) -> list[Any]:
        async def gather() -> list[Any]:
            return [value async for value in self._events]

        return self._loop.run(gather())


class _Async:
    """The asynchronous client, called from outside its loop."""

    def __init__(self, loop: _Loop, *arguments: Any, **options: Any) -> None:
        self._loop = loop
        self._client = AsyncClient(*arguments, **options)
        loop.run(self._client.connect())

    @property
    def role(self) -> Role:
        return self._client.role

    @property
    def closed(self) -> bool:
        return self._client.closed

    def call(self, method: str, /, timeout: float | None = None, **arguments: Any) -> Any:
        return self._loop.run(self._client.call(method, timeout=timeout, **arguments))

    def events(self, *arguments: Any, **options: Any) -> Any:
        return _AsyncEventsHere(self._loop, self._loop.run(self._client.events(*arguments, **options)))

    def close(self) -> None:
        self._loop.run(self._client.close())


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Make clients of either kind; they are closed at the end."""
    made: list[Connected] = []
    loop = _Loop() if request.param == "async" else None

    def make(path: Path, **options: Any) -> Connected:
        client: Any = _Sync(path, **options) if loop is None else _Async(loop, path, **options)
        made.append(client)
        return client  # type: ignore[no-any-return]

    yield make
    for client in made:
        client.close()
    if loop is not None:
        loop.end()
