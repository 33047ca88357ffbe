from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.model import InvalidInput
from firstlight.simulation import GONIOMETERS, Diffractometer, crystal_structure

ENERGY = 12.4
turn = st.floats(-180.0, 180.0)


def make(goniometer: str = "fourcv", **settings: Any) -> Diffractometer:
    return Diffractometer(crystal_structure("Si"), goniometer, **({"background": 0.0} | settings))


def scan(d: Diffractometer, at: dict[str, float], name: str, offsets: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    moved = {circle: np.full(len(offsets), angle) for circle, angle in at.items()}
    moved[name] = moved[name] + offsets
    return d.response(np.full(len(offsets), ENERGY), moved)


@given(
    orientation=st.tuples(turn, turn, turn),
    hkl=st.sampled_from([(1, 1, 1), (2, 2, 0), (-1, 1, 3), (0, 0, 4), (3, -3, 1)]),
    goniometer=st.sampled_from(sorted(GONIOMETERS)),
)
def test_the_bisecting_angles_bring_a_reflection_to_the_detector(
    orientation: tuple[float, float, float], hkl: tuple[int, int, int], goniometer: str
) -> None:
    d = make(goniometer, orientation=orientation)
    at = d.angles(hkl, ENERGY)
    np.testing.assert_allclose(d.hkl([ENERGY], at)[0], hkl, atol=1e-9)
    omega, _, _, tth = d.goniometer.bisecting
    spacing = float(d.structure.lattice.spacing(hkl))
    assert at[tth] == pytest.approx(2.0 * math.degrees(math.asin(12.398419843 / ENERGY / (2.0 * spacing))), abs=1e-7)
    assert at[omega] == pytest.approx(at[tth] / 2.0)


def test_the_rotations_of_the_four_circle_are_those_of_busing_and_levy() -> None:
    """Their eqs. 46-48 turn coordinates: with z vertical they are rotations about -z; here the circle's axis is -x.

    In the frame (x', y', z') = (y, -z, -x) of the present one, ω, φ and 2θ turn about +z' and χ about +x'.
    """
    d = make("fourcv")
    change = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
    omega, chi, phi = (math.radians(a) for a in (20.0, 35.0, -50.0))

    def about(axis: int, angle: float) -> np.ndarray[Any, Any]:
        c, s = math.cos(angle), math.sin(angle)
        if axis == 2:
            return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])
        return np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])

    turned = change.T @ about(2, omega) @ about(0, chi) @ about(2, phi) @ change
    at = {"omega": np.array([20.0]), "chi": np.array([35.0]), "phi": np.array([-50.0]), "tth": np.array([40.0])}
    out = change.T @ about(2, math.radians(40.0)) @ np.array([1.0, 0.0, 0.0])
    q = turned.T @ (out - np.array([0.0, 1.0, 0.0])) * ENERGY / 12.398419843320026
    np.testing.assert_allclose(d.ub @ d.hkl([ENERGY], at)[0], q, atol=1e-12)


def test_both_goniometers_see_the_same_reflections() -> None:
    four, six = make("fourcv"), make("psic")
    a, b = four.angles((2, 2, 0), ENERGY), six.angles((2, 2, 0), ENERGY)
    assert a["tth"] == pytest.approx(b["delta"])
    assert scan(four, a, "omega", np.zeros(1)) == pytest.approx(scan(six, b, "eta", np.zeros(1)))
    assert six.goniometer.circles == ("mu", "eta", "chi", "phi", "nu", "delta")


def test_a_rocking_curve_has_the_mosaicity_and_the_photons_of_darwins_formula() -> None:
    d = make(mosaicity=0.1, size=0.002, orientation=(10.0, 20.0, 30.0))
    at = d.angles((2, 2, 0), ENERGY)
    offsets = np.linspace(-0.4, 0.4, 1601)
    curve = scan(d, at, "omega", offsets)
    inside = offsets[curve >= 0.5 * curve.max()]
    assert inside[-1] - inside[0] == pytest.approx(0.1, abs=1.1e-3)
    intensity = float(d.structure.intensities(np.array([[2, 2, 0]]), ENERGY)[0])
    length, volume = 12.398419843e-10 / ENERGY, (5.431144e-10) ** 3
    expected = 2.8179403262e-15**2 * length**3 * intensity / volume**2 * 2e-6 / math.sin(math.radians(at["tth"]))
    integral = float(curve.sum()) * math.radians(offsets[1] - offsets[0])
    assert integral == pytest.approx(expected, rel=1e-4)


def test_a_radial_scan_has_the_resolution() -> None:
    d = make(resolution=2e-3)
    at = d.angles((4, 0, 0), ENERGY)
    offsets = np.linspace(-0.2, 0.2, 801)
    moved = {name: np.full(801, angle) for name, angle in at.items()}
    moved["tth"] = moved["tth"] + offsets
    moved["omega"] = moved["omega"] + 0.5 * offsets
    curve = d.response(np.full(801, ENERGY), moved)
    inside = offsets[curve >= 0.5 * curve.max()]
    theta = math.radians(at["tth"] / 2)
    assert inside[-1] - inside[0] == pytest.approx(2.0 * math.degrees(2e-3 * math.tan(theta)), abs=1.1e-3)


def test_dials_that_are_off_are_a_misalignment_to_find() -> None:
    true, wrong = make(), make(offsets={"omega": 0.5, "tth": -0.2})
    at = true.angles((1, 1, 1), ENERGY)
    assert scan(wrong, at, "omega", np.zeros(1))[0] < 1e-6 * scan(true, at, "omega", np.zeros(1))[0]
    found = wrong.angles((1, 1, 1), ENERGY)
    assert found["omega"] == pytest.approx(at["omega"] - 0.5)
    assert scan(wrong, found, "omega", np.zeros(1)) == pytest.approx(scan(true, at, "omega", np.zeros(1)))
    assert wrong.truth()["offsets"]["omega"] == 0.5


def test_extinct_and_direct_beams_are_dark() -> None:
    d = make(background=1e-9)
    at = d.angles((2, 0, 0), ENERGY)
    bright = scan(d, d.angles((2, 2, 0), ENERGY), "omega", np.zeros(1))[0]
    assert scan(d, at, "omega", np.zeros(1))[0] < 1e-4 * bright
    zero = dict.fromkeys(d.inputs, 0.0)
    assert scan(d, zero, "omega", np.zeros(1))[0] == 1e-9


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"'sixc'.*fourcv, psic"):
        make("sixc")
    with pytest.raises(InvalidInput, match=r"no circle 'mu'"):
        make("fourcv", offsets={"mu": 1.0})
    with pytest.raises(InvalidInput, match="cannot be reached"):
        make().angles((20, 20, 20), ENERGY)
