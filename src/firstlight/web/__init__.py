"""What people see in a browser: the server of pages and data, started by shell and demo or by ``firstlight web``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from firstlight.web._app import create_app
    from firstlight.web._server import PORT, Links, WebServer, free_port, serve, spec
    from firstlight.web._servers import servers
    from firstlight.web._settings import WebSettings

_HOMES = {
    "PORT": "_server",
    "Links": "_server",
    "WebServer": "_server",
    "WebSettings": "_settings",
    "create_app": "_app",
    "free_port": "_server",
    "serve": "_server",
    "servers": "_servers",
    "spec": "_server",
}

__all__ = ["PORT", "Links", "WebServer", "WebSettings", "create_app", "free_port", "serve", "servers", "spec"]


def __getattr__(name: str) -> Any:
    # FastAPI takes a third of a second to import; who only starts the process needs none of it.
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"firstlight.web.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'firstlight.web' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
