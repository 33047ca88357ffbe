"""The shell in a terminal: IPython with the session's names."""

from __future__ import annotations

from typing import Any

from firstlight.shell._completion import toolbar
from firstlight.shell._desk import Desk
from firstlight.shell._face import SessionFace
from firstlight.shell._ipython import Attached


def interact(session: SessionFace, *, log: bool = True) -> None:
    """Talk to a user until they leave; the session is left to the caller.

    :param log: whether what is typed goes to the dataset's electronic log.
    """
    from IPython.terminal.interactiveshell import TerminalInteractiveShell
    from IPython.terminal.prompts import Prompts
    from pygments.token import Token
    from traitlets.config import Config

    class Prompt(Prompts):
        """The session's name and the number of the input."""

        def in_prompt_tokens(self) -> list[tuple[Any, str]]:
            number = str(self.shell.execution_count)
            return [(Token.Prompt, f"{session.name} ["), (Token.PromptNum, number), (Token.Prompt, "]: ")]

        def out_prompt_tokens(self) -> list[tuple[Any, str]]:
            return []

    config = Config()
    config.TerminalInteractiveShell.prompts_class = Prompt
    config.TerminalInteractiveShell.confirm_exit = False
    config.TerminalInteractiveShell.term_title_format = f"firstlight: {session.name}"
    config.TerminalInteractiveShell.banner1 = ""
    config.TerminalInteractiveShell.separate_in = ""
    config.TerminalInteractiveShell.enable_tip = False
    config.TerminalInteractiveShell.colors = "linux"
    config.HistoryManager.enabled = True
    shell: Any = TerminalInteractiveShell.instance(config=config)
    desk = Desk(session, log=log)
    attached = Attached(shell, desk)
    if getattr(shell, "pt_app", None) is not None:
        shell.pt_app.bottom_toolbar = lambda: toolbar(
            desk, shell.pt_app.default_buffer.document.current_line_before_cursor, attached.namespace.commands
        )
    desk.say(f"This is {session.name}. Type help for the commands, Ctrl-D to leave.")
    write = shell.displayhook.write_format_data

    def written(data: dict[str, Any], *more: Any) -> None:
        # What was displayed already is an empty text, and needs no line of its own.
        if data.get("text/plain", "?"):
            write(data, *more)

    shell.displayhook.write_format_data = written
    try:
        shell.mainloop()
    finally:
        attached.detach()
        TerminalInteractiveShell.clear_instance()
