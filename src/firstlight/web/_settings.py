"""What the server is told when it starts."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from firstlight.model import InvalidInput

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - names to compare with


@dataclass(frozen=True, slots=True)
class WebSettings:
    """How and where the server listens, and what it may show.

    :param bind: address of this machine to listen at; any but loopback needs TLS, or ``insecure``.
    :param port: 0 takes a free one.
    :param certificate: file of the TLS certificate, with its chain.
    :param key: file of its key.
    :param insecure: whoever starts it knows that passwords and data cross the network in the clear.
    :param prefix: path below which everything lives, behind a proxy: ``/fl``.
    :param hosts: names by which browsers may call it, besides those of loopback.
    :param origins: other origins by which browsers may call it and whose pages may act, ``https://beamline.example``:
        behind a proxy. Links lead to the first.
    :param roots: folders whose data may be read; those of the sessions that run are added.
    :param buffer: root of the memory buffer; the machine's default when empty.
    :raises InvalidInput: what does not fit together.
    """

    bind: str = "127.0.0.1"
    port: int = 0
    certificate: str = ""
    key: str = ""
    insecure: bool = False
    prefix: str = ""
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    buffer: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise InvalidInput(f"{self.port} is no port.", hint="Ports go from 1 to 65535; 0 takes a free one.")
        if bool(self.certificate) is not bool(self.key):
            raise InvalidInput("TLS needs a certificate and its key.", hint="Name both files, or none.")
        for file in filter(None, (self.certificate, self.key)):
            if not Path(file).is_file():
                raise InvalidInput(f"There is no file {file}.", hint="Name the certificate and its key.")
        if self.prefix and (not self.prefix.startswith("/") or self.prefix.endswith("/")):
            raise InvalidInput(f"{self.prefix!r} is no prefix.", hint="Begin with a slash and end without: /fl")
        for origin in self.origins:
            _origin(origin)
        if not self.loopback and not self.certificate and not self.insecure:
            raise InvalidInput(
                f"{self.bind} can be reached from other machines, and nothing would be encrypted.",
                hint="Give --certificate and --key, or say --insecure if a tunnel or a proxy protects it.",
            )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.bind).is_loopback
        except ValueError:
            return self.bind == "localhost"

    @property
    def scheme(self) -> str:
        """Of its addresses."""
        return "https" if self.certificate else "http"

    def names(self) -> frozenset[str]:
        """Names, without a port, by which browsers may call it."""
        own = () if self.loopback else (socket.gethostname() if self.bind in EVERYWHERE else self.bind,)
        proxies = (_origin(origin)[1] for origin in self.origins)
        return frozenset(name.lower() for name in (*LOOPBACK, *own, *self.hosts, *proxies))

    def encrypted(self, host: str) -> bool:
        """Whether browsers that call the server by this name reach it over TLS, of its own or of a proxy.

        :param host: as in the header ``Host``.
        """
        return self.scheme == "https" or any(_origin(origin) == ("https", _name(host)) for origin in self.origins)

    def to_json(self) -> dict[str, Any]:
        """Plain values, for another process."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_json`."""
        known = {field.name: data[field.name] for field in fields(cls) if field.name in data}
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in known.items()}
        return cls(**values)


def _origin(text: str) -> tuple[str, str]:
    """Scheme and name of an origin."""
    try:
        parts = urlsplit(text)
        name, _ = parts.hostname, parts.port
    except ValueError:
        parts, name = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not name or parts.path.strip("/") or parts.query or parts.username:
        raise InvalidInput(f"{text!r} is no origin.", hint="Write it without a path: https://beamline.example")
    return parts.scheme, _name(parts.netloc)


def _name(host: str) -> str:
    """Without the port, as browsers send it."""
    name = urlsplit(f"//{host}").hostname or ""
    return f"[{name}]" if ":" in name else name
