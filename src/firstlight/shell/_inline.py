"""What a notebook shows of a run: a line that tells how far it is, and its curve as a picture."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from firstlight.shell._picture import picture

if TYPE_CHECKING:
    from firstlight.shell._plot import Curve


class Line:
    """One line of a cell's output that changes in place."""

    def __init__(self) -> None:
        display: Any = _ipython().display
        self._last = ""
        self._handle: Any = display({"text/plain": ""}, raw=True, display_id=True)

    def tell(self, text: str) -> None:
        """Show another text."""
        if text != self._last:
            self._last = text
            self._handle.update({"text/plain": text}, raw=True)


def show(curve: Curve) -> None:
    """Put a picture of a curve into the cell's output.

    :raises InvalidInput: when it has no finite point.
    """
    memory = BytesIO()
    picture(curve, memory)
    shown = _ipython()
    shown.display(shown.Image(data=memory.getvalue(), format="png"))


def _ipython() -> Any:
    # Its functions have no types.
    import IPython.display

    return IPython.display
