"""A sample changer: what stands in the beam only while an axis is at its slot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import InvalidInput
from firstlight.simulation._part import Part, PointSample, Scene
from firstlight.simulation._state import BeamState

if TYPE_CHECKING:
    from firstlight.simulation._optics import Element

CHANGER = "changer"
"""The word by which samples ask for the position of their changer."""

REACH = 0.25
"""How far from its slot a sample is still in the beam."""


def at_slot(positions: ArrayLike, slot: float) -> NDArray[np.bool_]:
    """Whether the sample of a slot is in the beam, at positions of the changer."""
    return np.asarray(np.abs(np.asarray(positions, dtype=np.float64) - slot) < REACH)


@dataclass(frozen=True, slots=True)
class Mounted:
    """An element of a beamline on a changer: the beam passes beside it while another slot is in.

    :param element: one that takes away photons; it does not turn the beam.
    :param slot: position of the changer at which it is in the beam.
    """

    element: Element
    slot: float

    @property
    def UNITS(self) -> Mapping[str, str]:  # noqa: N802 - a constant of most classes
        """Those of the element, and the changer."""
        return {**self.element.UNITS, CHANGER: ""}

    @property
    def name(self) -> str:
        """Of the element."""
        return self.element.name

    @property
    def distance(self) -> float:
        """Of the element."""
        return self.element.distance

    def apply(self, beam: BeamState, at: Mapping[str, NDArray[np.float64]]) -> BeamState:
        """The beam behind it.

        :param at: positions of the element's own words and of ``changer``, (n,); slot 0 is in when nothing moves it.
        """
        inside = np.broadcast_to(at_slot(at.get(CHANGER, np.float64(0.0)), self.slot), beam.moments.shape)
        if not inside.any():
            return beam
        after = self.element.apply(beam, at)
        if inside.all():
            return after
        new = after.filters[len(beam.filters) :]
        filters = (*beam.filters, *(_only_where(inside[:, None], one) for one in new))
        return replace(beam, fluxes=np.where(inside[:, None], after.fluxes, beam.fluxes), filters=filters)

    def truth(self) -> dict[str, Any]:
        """Of the element, and its slot."""
        return {**self.element.truth(), "slot": self.slot}


def bare(element: Element) -> Element:
    """An element itself, on a changer or not."""
    return element.element if isinstance(element, Mounted) else element


class SceneChanger:
    """Scenes before one area detector, one of which is in the beam.

    :param scenes: by their slots, all of one shape.
    """

    def __init__(self, scenes: Mapping[float, Scene]) -> None:
        if not scenes or len({scene.shape for scene in scenes.values()}) > 1:
            raise InvalidInput("A changer needs samples, all before the same detector.")
        self.scenes = dict(scenes)
        self.shape = next(iter(self.scenes.values())).shape
        self.inputs: Mapping[str, str] = {
            CHANGER: "", **{name: unit for scene in self.scenes.values() for name, unit in scene.inputs.items()}
        }  # fmt: skip

    def light(self, parts: Sequence[Part]) -> NDArray[np.float32]:
        """Expected photons in each pixel: those of the parts in which a slot is in."""
        total: NDArray[np.float32] | None = None
        for slot, scene in self.scenes.items():
            seen = [part for part in parts if at_slot(part.middle(CHANGER), slot)]
            if seen:
                light = scene.light(seen)
                total = light if total is None else total + light
        return np.zeros(self.shape, np.float32) if total is None else total

    def truth(self) -> dict[str, Any]:
        """What is true of each sample, by its slot."""
        return {"samples": {f"slot_{slot:g}": scene.truth() for slot, scene in self.scenes.items()}}


class PointChanger:
    """Samples before one point detector, one of which is in the beam.

    :param samples: by their slots.
    """

    def __init__(self, samples: Mapping[float, PointSample]) -> None:
        if not samples:
            raise InvalidInput("A changer needs samples.")
        self.samples = dict(samples)
        self.inputs: Mapping[str, str] = {
            CHANGER: "", **{name: unit for sample in self.samples.values() for name, unit in sample.inputs.items()}
        }  # fmt: skip

    def response(self, energy: NDArray[np.float64], at: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Photons at the detector per photon on the changer, (n,).

        :param energy: of the photons, keV, (n,).
        :param at: positions (n,) by the name of the input; slot 0 is in when nothing moves the changer.
        """
        total = np.zeros(len(energy))
        for slot, sample in self.samples.items():
            inside = np.broadcast_to(at_slot(at.get(CHANGER, np.float64(0.0)), slot), total.shape)
            if inside.any():
                own = {name: values for name, values in at.items() if name in sample.inputs}
                total += np.where(inside, sample.response(energy, own), 0.0)
        return total

    def truth(self) -> dict[str, Any]:
        """What is true of each sample, by its slot."""
        return {"samples": {f"slot_{slot:g}": sample.truth() for slot, sample in self.samples.items()}}


def _only_where(
    inside: NDArray[np.bool_], transmission: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    return lambda energies: np.where(inside, transmission(energies), 1.0)
