"""What people type: the commands, IPython with the session's names, scripts, and the same in Jupyter."""

from firstlight.shell._desk import Desk, Display
from firstlight.shell._namespace import Namespace
from firstlight.shell._notebook import load_ipython_extension, notebook, unload_ipython_extension
from firstlight.shell._script import ScriptFailed, readable, run_script
from firstlight.shell._start import open_session
from firstlight.shell._terminal import interact

__all__ = [
    "Desk",
    "Display",
    "Namespace",
    "ScriptFailed",
    "interact",
    "load_ipython_extension",
    "notebook",
    "open_session",
    "readable",
    "run_script",
    "unload_ipython_extension",
]
