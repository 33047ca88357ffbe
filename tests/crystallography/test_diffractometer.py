from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from firstlight.crystallography import Diffractometer, Discontinuous, Lattice, Unreachable, line
from firstlight.model import InvalidInput
from tests.crystallography.conftest import TRICLINIC, random_rotation


@pytest.fixture
def fourc() -> Diffractometer:
    """Silicon; with all angles zero a* is up, b* along the beam and c* along phi."""
    return Diffractometer("E4CV", Lattice(5.431020511), 1.54)


@pytest.fixture
def psic() -> Diffractometer:
    made = Diffractometer("psic", TRICLINIC)
    made.ub = random_rotation(3) @ TRICLINIC.B
    return made


def test_bisecting_silicon_400_is_braggs_law(fourc: Diffractometer) -> None:
    setting = fourc.inverse((4, 0, 0))

    assert 2 * 5.431020511 / 4 * math.sin(math.radians(setting["tth"] / 2)) == pytest.approx(1.54)
    assert setting["omega"] == pytest.approx(setting["tth"] / 2)
    assert fourc.forward(list(setting.values())) == pytest.approx((4, 0, 0), abs=1e-9)


def test_energy_and_wavelength_are_one_state(fourc: Diffractometer) -> None:
    fourc.energy = 12.398419843320026

    assert fourc.wavelength == pytest.approx(1)
    before = fourc.inverse((4, 0, 0))["tth"]
    fourc.energy = 10
    assert fourc.inverse((4, 0, 0))["tth"] > before
    with pytest.raises(InvalidInput, match="positive"):
        fourc.energy = 0
    with pytest.raises(InvalidInput, match="positive"):
        fourc.wavelength = -1


def test_one_reflection_and_a_direction_orient(fourc: Diffractometer) -> None:
    fourc.reflections = [fourc.reflection((0, 0, 4), (34.5483, 90, 0, 69.0966))]

    fourc.orient_along((1, 0, 0), (0, 1, 0))  # a* along the beam

    assert fourc.ub @ [0, 0, 1] == pytest.approx([0, 0, np.linalg.norm(fourc.ub[:, 2])], abs=1e-5)
    assert fourc.ub[1, 0] == pytest.approx(np.linalg.norm(fourc.ub[:, 0]))


def test_two_reflections_orient_and_one_is_refused(fourc: Diffractometer) -> None:
    fourc.reflections = [fourc.reflection((4, 0, 0), (34.5483, 0, 0, 69.0966))]
    with pytest.raises(InvalidInput, match=r"there are 1\.|and there are 1"):
        fourc.orient()
    fourc.reflections.append(fourc.reflection((0, 4, 0), (34.5483, 0, 90, 69.0966)))
    fourc.orient()

    assert fourc.inverse((0, 4, 0), {"phi": 80.0})["phi"] == pytest.approx(90, abs=1e-6)


def test_refinement_is_taken_over_and_keeps_the_lattice_when_asked(psic: Diffractometer) -> None:
    rng = np.random.default_rng(1)
    for hkl in [(1, 0, 1), (0, 1, 1), (1, 1, 0), (2, 0, -1), (0, 2, 1)]:
        angles = np.array(list(psic.inverse(hkl).values())) + rng.normal(0, 0.005, 6)
        psic.reflections.append(psic.reflection(hkl, angles.tolist()))
    true = psic.ub
    psic.ub = random_rotation(9) @ TRICLINIC.B

    psic.refine(keep_lattice=True)
    assert psic.lattice.parameters == pytest.approx(TRICLINIC.parameters)
    assert psic.ub == pytest.approx(true, abs=1e-3)
    psic.refine()
    assert psic.lattice.parameters == pytest.approx(TRICLINIC.parameters, rel=2e-3)
    psic.orient_without_lattice()
    assert psic.ub == pytest.approx(true, abs=2e-3)


def test_a_new_lattice_keeps_the_orientation(psic: Diffractometer) -> None:
    before = psic.ub
    psic.lattice = Lattice(4.2, 5.2, 6.3, 80, 95, 110)

    assert np.cross(before[:, 0], psic.ub[:, 0]) == pytest.approx(np.zeros(3), abs=1e-12)
    assert np.linalg.norm(psic.ub) < np.linalg.norm(before)


def test_frozen_angles_hold_wherever_the_axes_are(psic: Diffractometer) -> None:
    psic.mode = "constant_phi_vertical"
    assert psic.inverse((1, 0, 1), {"phi": 20.0})["phi"] == pytest.approx(20)

    psic.freeze("phi", 12)
    assert psic.inverse((1, 0, 1), {"phi": 20.0})["phi"] == pytest.approx(12)
    psic.unfreeze("phi")
    assert psic.inverse((1, 0, 1), {"phi": 20.0})["phi"] == pytest.approx(20)
    with pytest.raises(InvalidInput, match="It holds mu, nu, phi"):
        psic.freeze("chi", 1)


def test_a_frozen_azimuth_is_met(psic: Diffractometer) -> None:
    psic.mode = "constant_psi_vertical"
    psic.wishes = replace(psic.wishes, reference=(1.0, 0.0, 0.0))
    psic.freeze("psi", 25)

    setting = list(psic.inverse((0, 1, 2)).values())

    assert psic.azimuths(setting)["psi"][0] == pytest.approx(25)
    psic.unfreeze()
    assert not psic.frozen


def test_cut_points_choose_the_turn(psic: Diffractometer) -> None:
    psic.cuts["phi"] = 0.0
    assert (psic.solutions((1, 0, 1))[..., 3] >= 0).all()
    psic.cuts["phi"] = -360.0
    assert (psic.solutions((1, 0, 1))[..., 3] < 0).all()


def test_limits_choose_the_branch(psic: Diffractometer) -> None:
    free = psic.inverse((1, 0, 1))
    psic.limits["chi"] = (free["chi"] + 1, 180.0)
    other = psic.inverse((1, 0, 1))

    assert other["chi"] > free["chi"]
    assert psic.forward(list(other.values())) == pytest.approx((1, 0, 1), abs=1e-6)


def test_the_branch_stays_with_the_axes(psic: Diffractometer) -> None:
    for setting in psic.solutions((1, 0, 1))[0]:
        at = dict(zip(psic.axes, setting, strict=True))
        found = psic.inverse((1, 0.001, 1), at)
        if at["delta"] > 0:
            assert max(abs(found[name] - at[name]) for name in psic.axes) < 1


def test_what_cannot_be_reached_says_why(psic: Diffractometer) -> None:
    with pytest.raises(Unreachable, match=r"\(20 0 0\) is out of reach at 1 Å.*at most 0\.\d+ Å"):
        psic.inverse((20, 0, 0))
    with pytest.raises(Unreachable, match="does not scatter"):
        psic.inverse((0, 0, 0))
    psic.limits["delta"] = (0, 5)
    with pytest.raises(Unreachable, match=r"needs delta at .*limits are 0 to 5"):
        psic.inverse((1, 0, 1))
    psic.limits.clear()
    psic.mode = "constant_chi_vertical"
    psic.freeze("chi", 0)
    with pytest.raises(Unreachable, match=r"no setting in the mode constant_chi_vertical.*chi at 0"):
        psic.inverse((1, 0, 1))


def test_the_state_survives_a_file(psic: Diffractometer) -> None:
    psic.mode = "constant_psi_vertical"
    psic.wishes = replace(psic.wishes, psi=10, reference=(1.0, 0.0, 0.0))
    psic.freeze("mu", 1)
    psic.cuts["phi"], psic.limits["chi"] = 0.0, (-5.0, 100.0)
    psic.energy = 11
    psic.reflections = [psic.reflection((1, 0, 1), (0, 1, 2, 3, 4, 5))]
    kept = json.loads(json.dumps(psic.state()))

    other = Diffractometer("psic", Lattice(1))
    other.restore(kept)

    assert other.state() == psic.state()
    assert other.reflections == psic.reflections
    with pytest.raises(InvalidInput, match="saved for psic"):
        Diffractometer("E4CV", Lattice(1)).restore(kept)


def test_a_plan_keeps_one_branch_past_the_cut(psic: Diffractometer) -> None:
    hkl = np.linspace([1, 0, 1], [-1, 0.3, 1], 500)

    path = psic.plan(hkl)

    assert psic.forward(path) == pytest.approx(hkl, abs=1e-6)
    assert np.abs(np.diff(path, axis=0)).max() < 5


def test_a_plan_names_the_point_that_it_cannot_reach(psic: Diffractometer) -> None:
    with pytest.raises(Unreachable, match=r"\(9 0 1\)"):
        psic.plan([[1, 0, 1], [9, 0, 1]])


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6])
def test_a_line_stays_within_its_error_between_the_points(psic: Diffractometer, tolerance: float) -> None:
    path = line(psic, (1, 0, 1), (1, 0, 2.5), tolerance)

    assert path.error <= tolerance
    fractions = np.random.default_rng(2).uniform(0, 1, 2000)
    wanted = np.array([1, 0, 1]) + fractions[:, np.newaxis] * [0, 0, 1.5]
    assert np.abs(psic.forward(path.at(fractions)) - wanted).max() <= tolerance
    assert psic.forward(path.angles) == pytest.approx(path.hkl, abs=1e-7)


def test_a_tighter_line_has_more_points_where_it_bends(psic: Diffractometer) -> None:
    coarse, fine = (line(psic, (1, 0.2, 0.3), (-1, 0.2, 0.3), tolerance) for tolerance in (1e-3, 1e-5))

    assert 5 < len(fine) / len(coarse) < 20  # the error of a chord goes with the square of its length
    steps = np.diff(fine.fractions)
    assert steps.max() > 1.5 * steps.min()


def test_a_line_goes_through_the_axis_of_phi() -> None:
    fourc = Diffractometer("E4CV", Lattice(4.0))  # c* along phi

    assert line(fourc, (-0.5, 0, 2), (0.5, 0, 2)).error < 1e-4


def test_a_line_that_changes_its_branch_names_the_place_and_the_axis() -> None:
    fourc = Diffractometer("E4CV", Lattice(4.0))
    assert line(fourc, (-0.5, -0.3, 2), (-0.5, 0.3, 2)).error < 1e-4

    fourc.limits = {"phi": (-5.0, 177.0), "tth": (0.0, 180.0)}  # each branch has a part of the way
    assert len(fourc.plan([(-0.5, -0.3, 2), (-0.5, 0.3, 2)])) == 2
    with pytest.raises(Discontinuous, match=r"At \(-0.5 .* 2\) .* would jump from"):
        line(fourc, (-0.5, -0.3, 2), (-0.5, 0.3, 2))


def test_a_line_needs_a_tolerance(psic: Diffractometer) -> None:
    with pytest.raises(InvalidInput, match="tolerance"):
        line(psic, (1, 0, 1), (1, 0, 2), 0)
    with pytest.raises(InvalidInput, match="1e-07 or more"):
        line(psic, (1, 0, 1), (1, 0, 2), 1e-12)


def test_a_line_of_too_many_points_is_refused(psic: Diffractometer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firstlight.crystallography._line._MOST", 100)
    with pytest.raises(InvalidInput, match=r"more than 100 points"):
        line(psic, (1, 0, 1), (1, 0, 2), 1e-6)
