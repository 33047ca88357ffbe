from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.crystallography import (
    GEOMETRIES,
    Mode,
    Wishes,
    angles_to_q,
    azimuths,
    eulerian,
    forward,
    geometry,
    solve,
)
from firstlight.model import InvalidInput

MODES = [(name, mode) for name, make in GEOMETRIES.items() for mode in make().modes]
# What the modes hold is put where most reflections can be reached.
HELD = {"qaz": 60.0, "mu": 3.0, "gamma": 2.0, "nu": 2.0}


def reflections(count: int, ub: NDArray[np.float64], seed: int = 0) -> NDArray[np.float64]:
    """Random ones that a wavelength of 1 Å reaches."""
    hkl = np.random.default_rng(seed).uniform(-4, 4, (2 * count, 3))
    return np.asarray(hkl[np.linalg.norm(hkl @ ub.T, axis=1) < 0.9 * 4 * math.pi][:count])


def mode_holds(name: str, mode: Mode, ub: NDArray[np.float64], angles: NDArray[np.float64], wishes: Wishes) -> None:
    kind = geometry(name)
    columns = dict(zip(kind.axes, angles.T, strict=True))
    found = azimuths(kind, ub, angles, wishes.reference)
    for axis, value in mode.fixed.items():
        if axis in columns or axis == "qaz":
            actual = columns[axis] if axis in columns else found["qaz"]
            assert np.abs((actual - wishes.held.get(axis, value) + 180) % 360 - 180).max() < 1e-5
    if mode.half and set(mode.half) <= set(columns):
        half, whole = (columns[axis] for axis in mode.half)
        assert np.abs((2 * half - whole + 180) % 360 - 180).max() < 1e-5
    if mode.condition in ("psi", "alpha", "beta"):
        assert found[mode.condition] == pytest.approx(np.full(len(angles), getattr(wishes, mode.condition)), abs=1e-4)
    if mode.condition == "alpha=beta":
        assert found["alpha"] == pytest.approx(found["beta"], abs=1e-4)


@pytest.mark.parametrize(("name", "mode"), MODES)
def test_every_setting_of_every_mode_diffracts_and_keeps_the_mode(
    name: str, mode: str, ub: NDArray[np.float64]
) -> None:
    kind = geometry(name)
    wishes = Wishes(held=HELD, psi=35, alpha=4, beta=3, reference=(0.1, 0.2, 1), second=(1, 0, 1))
    hkl = reflections(150, ub)
    if kind.modes[mode].condition == "zone":
        hkl = hkl * [1, 1, 0]

    settings = solve(kind, kind.modes[mode], ub, hkl, 1.0, wishes)

    valid = np.isfinite(settings).all(axis=-1)
    assert np.any(valid, axis=1).mean() > 0.3
    point = np.nonzero(valid)[0]
    assert forward(kind, ub, settings[valid], 1.0) == pytest.approx(hkl[point], abs=1e-5)
    mode_holds(name, kind.modes[mode], ub, settings[valid], wishes)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_ten_thousand_reflections_come_back(name: str, ub: NDArray[np.float64]) -> None:
    kind = geometry(name)
    # With mu at rest a surface diffractometer leaves out what lies close to the axis of omega.
    mode = "reflectivity" if name == "zaxis" else kind.default_mode
    hkl = reflections(10_000, ub, seed=7)
    assert len(hkl) == 10_000

    settings = solve(kind, kind.modes[mode], ub, hkl, 1.0)

    found = np.isfinite(settings).all(axis=-1)
    assert np.any(found, axis=1).mean() > 0.999
    back = forward(kind, ub, settings, 1.0)
    assert np.nanmax(np.abs(back - hkl[:, np.newaxis])) < 1e-6


@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_setting_is_among_those_of_its_own_reflection(name: str, ub: NDArray[np.float64]) -> None:
    # The other way round: whatever the axes are, the mode that holds them there must find them again.
    kind = geometry(name)
    held = {"E4CV": "constant_phi", "E4CH": "constant_phi", "psic": "lifting_detector_eta", "sixc": "zaxis",
            "K4CV": "constant_kphi", "K6C": "constant_kphi_vertical", "zaxis": "zaxis"}  # fmt: skip
    mode = kind.modes[held[name]]
    rng = np.random.default_rng(11)
    for angles in rng.uniform(5, 85, (50, len(kind.axes))):
        at = dict(zip(kind.axes, angles, strict=True))
        hkl = forward(kind, ub, angles, 1.0)

        settings = solve(kind, mode, ub, hkl, 1.0, Wishes(held=at))[0]

        assert np.nanmin(np.abs((settings - angles + 180) % 360 - 180).max(axis=-1)) < 1e-5


def test_in_a_zone_all_reflections_share_two_circles(ub: NDArray[np.float64]) -> None:
    kind = geometry("E4CV")
    wishes = Wishes(zone=((1, 0, 1), (0, 1, 0)))
    hkl = np.array([[1, 0, 1], [1, 2, 1], [0, 1, 0], [2, -1, 2], [1, 1, 0]], float)

    settings = solve(kind, kind.modes["zone"], ub, hkl, 1.0, wishes)

    assert np.isnan(settings[-1]).all()  # outside the zone
    for branch in range(settings.shape[1]):
        pairs = settings[:4, branch, 1:3]
        assert np.abs((pairs - pairs[0] + 180) % 360 - 180).max() < 1e-6 or np.isnan(pairs).any()


def test_a_second_reflection_diffracts_at_once(ub: NDArray[np.float64]) -> None:
    kind = geometry("E4CV")
    second = (1.0, 0.0, 1.0)
    settings = solve(kind, kind.modes["double_diffraction"], ub, [0, 1, 2], 1.0, Wishes(second=second))[0]
    settings = settings[np.isfinite(settings).all(axis=-1)]
    assert len(settings)

    for angles in settings:
        # Take the sample's turn from three scattering vectors' worth of directions, then look at the sphere.
        turned = _sample(angles) @ ub @ np.array(second) / (2 * math.pi)
        assert np.linalg.norm(turned + np.array([0, 1, 0])) == pytest.approx(1, abs=1e-9)


def _sample(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    omega, chi, phi = np.deg2rad(angles[:3])

    def across(t: float) -> NDArray[np.float64]:
        return np.array([[math.cos(t), math.sin(t), 0], [-math.sin(t), math.cos(t), 0], [0, 0, 1]])

    along = np.array([[math.cos(chi), 0, math.sin(chi)], [0, 1, 0], [-math.sin(chi), 0, math.cos(chi)]])
    return np.asarray(across(omega) @ along @ across(phi))


def test_branches_keep_their_meaning_along_a_line(ub: NDArray[np.float64]) -> None:
    kind = geometry("psic")
    hkl = np.linspace([1, 0.2, 1], [2, 0.6, 1.5], 400)

    settings = solve(kind, kind.modes["bisecting_vertical"], ub, hkl, 1.0)

    steps = np.abs(np.diff(settings, axis=0))
    assert np.minimum(steps, 360 - steps).max() < 1


def test_an_axis_that_any_angle_suits_stays(ub: NDArray[np.float64]) -> None:
    # A reflection along phi: chi brings it up, phi only turns about it.
    kind = geometry("E4CV")
    along = np.linalg.inv(ub) @ [0, 0, 3.0]

    settings = solve(kind, kind.modes["bisecting"], ub, along, 1.0, Wishes(held={"phi": 33.0}))[0]

    assert np.abs(settings[:, 2] - 33).min() < 1e-9
    assert np.abs(np.abs(settings[:, 1]) - 90).max() < 1e-6


def test_what_the_wavelength_does_not_reach_has_no_setting(ub: NDArray[np.float64]) -> None:
    kind = geometry("psic")
    settings = solve(kind, kind.modes["bisecting_vertical"], ub, [[20, 0, 0], [0, 0, 0], [1, 0, 0]], 1.0)

    assert np.isnan(settings[:2]).all()
    assert np.isfinite(settings[2]).all()


def test_kappa_turns_the_sample_as_its_eulerian_angles_do(ub: NDArray[np.float64]) -> None:
    kappa, euler = geometry("K4CV"), geometry("E4CV")
    real = np.random.default_rng(4).uniform(-90, 90, (100, 4))
    q = angles_to_q(kappa, real, 1.0)

    for virtual in eulerian(kappa, real):
        assert angles_to_q(euler, np.column_stack([virtual, real[:, 3]]), 1.0) == pytest.approx(q, abs=1e-6)


def test_each_reflection_may_have_its_own_wavelength(ub: NDArray[np.float64]) -> None:
    kind = geometry("E4CV")
    waves = np.array([0.9, 1.0, 1.1])
    settings = solve(kind, kind.modes["bisecting"], ub, [[1, 1, 1]] * 3, waves)

    assert forward(kind, ub, settings[:, 0], waves) == pytest.approx(np.ones((3, 3)))
    assert (np.diff(np.abs(settings[:, 0, 3])) > 0).all()


def test_the_wrong_number_of_angles_is_told_with_their_order() -> None:
    with pytest.raises(InvalidInput, match=r"4 angles, not 3.*omega, chi, phi, tth"):
        angles_to_q(geometry("E4CV"), [1, 2, 3], 1.0)


def test_an_unknown_geometry_or_mode_names_the_known_ones() -> None:
    with pytest.raises(InvalidInput, match="E4CV"):
        geometry("e5cv")
    with pytest.raises(InvalidInput, match="bisecting"):
        geometry("e4cv").mode("bissector")
