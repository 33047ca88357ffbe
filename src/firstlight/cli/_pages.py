"""The pages beside a session: started with it, and named in its terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.cli._print import say

if TYPE_CHECKING:
    from firstlight.session import Session
    from firstlight.web import Links


def open_pages(session: Session) -> Links | None:
    """Start the web server of a session, and say where to look; None when that cannot be.

    It is a process of its own: it slows no scan, it starts again when it fails, and nothing else ends with it.
    """
    from firstlight.model import FirstlightError
    from firstlight.web import Links, WebSettings, free_port, spec

    try:
        settings = WebSettings(port=free_port(), roots=(str(session.data),), buffer=str(session.buffer.root))
        session.supervisor.spawn(spec(settings))
        return Links.of(settings)
    except FirstlightError as error:
        say(f"The pages could not be started: {error}")
        return None


def pages_of(buffer: Path) -> str:
    """What to say of the pages of sessions that run elsewhere: where they are, or how to have them.

    :param buffer: root of their buffer.
    """
    from firstlight.model import FirstlightError
    from firstlight.web import Links, servers

    try:
        for settings in servers(buffer):
            return f"Live in the browser: {Links.of(settings).operate}"
    except FirstlightError as error:
        return f"The pages cannot be found: {error}"
    return "No pages are served now; to have them: firstlight web"
