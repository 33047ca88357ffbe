"""The one typed request, reply and event protocol between processes, on a local socket."""

from __future__ import annotations

from firstlight.wire._async_client import AsyncClient, AsyncEvents
from firstlight.wire._caller import Caller, caller
from firstlight.wire._client import Client, Events
from firstlight.wire._failure import WireTimeout
from firstlight.wire._protocol import Role
from firstlight.wire._server import Server
from firstlight.wire._service import Service, method
from firstlight.wire._socket import Peer, address, served
from firstlight.wire._values import pack, register, unpack

__all__ = [
    "AsyncClient",
    "AsyncEvents",
    "Caller",
    "Client",
    "Events",
    "Peer",
    "Role",
    "Server",
    "Service",
    "WireTimeout",
    "address",
    "caller",
    "method",
    "pack",
    "register",
    "served",
    "unpack",
]
