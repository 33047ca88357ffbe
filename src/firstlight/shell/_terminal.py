"""The shell in a terminal: IPython with the session's names."""

from __future__ import annotations

from functools import partial
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

    desk = Desk(session, log=log)

    class Shell(TerminalInteractiveShell):
        """Goes on whenever Ctrl-C comes: also before an input is understood, or after it has ended."""

        def prompt_for_code(self) -> str:
            plain: Any = super()
            text: str = plain.prompt_for_code()
            if self.pt_app is not None and _typed_ahead(self.pt_app.input):
                raise KeyboardInterrupt
            return text

        def interact(self) -> None:
            plain: Any = super()
            while True:
                try:
                    plain.interact()
                    return
                except KeyboardInterrupt:
                    desk.say("Interrupted.", style="bold red")

    config = Config()
    config.TerminalInteractiveShell.prompts_class = Prompt
    config.TerminalInteractiveShell.confirm_exit = False
    config.TerminalInteractiveShell.term_title_format = f"firstlight: {session.name}"
    config.TerminalInteractiveShell.banner1 = ""
    config.TerminalInteractiveShell.separate_in = ""
    config.TerminalInteractiveShell.enable_tip = False
    config.TerminalInteractiveShell.colors = "linux"
    config.HistoryManager.enabled = True
    shell: Any = Shell.instance(config=config)
    attached = Attached(shell, desk)
    if getattr(shell, "pt_app", None) is not None:
        shell.pt_app.bottom_toolbar = lambda: toolbar(
            desk, shell.pt_app.default_buffer.document.current_line_before_cursor, attached.namespace.commands
        )
        # At the prompt Ctrl-C is a key; a signal that comes as it ends is for what was typed, not for the prompt.
        shell.pt_app.prompt = partial(shell.pt_app.prompt, handle_sigint=False)
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
        Shell.clear_instance()


def _typed_ahead(typed: Any) -> bool:
    """Whether Ctrl-C followed so closely upon Enter that the terminal took it for a key of the next input.

    :param typed: prompt_toolkit's input; other keys stay there.
    """
    import select

    from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
    from prompt_toolkit.keys import Keys

    keys = get_typeahead(typed)
    with typed.raw_mode():
        if select.select([typed.fileno()], [], [], 0.0)[0]:
            keys += typed.read_keys()
    pressed = any(key.key == Keys.ControlC for key in keys)
    if not pressed:
        store_typeahead(typed, keys)
    return pressed
