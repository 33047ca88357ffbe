"""Savers that die where they are told to: started by ``test_kill.py``, one line of JSON a saver.

Everything is imported once; each saver is a fork of this still single-threaded process, so that one costs milliseconds.
A saver dies by SIGKILL at the n-th time it reaches the point: before the call, after it, or in the middle of what it
writes. At the point ``inside`` this process is told, which kills it a random moment later, while HDF5 is at work.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py

from firstlight.buffer import RetainingReader, RunReader
from firstlight.process import ChildContext
from firstlight.storage import _framefile, _journal, _runfile, _runsaver, _salvage, _saver, _service  # noqa: F401

POINTS: dict[str, tuple[Any, str]] = {
    "journal": (_journal, "_write"),
    "payload": (_framefile, "_pwrite"),
    "flush": (h5py.File, "flush"),
    "close": (h5py.File, "close"),
    "create": (_runfile.RunFile, "_create"),
    "rename": (Path, "replace"),
    "unlink": (Path, "unlink"),
    "finish": (_runfile, "finish_entry"),
    "mark": (RunReader, "mark_closed"),
    "release": (RetainingReader, "release"),
    "verify": (_runsaver, "_verify"),
    "salvage": (_salvage, "_copy"),
    "link": (_runfile, "link_frames"),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str, when: str, nth: int, tell: int) -> None:
    owner, name = POINTS[point]
    real: Callable[..., Any] = getattr(owner, name)
    left = nth

    def patched(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        left -= 1
        if left:
            return real(*args, **kwargs)
        if when == "before":
            die()
        if when == "half":  # of the bytes that are to be written
            fd, data, *rest = args
            half = memoryview(data).cast("B")[: len(memoryview(data).cast("B")) // 2]
            real(fd, half, *rest)
            die()
        if when == "inside":
            os.write(tell, b"!")
        found = real(*args, **kwargs)
        if when == "after":
            die()
        return found

    setattr(owner, name, patched)


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        order = json.loads(line)
        heard, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(heard)
            arm(order["point"], order["when"], order["nth"], tell)
            _saver.main(ChildContext("saver"), order["root"], options=order["options"], socket=order["socket"])
            os._exit(0)
        os.close(tell)
        os.set_blocking(heard, False)
        say("born")
        deadline = time.monotonic() + order["patience"]
        dice = random.Random(order["seed"])
        died = "there"
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            try:
                told = bool(os.read(heard, 1))
            except BlockingIOError:
                told = False
            if told:
                time.sleep(dice.random() * order["spread"])
            if told or time.monotonic() > deadline:
                died = "there" if told else "elsewhere"
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                break
            time.sleep(0.0005)
        os.close(heard)
        say(died)


if __name__ == "__main__":
    main()
