"""Starting a process that lives on by itself when this one has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from firstlight.process._child import Child
from firstlight.process._spec import ProcessSpec, Restart


def detach(spec: ProcessSpec, log: Path, timeout: float = 60.0) -> tuple[int, Mapping[str, Any]]:
    """Start a process in a terminal session of its own, and leave it when it is ready.

    :param log: its log file; the folder is made when absent.
    :param timeout: seconds until it must be ready.
    :returns: its process number, and what it said when it was ready.
    :raises ProcessError: it was not ready; with the last lines of its log. It does not live on then.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    child = Child(replace(spec, survive_parent=True, restart=Restart.NEVER), log)
    child.begin()
    try:
        info = child.wait_ready(timeout)
    except BaseException:
        child.stop()
        raise
    assert child.pid is not None
    return child.pid, info
