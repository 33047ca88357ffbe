"""Targets of the guard's tests: a session to be killed, and stops that write down that they were called."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def note(path: str, word: str) -> None:
    """A stop that works."""
    with Path(path).open("a") as file:
        file.write(word + "\n")


_failures = {"left": 2}


def works_at_last(path: str) -> None:
    """A stop that works the third time."""
    if _failures["left"]:
        _failures["left"] -= 1
        raise ConnectionError("busy")
    note(path, "at last")


def never_works() -> None:
    raise ConnectionError("the controller is off")


def hangs(path: str) -> None:
    time.sleep(1000)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def session(root: str, spill: str, lock: str, logs: str, way: str) -> None:
    """Move an axis with the shutter open, guarded, and wait to be killed (or end as told)."""
    from firstlight.buffer import Buffer
    from firstlight.devices import Axis, Surroundings
    from firstlight.devices.sim import SharedBoard, SimAxis, SimShutter
    from firstlight.model import RunInfo
    from firstlight.process import Supervisor
    from firstlight.scanning import Devices, Engine, SessionLock, flyscan, guard_process

    held = SessionLock(Path(lock))
    buffer = Buffer(Path(root), spill=Path(spill))
    member = buffer.create_run(RunInfo(name="devices", title="devices", start_epoch=time.time()))
    board = SharedBoard(member, Path(root))
    around = Surroundings(board=board)
    rot = Axis(
        SimAxis(
            "rot", velocity=10.0, acceleration=20.0, board=board, out_of_band=around.out_of_band("stop_axis", "rot")
        )
    )
    fast = SimShutter("fast", board=board, out_of_band=around.out_of_band("close_shutter", "fast"))
    devices = Devices.of([rot, fast])
    supervisor = Supervisor("session", Path(logs))
    guard = supervisor.spawn(guard_process(Path(lock), devices))
    guard.wait_ready(30)
    engine = Engine(buffer, devices, readers=())

    def tell(event: object) -> None:
        if rot.moving and fast.is_open and rot.position > 0:
            say(json.dumps({"guard": guard.pid, "devices": member.key}))

    engine.listeners.append(tell)
    future = engine.submit(flyscan("rot", 0, 5000, 100000, 0.01))
    sys.stdin.readline()
    if way == "orderly":
        engine.abort()
        future.result()
        engine.close()
        held.goodbye()
        say("said goodbye")
        # Dies without ending its children: the guard has the lock now, and must do nothing.
        sys.stdin.readline()


if __name__ == "__main__":
    session(*sys.argv[1:])
