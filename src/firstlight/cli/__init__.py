"""The ``firstlight`` command: what people touch when no experiment runs, and the demo."""

from firstlight.cli._app import main

__all__ = ["main"]
