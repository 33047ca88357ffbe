"""Targets that the tests run in child processes."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from firstlight.process import ChildContext


def serve(context: ChildContext, **arguments: Any) -> None:
    context.ready(pid=os.getpid(), group=os.getpgid(0), session=os.getsid(0), nice=os.nice(0), arguments=arguments)
    context.stopping.wait()
    sys.stdout.write("the last word\n")


def serve_and_note(context: ChildContext, notes: str) -> None:
    """Append the name when it ends, so that an order can be seen."""
    context.ready()
    context.stopping.wait()
    with Path(notes).open("a") as file:
        file.write(f"{context.name}\n")


def return_at_once(context: ChildContext) -> None:
    context.ready(done=True)


def raise_before_ready(context: ChildContext) -> None:
    sys.stderr.write("so far so good\n")
    raise RuntimeError("the cable is loose")


def raise_for_people(context: ChildContext) -> None:
    from firstlight.model import InvalidInput

    raise InvalidInput("There is no such beamline.", hint="Try fl01.")


def exit_three(context: ChildContext) -> None:
    context.ready()
    sys.exit(3)


def ignore_the_request(context: ChildContext) -> None:
    context.ready()
    threading.Event().wait()


def never_ready(context: ChildContext) -> None:
    context.stopping.wait()


def die_once(context: ChildContext, mark: str) -> None:
    """Ready, then killed, the first time; healthy the second time."""
    path = Path(mark)
    first = not path.exists()
    path.touch()
    context.ready(life=1 if first else 2)
    if first:
        os.kill(os.getpid(), signal.SIGKILL)
    context.stopping.wait()


def die_always(context: ChildContext) -> None:
    context.ready()
    os.kill(os.getpid(), signal.SIGSEGV)


def talk(context: ChildContext, lines: int) -> None:
    for line in range(lines):
        context.log.info("line %d %s", line, "x" * 100)
    os.write(2, b"straight to the descriptor\n")
    context.ready()
    context.stopping.wait()


def list_descriptors(context: ChildContext) -> None:
    links = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            links[entry.name] = str(entry.readlink())
        except FileNotFoundError:  # the descriptor of the listing itself
            continue
    context.ready(links=links)
    context.stopping.wait()


def list_modules(context: ChildContext) -> None:
    context.ready(modules=sorted(sys.modules))


def parent_of_others(context: ChildContext, logs: str, survive: bool, mark: str) -> None:
    """A middle process that supervises one child itself."""
    from firstlight.process import ProcessSpec, Supervisor

    with Supervisor("middle", Path(logs)) as supervisor:
        child = supervisor.spawn(
            ProcessSpec("inner", "process_targets:note_the_end", {"mark": mark}, survive_parent=survive)
        )
        context.ready(inner=child.wait_ready()["pid"])
        context.stopping.wait()


def parent_of_a_deaf_child(context: ChildContext, logs: str) -> None:
    from firstlight.process import ProcessSpec, Supervisor

    with Supervisor("middle", Path(logs)) as supervisor:
        child = supervisor.spawn(ProcessSpec("inner", "process_targets:ignore_the_request", stop_timeout=0.3))
        child.wait_ready()
        context.ready(inner=child.pid)
        context.stopping.wait()


def note_the_end(context: ChildContext, mark: str) -> None:
    context.ready(pid=os.getpid())
    context.stopping.wait()
    Path(mark).write_text("ended in order")


def spawn_from_a_short_thread(context: ChildContext, logs: str) -> None:
    """The thread that asks for a child ends at once; the child must not take that for the death of its parent."""
    from firstlight.process import Child, ProcessSpec, Supervisor

    with Supervisor("middle", Path(logs)) as supervisor:
        made: list[Child] = []
        thread = threading.Thread(
            target=lambda: made.append(supervisor.spawn(ProcessSpec("inner", "process_targets:serve")))
        )
        thread.start()
        thread.join()
        made[0].wait_ready()
        context.ready()
        context.stopping.wait()
        assert made[0].exit_code is None


def fork_a_heir(context: ChildContext) -> None:
    """A grandchild inherits everything, the socket to the parent included, and outlives this process."""
    if (heir := os.fork()) == 0:
        signal.pause()
    context.ready(heir=heir)
    os._exit(5)
