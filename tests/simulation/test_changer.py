from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.simulation import (
    AbsorptionScan,
    BeamState,
    EdgePlate,
    EdgeSample,
    GrowingFilm,
    Mounted,
    Part,
    PointChanger,
    Profile,
    SceneChanger,
    Shadow,
    at_slot,
    bare,
    tooth,
)

FOIL = EdgePlate("foil", 40.0, EdgeSample(thickness=8.0))


class Even:
    """A scene that lights each pixel with its share of the photons."""

    inputs: Mapping[str, str] = {"x": "mm"}

    def __init__(self, share: float, shape: tuple[int, int] = (2, 3)) -> None:
        self.share, self.shape = share, shape

    def light(self, parts: Sequence[Part]) -> NDArray[np.float32]:
        return np.full(self.shape, sum(self.share * part.photons for part in parts), dtype=np.float32)

    def truth(self) -> dict[str, Any]:
        return {"share": self.share}


def beam(n: int) -> BeamState:
    one = np.ones(n)
    profile = Profile(0 * one, 0 * one, one, 0 * one, -np.inf * one, np.inf * one)
    energies, fluxes = np.tile([9.1, 18.2], (n, 1)), np.full((n, 2), 1e10)
    return BeamState(one, energies, fluxes, one, profile, profile)


def test_a_sample_is_in_the_beam_near_its_slot() -> None:
    assert at_slot([1.8, 2.0, 2.2, 2.5, 3.0], 2.0).tolist() == [True, True, True, False, False]


def test_the_beam_passes_beside_an_element_whose_slot_is_not_in() -> None:
    mounted, before = Mounted(FOIL, 2.0), beam(3)
    behind = mounted.apply(before, {"changer": np.array([1.0, 2.0, 2.5])})
    inside = FOIL.apply(before, {})
    np.testing.assert_array_equal(behind.fluxes[[0, 2]], before.fluxes[[0, 2]])
    np.testing.assert_array_equal(behind.fluxes[1], inside.fluxes[1])
    # What looks at the beam's spectrum sees the foil in one of the moments, too.
    passed = [one(before.energies) for one in behind.filters]
    assert len(passed) == 1
    np.testing.assert_allclose(passed[0][[0, 2]], 1.0)
    np.testing.assert_allclose(passed[0][1], inside.filters[-1](before.energies)[1])


def test_an_element_is_all_in_or_all_out_when_nothing_moves() -> None:
    assert Mounted(FOIL, 0.0).apply(beam(2), {}).flux[0] == FOIL.apply(beam(2), {}).flux[0]
    assert Mounted(FOIL, 1.0).apply(beam(2), {}).flux[0] == beam(2).flux[0]


def test_a_mounted_element_is_moved_and_known_as_before() -> None:
    shadow = Shadow("tooth", 145.0, tooth(), (0.1, 0.0))
    mounted = Mounted(shadow, 3.0)
    assert (mounted.name, mounted.distance, bare(mounted)) == ("tooth", 145.0, shadow)
    assert mounted.UNITS == {"rotation": "deg", "lateral": "mm", "height": "mm", "changer": ""}
    assert mounted.truth() == {**shadow.truth(), "slot": 3.0}


def test_a_detector_sees_the_scene_whose_slot_is_in_and_between_slots_none() -> None:
    changer = SceneChanger({1.0: Even(0.1), 4.0: Even(0.5)})
    parts = [Part(10.0, 12.0, {"changer": slot}, {"changer": slot}) for slot in (1.0, 2.5, 4.0, 4.0)]
    np.testing.assert_allclose(changer.light(parts), 1.0 + 5.0 + 5.0)
    assert not changer.light(parts[1:2]).any()
    assert changer.light([]).shape == (2, 3)
    assert changer.inputs == {"changer": "", "x": "mm"}
    assert changer.truth()["samples"]["slot_4"] == {"share": 0.5}


def test_a_changer_holds_samples_before_one_detector() -> None:
    with pytest.raises(InvalidInput, match="same detector"):
        SceneChanger({0.0: Even(1.0), 1.0: Even(1.0, (4, 4))})
    with pytest.raises(InvalidInput, match="needs samples"):
        PointChanger({})


def test_a_counter_sees_the_sample_whose_slot_is_in() -> None:
    film, foil = GrowingFilm(start=20.0), AbsorptionScan(EdgeSample(thickness=8.0))
    changer = PointChanger({0.0: film, 1.0: foil})
    energy = np.array([8.9, 8.9, 9.1])
    at = {"theta": np.full(3, 0.5), "two_theta": np.full(3, 1.0), "changer": np.array([0.0, 1.0, 0.5])}
    seen = changer.response(energy, at)
    assert seen[0] == pytest.approx(film.response(energy, {k: at[k] for k in ("theta", "two_theta")})[0])
    assert seen[1] == pytest.approx(foil.response(energy, {})[1])
    assert seen[2] == 0.0
    assert set(changer.inputs) == {"changer", *film.inputs, *foil.inputs}
    assert set(changer.truth()["samples"]) == {"slot_0", "slot_1"}
