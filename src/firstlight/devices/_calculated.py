"""Axes that are calculated from others, as whoever moves axes sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from firstlight.devices._axis import Axis


@runtime_checkable
class Assembly(Protocol):
    """A device that is no axis itself and brings some: slits with ``gap`` and ``offset``.

    The axes are called ``name.part``.
    """

    name: str

    @property
    def axes(self) -> Mapping[str, Axis]:
        """Part to axis."""


class Calculated(Protocol):
    """What stands behind one or several calculated axes."""

    @property
    def reals(self) -> Sequence[str]:
        """Names of the axes it calculates from, which may be calculated themselves."""

    def moved(self) -> Sequence[str]:
        """Names of those that it moves at present."""

    def targets(self, wanted: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
        """User positions of the axes that have to move.

        :param wanted: some of the calculated axes, by name, to user positions of one shape; the others stay.
        :raises LimitError: for positions that no real axes stand for.
        """

    @property
    def follows(self) -> bool:
        """Whether the real axes follow the relation on the way, so that the calculated axis moves them itself."""

    def stops(self, name: str, target: float) -> NDArray[np.float64]:
        """Positions of one calculated axis where it comes to rest on its way to ``target``, that one included.

        :raises LimitError: when there is no such way.
        """

    def linear(self, name: str, start: float, stop: float) -> bool:
        """Whether the real axes move in proportion while this one goes from ``start`` to ``stop``."""
