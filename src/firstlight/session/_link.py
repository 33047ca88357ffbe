"""The connection of a client to a session: made again when the session was started again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from firstlight.model import WireError
from firstlight.session._facts import AxisFacts
from firstlight.wire import Client, Role


class Link:
    """One client's connection.

    :param name: of the session, for errors.
    :param topics: events that it follows, and what is called with each.
    :param attached: called after each connection, in the thread that asked for something.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        role: Role,
        label: str,
        topics: Mapping[str, Callable[[Any], None]],
        attached: Callable[[], None],
    ) -> None:
        self._path = path
        self._name = name
        self._asked = role
        self._label = label
        self._topics = dict(topics)
        self._attached = attached
        self._lock = threading.RLock()
        self._learning = threading.Lock()
        self._closed = False
        self.axes: dict[str, AxisFacts] = {}
        """What is known of each axis."""
        self._client: Client | None = None
        self.role = role
        """What was granted."""
        self.number = 0
        """By which the session knows this client."""

    @property
    def lost(self) -> bool:
        """Whether the session is not connected now."""
        return self._client is None or self._client.closed

    def ensure(self) -> Client:
        """The connection; made anew when it was lost.

        :raises WireError: when the session is gone.
        """
        client = self._client
        if client is not None and not client.closed:
            return client
        with self._lock:
            if self._client is not None and not self._client.closed:
                return self._client
            if self._closed:
                raise WireError(f"This client has left the session {self._name}.", hint="Connect again.")
            try:
                client = Client(self._path, role=self._asked)
            except WireError as error:
                raise WireError(
                    f"The session {self._name} is gone.",
                    hint="Start it again with: firstlight session start; this client then finds it by itself.",
                ) from error
            self.number = client.call("introduce", label=self._label).number
            for topic, callback in self._topics.items():
                client.events(topic, callback)
            self.role = client.role
            self._client = client
            self._attached()
            return client

    def call(self, method: str, timeout: float | None = None, **arguments: Any) -> Any:
        """Call a method of the session.

        :param timeout: seconds; infinite for what may take its time.
        :raises WireError: when the session is gone, or its answer is late.
        """
        client = self.ensure()
        try:
            return client.call(method, timeout, **arguments)
        except WireError as error:
            if client.closed and not self._closed:
                raise WireError(
                    f"The session {self._name} ended before it answered.",
                    hint="What it was asked may or may not have been done; start it again to see.",
                ) from error
            raise

    def learn(self, axes: Mapping[str, AxisFacts]) -> None:
        """Take note of axes; what was read earlier than what is known is old."""
        with self._learning:
            for name, facts in axes.items():
                known = self.axes.get(name)
                if known is None or facts.serial >= known.serial:
                    self.axes[name] = facts

    def look_again(self, axis: str) -> AxisFacts:
        """Ask for one axis now."""
        facts: AxisFacts = self.call("axis", name=axis)
        self.learn({axis: facts})
        return facts

    def close(self) -> None:
        """Leave; idempotent."""
        self._closed = True
        if self._client is not None:
            self._client.close()
