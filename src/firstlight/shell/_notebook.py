"""The same names in Jupyter, and in any IPython that runs already."""

from __future__ import annotations

from typing import Any

from firstlight.model import Conflict, InvalidInput
from firstlight.shell._desk import Desk
from firstlight.shell._face import SessionFace
from firstlight.shell._ipython import Attached

_attached: dict[int, Attached] = {}


def notebook(session: SessionFace, *, log: bool = True) -> None:
    """Bring the commands and devices of a session into this notebook.

    ::

        import firstlight
        from firstlight.shell import notebook
        session = firstlight.simulated()
        notebook(session)

    :param log: whether what is run goes to the dataset's electronic log.
    :raises Conflict: outside of IPython and Jupyter.
    """
    attach(_running(), session, log=log)


def attach(shell: Any, session: SessionFace, *, log: bool = True) -> Attached:
    """Bring a session's names into an IPython shell; the session before it leaves."""
    detach(shell)
    made = Attached(shell, Desk(session, log=log))
    _attached[id(shell)] = made
    return made


def detach(shell: Any) -> None:
    """Take the names away again; the session stays as it is."""
    before = _attached.pop(id(shell), None)
    if before is not None:
        before.detach()


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext firstlight.shell``: the session that the notebook has made, under whatever name."""
    from firstlight.session import Session

    known = {id(thing): thing for thing in shell.user_ns.values() if isinstance(thing, Session)}
    if len(known) != 1:
        raise InvalidInput(
            f"There are {len(known)} sessions in this notebook.",
            hint="Make one before: session = firstlight.simulated(); or call firstlight.shell.notebook(session).",
        )
    attach(shell, next(iter(known.values())))


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext firstlight.shell``."""
    detach(shell)


def _running() -> Any:
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        raise Conflict("This is no notebook.", hint="Use it in Jupyter or IPython, or start 'firstlight shell'.")
    return shell
