"""Where frames go that nobody wants to keep."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import ChannelSpec


class Scratch:
    """One frame, written again and again; to the acquisition it looks like a ring of which nobody reads."""

    slots = 1
    dropped = 0

    def __init__(self, spec: ChannelSpec) -> None:
        self.spec = spec
        self._memory: NDArray[Any] = np.empty(spec.shape, np.dtype(spec.dtype))
        self._count = 0

    def slot(self, timeout: float | None = None) -> NDArray[Any]:
        """Where the next frame goes: always the same place."""
        return self._memory[...]

    def commit(self) -> int:
        """One more frame came; how many did."""
        self._count += 1
        return self._count

    def seal(self, reason: str = "") -> None:
        """Nothing to end."""
