from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from firstlight.model import InvalidInput
from firstlight.simulation import (
    Geometry,
    Part,
    SingleCrystal,
    SingleCrystalSettings,
    crystal_structure,
)

ENERGY = 17.0
WAVELENGTH = 12.398419843 / ENERGY
GEOMETRY = Geometry((300, 320), (0.5, 0.5), 120.0, (140.0, 170.0), (3.0, -4.0, 2.0))


def make(material: str = "Al2O3", **settings: Any) -> SingleCrystal:
    return SingleCrystal(
        crystal_structure(material), GEOMETRY, SingleCrystalSettings(**({"background": 0.0, "size": 0.001} | settings))
    )


def turned(axis: np.ndarray[Any, Any], degrees: float, vector: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A right-handed turn by quaternions."""
    half = np.radians(degrees) / 2.0
    w, u = np.cos(half), np.sin(half) * axis
    return vector + 2.0 * np.cross(u, np.cross(u, vector) + w * vector)


@pytest.mark.parametrize("axis", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.8, 0.5, 0.1)])
def test_predicted_spots_come_back_to_integer_indices(axis: tuple[float, float, float]) -> None:
    """From the pixel and the angle alone, as an indexing program does."""
    crystal = make(axis=axis)
    found = crystal.reflections(ENERGY)
    assert len(found) > 200
    direction = np.array(axis) / np.linalg.norm(axis)
    for reflection in found[::7]:
        p1 = (reflection["row"] - 140.0) * 0.5
        p2 = (reflection["column"] - 170.0) * 0.5
        ray = GEOMETRY.rotation @ np.array([p1, p2, 120.0])
        q = (ray / np.linalg.norm(ray) - np.array([0.0, 0.0, 1.0])) / WAVELENGTH
        hkl = np.linalg.solve(crystal.ub, turned(direction, -float(reflection["omega"]), q))
        np.testing.assert_allclose(hkl, reflection["hkl"], atol=1e-6)


def test_two_theta_is_that_of_bragg() -> None:
    crystal = make()
    found = crystal.reflections(ENERGY)
    spacing = crystal.structure.lattice.spacing(found["hkl"])
    np.testing.assert_allclose(2.0 * np.degrees(np.arcsin(WAVELENGTH / (2.0 * spacing))), found["two_theta"], rtol=1e-9)


def test_zeta_is_how_fast_a_reflection_passes_the_sphere() -> None:
    """The distance from the Ewald sphere, in angle of the reflection, changes by ζ dω."""
    crystal = make()
    found = crystal.reflections(ENERGY)[::11]
    axis, step = np.array([1.0, 0.0, 0.0]), 1e-4
    for reflection in found:
        q0 = crystal.ub @ reflection["hkl"]
        off = []
        for omega in (reflection["omega"] - step, reflection["omega"] + step):
            q = turned(axis, float(omega), q0)
            s = q + np.array([0.0, 0.0, 1.0]) / WAVELENGTH
            off.append(np.linalg.norm(s) - 1.0 / WAVELENGTH)
        rate = abs(off[1] - off[0]) / np.radians(2.0 * step)
        sine = np.sin(np.radians(reflection["two_theta"]))
        # Turning q about the normal of the scattering plane moves it through the sphere by sin 2θ / λ per radian.
        assert rate / (sine / WAVELENGTH) == pytest.approx(float(reflection["zeta"]), rel=1e-3)


def test_all_frames_of_a_turn_together_hold_every_photon_of_a_reflection() -> None:
    crystal = make(mosaicity=0.3)
    found = crystal.reflections(ENERGY)
    edges = np.linspace(-20.0, 340.0, 1441)
    total = sum(crystal.fractions(found, a, b) * np.radians(b - a) for a, b in pairwise(edges.tolist()))
    np.testing.assert_allclose(total, 1.0, atol=2e-4)


def test_standing_still_is_the_limit_of_a_slow_turn() -> None:
    crystal = make(mosaicity=0.3)
    found = crystal.reflections(ENERGY)
    at = float(found["omega"][len(found) // 2])
    still, slow = crystal.fractions(found, at + 0.05, at + 0.05), crystal.fractions(found, at + 0.0499, at + 0.0501)
    np.testing.assert_allclose(still, slow, rtol=1e-4, atol=1e-6)
    assert crystal.fractions(found, at - 0.2, at + 0.2)[len(found) // 2] > 0
    np.testing.assert_allclose(crystal.fractions(found, 2.0, 3.0), crystal.fractions(found, 3.0, 2.0))


def test_the_mosaicity_is_the_width_of_the_rocking_curve() -> None:
    crystal = make(mosaicity=0.2)
    found = crystal.reflections(ENERGY)
    k = int(np.argmax(found["zeta"]))
    omega = float(found["omega"][k])
    half = 0.1 / float(found["zeta"][k])
    top, side = (float(crystal.fractions(found, at, at)[k]) for at in (omega, omega + half))
    assert side / top == pytest.approx(0.5, rel=1e-6)


def test_spots_of_a_frame_lie_where_they_are_predicted_and_hold_their_photons() -> None:
    crystal = make(spot=1.0, mosaicity=0.1)
    found = crystal.reflections(ENERGY)
    inside = (found["row"] > 12) & (found["row"] < 288) & (found["column"] > 12) & (found["column"] < 308)
    bright = int(np.argmax(np.where(inside & (found["zeta"] > 0.5), found["strength"], 0.0)))
    first, last = float(found["omega"][bright]) - 0.2, float(found["omega"][bright]) + 0.1
    image = crystal.light([Part(1e12, ENERGY, {"omega": first}, {"omega": last})])
    photons = crystal.fractions(found, first, last) * found["strength"] * 1e12
    assert float(image.sum()) == pytest.approx(float(photons.sum()), rel=0.05)
    row, column = float(found["row"][bright]), float(found["column"][bright])
    r, c = round(row), round(column)
    near = np.hypot(found["row"] - row, found["column"] - column)
    assert not ((near > 0.1) & (near < 15.0) & (photons > 0.01 * photons[bright])).any()
    window = image[r - 7 : r + 8, c - 7 : c + 8].astype(np.float64)
    rows, columns = np.mgrid[r - 7 : r + 8, c - 7 : c + 8]
    assert float((window * rows).sum() / window.sum()) == pytest.approx(row, abs=0.02)
    assert float((window * columns).sum() / window.sum()) == pytest.approx(column, abs=0.02)
    assert float(window.sum()) == pytest.approx(float(photons[bright]), rel=2e-3)


def test_the_strength_follows_from_darwins_formula_in_other_units() -> None:
    crystal = make()
    found = crystal.reflections(ENERGY)
    one = found[int(np.argmax(found["strength"]))]
    intensity = float(crystal.structure.intensities(one["hkl"][None, :].astype(np.int64), ENERGY)[0])
    radius, length, volume = 2.8179403262e-15, WAVELENGTH * 1e-10, crystal.structure.lattice.volume * 1e-30
    sine = np.sin(np.radians(one["two_theta"]))
    polarisation = float(one["strength"]) / (
        radius**2 * length**3 * intensity / volume**2 * 1e-6 / (sine * one["zeta"])
    )
    assert np.cos(np.radians(one["two_theta"])) ** 2 <= polarisation <= 1.0


def test_a_moved_detector_and_another_energy_move_the_spots() -> None:
    crystal = make()
    near, far = crystal.reflections(ENERGY, 120.0), crystal.reflections(ENERGY, 240.0)
    assert len(far) < len(near)
    assert len(crystal.reflections(25.0)) > len(near)


def test_truth_gives_the_orientation_matrix() -> None:
    crystal = make()
    truth = crystal.truth()
    np.testing.assert_allclose(np.array(truth["u"]) @ np.array(truth["u"]).T, np.eye(3), atol=1e-12)
    expected = np.array(truth["u"]) @ crystal.structure.lattice.b_matrix()
    np.testing.assert_allclose(np.array(truth["ub"]), expected)
    with pytest.raises(InvalidInput, match="mosaicity"):
        SingleCrystalSettings(mosaicity=0.0)
    with pytest.raises(InvalidInput, match="direction"):
        SingleCrystalSettings(axis=(0.0, 0.0, 0.0))
