"""Frames over asyncio streams, for the server and the asynchronous client."""

from __future__ import annotations

import asyncio

from firstlight.model import WireError
from firstlight.wire._protocol import FRAME_TIMEOUT, HEADER, length


async def read_frame(reader: asyncio.StreamReader, maximum: int, timeout: float = FRAME_TIMEOUT) -> bytes | None:
    """The next frame; None when the other side closed the connection between two.

    :param timeout: seconds within which a frame must be complete once it has begun.
    :raises WireError: announced too large, cut, or too slow.
    """
    try:
        first = await reader.read(1)
        if not first:
            return None
        async with asyncio.timeout(timeout):
            header = first + await reader.readexactly(HEADER - 1)
            return await reader.readexactly(length(header, maximum))
    except asyncio.IncompleteReadError as error:
        raise WireError("The connection ended in the middle of a frame.") from error
    except TimeoutError as error:
        raise WireError(f"A frame was not complete {timeout:g} s after it had begun.") from error
    except ConnectionError:
        # A reset is how an end looks when the other side left something unread.
        return None
