"""The saver process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firstlight.process import ChildContext


def main(
    context: ChildContext,
    buffer: str,
    session: str = "",
    options: Mapping[str, Any] | None = None,
    socket: str | None = None,
) -> None:
    """Target of the process: one saver for one session, or for all runs of one buffer.

    :param buffer: root of the buffer.
    :param session: whose runs it saves, and those that nobody else saves; all runs when empty.
    :param options: of :class:`~firstlight.storage.SaverOptions`.
    :param socket: where to serve; by default the private address of the saver of this buffer.
    :raises Conflict: when another saver serves this session, or this buffer.
    """
    from firstlight.buffer import Buffer
    from firstlight.storage._options import SaverOptions
    from firstlight.storage._service import Saver, saver_address
    from firstlight.wire import Server

    chosen = SaverOptions.model_validate(dict(options or {}))
    held = Buffer(Path(buffer))
    path = Path(socket) if socket else saver_address(session, held.root)
    saver = Saver(held, chosen, context.log, session=session)
    server = Server(saver, path).start()
    try:
        context.ready(socket=str(path))
        saver.follow(context.stopping.is_set)
    finally:
        server.stop()
