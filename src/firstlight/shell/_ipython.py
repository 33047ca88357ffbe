"""What a shell adds to IPython, in a terminal as in a notebook: names, typing, completion, errors, display."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from firstlight.model import RunAborted
from firstlight.scanning import held
from firstlight.shell import _errors, _logs
from firstlight.shell._completion import matcher
from firstlight.shell._desk import Desk
from firstlight.shell._listing import told
from firstlight.shell._namespace import Namespace
from firstlight.shell._typing import Typing


class Attached:
    """A desk in an IPython shell; :meth:`detach` takes everything away again.

    :param shell: IPython's ``InteractiveShell``.
    """

    def __init__(self, shell: Any, desk: Desk) -> None:
        self.desk = desk
        self._shell = shell
        self.namespace = Namespace(desk, shell.user_ns)
        # What is ours is not the user's: %who lists what the user made.
        shell.user_ns_hidden.update(desk.names)
        self._typing = Typing(self.namespace.commands, lambda: shell.user_ns)
        shell.input_transformers_cleanup.append(self._typing)
        self._matcher = matcher(desk, self.namespace.commands)
        shell.Completer.custom_matchers.insert(0, self._matcher)
        # Our own matcher knows devices; jedi would guess, slowly.
        self._jedi = shell.Completer.use_jedi
        shell.Completer.use_jedi = False
        shell.set_custom_exc((BaseException,), self._failed)
        self._formatter = shell.display_formatter.formatters["text/plain"]
        shell.display_formatter.formatters["text/plain"] = _formatter(self._formatter, desk)
        self._error = ""
        self._events: dict[str, Callable[..., None]] = {"pre_run_cell": self._begin, "post_run_cell": self._end}
        for name, callback in self._events.items():
            shell.events.register(name, callback)
        self._handler = _logs.listen(desk)

    def detach(self) -> None:
        """Leave IPython as it was."""
        shell = self._shell
        for name, callback in self._events.items():
            shell.events.unregister(name, callback)
        shell.display_formatter.formatters["text/plain"] = self._formatter
        shell.set_custom_exc((), None)
        shell.Completer.custom_matchers.remove(self._matcher)
        shell.Completer.use_jedi = self._jedi
        shell.input_transformers_cleanup.remove(self._typing)
        for name, value in self.desk.names.items():
            if shell.user_ns.get(name) is value:
                del shell.user_ns[name]
        _logs.forget(self._handler)
        self.desk.close()

    def _begin(self, info: Any) -> None:
        self._error = ""
        self.desk.begin(info.raw_cell or "")

    def _end(self, result: Any) -> None:
        # The input is over: a Ctrl-C that comes now has nothing to stop.
        with suppress(KeyboardInterrupt), held():
            self.desk.finish(result.result, self._error)
            self.desk.shown = None
            for name in self.namespace.refresh():
                meant = "command" if name in self.namespace.commands else "device"
                self.desk.say(
                    f"{name} is yours now, no longer the {meant}; 'del {name}' gives it back.", style="yellow"
                )

    def _failed(
        self, shell: Any, kind: type[BaseException], error: BaseException, trace: Any, tb_offset: Any = None
    ) -> None:
        with suppress(KeyboardInterrupt), held():
            if isinstance(error, KeyboardInterrupt) and self.desk.session.abort(mine=True):
                error = RunAborted("Interrupted; what this shell had set going is being stopped.")
            self._error = str(_errors.show(self.desk, error))


def _formatter(plain: Any, desk: Desk) -> Any:
    from IPython.core.formatters import PlainTextFormatter

    class Telling(PlainTextFormatter):
        """Prints what things tell of themselves; nothing of a run that was just displayed."""

        def __call__(self, thing: Any) -> Any:
            if thing is desk.shown:
                return "" if desk.terminal else repr(thing)
            if not isinstance(thing, type) and hasattr(type(thing), "__info__"):
                return told(thing)
            return super().__call__(thing)

    made = Telling(parent=plain.parent)
    for trait in ("singleton_printers", "type_printers", "deferred_printers"):
        setattr(made, trait, getattr(plain, trait))
    return made
