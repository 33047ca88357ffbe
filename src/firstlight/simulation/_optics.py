"""A chain of optical elements: from the source to any place of the beamline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import InvalidInput, NotFound
from firstlight.simulation._state import BeamState
from firstlight.simulation._undulator import Undulator

Positions = Mapping[str, NDArray[np.float64]]


class Element(Protocol):
    """Something in the beam: a pure function of the beam and of the positions of what moves it."""

    @property
    def UNITS(self) -> Mapping[str, str]:  # noqa: N802 - a constant of most classes
        """What axes can move, by the words of :meth:`apply`, and the unit it wants them in; a class may say so."""

    @property
    def name(self) -> str:
        """Unique in its chain."""

    @property
    def distance(self) -> float:
        """From the source, m."""

    def apply(self, beam: BeamState, at: Positions) -> BeamState:
        """The beam behind it.

        :param beam: at its place, n moments.
        :param at: positions (n,) of what moves, by the words of :attr:`UNITS`, in its units; what no axis moves is
            missing. A shutter finds ``open``.
        """

    def truth(self) -> Mapping[str, Any]:
        """What the user has to find, JSON values, with their units under ``name@units``."""


@dataclass(frozen=True)
class Optics:
    """A source and what follows it, sorted by the distance.

    :param source: the undulator.
    :param elements: in any order.
    """

    source: Undulator
    elements: Sequence[Element] = ()
    _places: Mapping[str, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ordered = tuple(sorted(self.elements, key=lambda element: element.distance))
        places = {element.name: element.distance for element in ordered}
        if len(places) < len(ordered) or self.source.name in places:
            raise InvalidInput("Two elements of a beamline have the same name.", hint="Give each its own name.")
        if ordered and ordered[0].distance <= self.source.distance:
            raise InvalidInput(f"{ordered[0].name} stands before the source.", hint="Distances are in m from it.")
        object.__setattr__(self, "elements", ordered)
        object.__setattr__(self, "_places", places)

    def place(self, where: str | float) -> float:
        """Distance of an element, or the distance itself, m.

        :raises NotFound: when there is no such element.
        """
        if not isinstance(where, str):
            return float(where)
        if where not in self._places:
            raise NotFound(f"The beamline has no element {where!r}.", hint=f"There are: {', '.join(self._places)}.")
        return self._places[where]

    def element(self, name: str) -> Element:
        """An element by its name.

        :raises NotFound: when there is none.
        """
        self.place(name)
        return next(element for element in self.elements if element.name == name)

    def before(self, where: str | float) -> list[Element]:
        """The elements that the beam passes on its way to a place; what stands there is not one of them."""
        distance = self.place(where)
        return [element for element in self.elements if element.distance < distance]

    def beam(
        self,
        moments: ArrayLike,
        at: Mapping[str, Positions],
        where: str | float,
        *,
        current: ArrayLike = 1.0,
        orbit: ArrayLike = 0.0,
    ) -> BeamState:
        """The beam as it arrives at a place.

        :param moments: (n,), s.
        :param at: by the name of an element, positions of what moves it.
        :param where: an element, or a distance in m.
        :param current: of the ring, (n,), mA.
        :param orbit: of the electrons at the source, (4, n): x, x', y, y' in mm and mrad.
        """
        moments = np.atleast_1d(np.asarray(moments, dtype=np.float64))
        orbit = np.broadcast_to(np.asarray(orbit, dtype=np.float64), (4, len(moments)))
        beam = self.source.emit(moments, at.get(self.source.name, {}), current, orbit)
        for element in self.before(where):
            beam = element.apply(beam.drift(element.distance), at.get(element.name, {}))
        return beam.drift(self.place(where))

    def truth(self) -> dict[str, Any]:
        """Everything that the user has to find, by element; those that hide nothing are left out."""
        found = {self.source.name: dict(self.source.truth())}
        found |= {element.name: dict(element.truth()) for element in self.elements}
        return {name: truth for name, truth in found.items() if truth}
