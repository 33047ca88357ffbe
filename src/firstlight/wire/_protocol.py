"""The messages and their frames.

A frame is its length, four bytes little-endian, and one message: a msgpack array whose first element names its kind.
Values inside a message stay packed until its addressee is known, so that an unreadable value spoils one request and not
the connection.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NoReturn

import msgspec

from firstlight.model import InvalidInput, WireError

VERSION = 1
"""Of the protocol; both ends must have the same."""

MAGIC = "firstlight"

MAXIMUM = 64 << 20
"""Bytes of a frame that a server or client accepts unless told otherwise; frames of detectors go by the buffer."""

FRAME_TIMEOUT = 10.0
"""Seconds within which a frame must be complete once it has begun."""

HEADER = 4


class Role(IntEnum):
    """What a connection may do; each role may also do what the lower ones may."""

    VIEW = 1
    """Look."""
    OPERATE = 2
    """Move, measure, change."""
    TERMINAL = 3
    """What only somebody at the machine may: end processes, run code."""


class Hello(msgspec.Struct, array_like=True, tag="hello"):
    """First message of a client."""

    magic: str
    version: int
    role: int


class Welcome(msgspec.Struct, array_like=True, tag="welcome"):
    """First message of a server.

    :param role: what it granted.
    """

    version: int
    role: int


class Request(msgspec.Struct, array_like=True, tag="request"):
    """Call a method; ``number`` is chosen by the client and comes back with the answer."""

    number: int
    method: str
    arguments: msgspec.Raw


class Cancel(msgspec.Struct, array_like=True, tag="cancel"):
    """The client does not want the answer to that request any more; it gets none."""

    number: int


class Subscribe(msgspec.Struct, array_like=True, tag="subscribe"):
    """Events of a topic from now on, or no longer; answered like a request."""

    number: int
    topic: str
    on: bool


class Reply(msgspec.Struct, array_like=True, tag="reply"):
    """The value that a method returned."""

    number: int
    value: msgspec.Raw


class Failure(msgspec.Struct, array_like=True, tag="failure"):
    """A request that failed; number 0: the whole connection did, and is closed.

    :param kinds: names of the error's class and its bases, nearest first.
    :param details: further plain attributes of the error.
    """

    number: int
    kinds: list[str]
    message: str
    hint: str = ""
    details: dict[str, str | int | float | bool | None] = {}


class Event(msgspec.Struct, array_like=True, tag="event"):
    """Something happened.

    :param lost: number of events of this topic that this client missed just before, because it was too slow.
    """

    topic: str
    value: msgspec.Raw
    lost: int


ClientMessage = Hello | Request | Cancel | Subscribe
ServerMessage = Welcome | Reply | Failure | Event

_encoder = msgspec.msgpack.Encoder()
_client_decoder = msgspec.msgpack.Decoder(ClientMessage)
_server_decoder = msgspec.msgpack.Decoder(ServerMessage)


def frame(message: ClientMessage | ServerMessage, maximum: int = MAXIMUM) -> bytes:
    """A message ready to be sent.

    :raises InvalidInput: when it is larger than ``maximum`` bytes.
    """
    data = _encoder.encode(message)
    if len(data) > maximum:
        raise InvalidInput(
            f"A message of {len(data)} bytes is larger than the {maximum} that the wire carries.",
            hint="Large arrays go through the buffer.",
        )
    return struct.pack("<I", len(data)) + data


def length(header: bytes, maximum: int) -> int:
    """Bytes that follow the header.

    :raises WireError: more than ``maximum``, or none.
    """
    count: int = struct.unpack("<I", header)[0]
    if not 0 < count <= maximum:
        raise WireError(
            f"A frame announces {count} bytes; between 1 and {maximum} are allowed.",
            hint="The other side may not speak Firstlight's protocol.",
        )
    return count


def from_client(data: bytes) -> ClientMessage:
    """Decode what a client sent.

    :raises WireError: when it is no message.
    """
    try:
        message: ClientMessage = _client_decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        _unreadable(error)
    return message


def from_server(data: bytes) -> ServerMessage:
    """Decode what a server sent.

    :raises WireError: when it is no message.
    """
    try:
        message: ServerMessage = _server_decoder.decode(data)
    except (msgspec.MsgspecError, RecursionError) as error:
        _unreadable(error)
    return message


def _unreadable(error: Exception) -> NoReturn:
    raise WireError(f"A frame is no message of Firstlight's protocol: {error}.") from error
