"""A server in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

from firstlight.process import ChildContext
from firstlight.wire import Role, Server, Service, method


class Clock(Service):
    @method(Role.VIEW)
    async def process(self) -> int:
        return os.getpid()

    @method()
    async def tick(self) -> None:
        self.emit("tick", "tock")


def serve(context: ChildContext, path: str) -> None:
    with Server(Clock(), Path(path)):
        context.ready(socket=path)
        context.stopping.wait()
