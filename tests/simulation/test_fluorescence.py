from __future__ import annotations

import math

import numpy as np
import pytest
import xraydb

from firstlight.model import InvalidInput
from firstlight.simulation import Disc, FluorescentPlate
from firstlight.simulation._fluorescence import line_cross_sections


def line(plate: FluorescentPlate, name: str, energy: float = 17.0, x: float = 0.0, z: float = 0.0) -> float:
    names, _ = plate.lines(energy)
    return float(plate.emission(energy, x, z)[names.index(name)])


@pytest.mark.parametrize("element", ["Ca", "Fe", "Zn"])
def test_the_k_lines_together_have_the_cross_section_of_the_shell(element: str) -> None:
    edge = xraydb.xray_edges(element)["K"]
    expected = xraydb.mu_elam(element, 17000.0, kind="photo") * (1.0 - 1.0 / edge.jump_ratio) * edge.fyield
    found = sum(strength for name, _, strength in line_cross_sections(element, 17.0) if name.startswith("K"))
    assert found == pytest.approx(float(expected), rel=5e-3)


def test_lines_appear_with_their_edges() -> None:
    names = [{name for name, _, _ in line_cross_sections("Pb", e)} for e in (12.0, 14.0, 15.5, 17.0)]
    assert not any(n[0] in "K" for n in names[3])
    assert [("La1" in n, "Lb1" in n, "Lb3" in n) for n in names] == [
        (False, False, False), (True, False, False), (True, True, False), (True, True, True),
    ]  # fmt: skip


def test_coster_kronig_moves_vacancies_to_l3() -> None:
    """Just above L1 more L3 lines are made than the L3 share of the absorption alone gives."""
    at = 17.0
    edges = xraydb.xray_edges("Pb")
    tau = float(xraydb.mu_elam("Pb", at * 1e3, kind="photo"))
    share = 1.0 / edges["L1"].jump_ratio / edges["L2"].jump_ratio * (1.0 - 1.0 / edges["L3"].jump_ratio)
    la = next(s for name, _, s in line_cross_sections("Pb", at) if name == "La1")
    alone = tau * share * edges["L3"].fyield * xraydb.xray_lines("Pb")["La1"].intensity
    assert 1.1 < la / alone < 1.8


def test_a_thin_plate_emits_in_proportion_to_its_mass() -> None:
    small, large = FluorescentPlate({"Fe": 1e-3}), FluorescentPlate({"Fe": 2e-3})
    assert line(large, "Fe Ka1") == pytest.approx(2.0 * line(small, "Fe Ka1"), rel=1e-5)
    strength = next(s for name, _, s in line_cross_sections("Fe", 17.0) if name == "Ka1")
    assert line(small, "Fe Ka1") == pytest.approx(0.01 * strength * 1e-9 / math.sin(math.pi / 4), rel=1e-5)


def test_a_thick_plate_emits_what_sherman_says() -> None:
    """Of pure, infinitely thick iron: Ω/4π τ ω p / (μ(E) + μ(E_line) sin ψ₁ / sin ψ₂)."""
    plate = FluorescentPlate({"Fe": 1e7}, incidence=30.0, takeoff=60.0)
    strength = next(s for name, _, s in line_cross_sections("Fe", 17.0) if name == "Ka1")
    incoming, outgoing = xraydb.mu_elam("Fe", np.array([17000.0, 6405.2]))
    expected = 0.01 * strength / (incoming + outgoing * math.sin(math.pi / 6) / math.sin(math.pi / 3))
    assert line(plate, "Fe Ka1") == pytest.approx(float(expected), rel=5e-3)


def test_what_lies_on_it_absorbs_what_comes_from_it() -> None:
    bare = FluorescentPlate({"Ca": 10.0})
    covered = FluorescentPlate({"Ca": 10.0, "Au": 3000.0})
    assert line(covered, "Ca Ka1") < 0.5 * line(bare, "Ca Ka1")


def test_a_map_shows_the_discs() -> None:
    plate = FluorescentPlate({"Si": 1000.0}, [Disc(0.2, -0.1, 0.1, {"Fe": 30.0}), Disc(0.25, -0.1, 0.1, {"Cu": 5.0})])
    masses = dict(zip(plate.elements, plate.masses_at(0.2, -0.1).tolist(), strict=True))
    assert masses == pytest.approx({"Si": 1000.0, "Fe": 30.0, "Cu": 5.0})
    assert plate.masses_at(0.0, 0.0)[1] == pytest.approx(0.0, abs=1e-9)
    # A beam on the edge sees half, and one of no size all or nothing.
    assert plate.masses_at(0.2, 0.0)[1] == pytest.approx(15.0)
    sharp = FluorescentPlate({"Si": 1.0}, [Disc(0.0, 0.0, 0.1, {"Fe": 2.0})], beam=0.0)
    assert [sharp.masses_at(x, 0.0)[1] for x in (0.0, 0.099, 0.101)] == [2.0, 2.0, 0.0]
    assert line(plate, "Fe Ka1", x=0.2, z=-0.1) > 1e3 * max(line(plate, "Fe Ka1", x=-0.4), 1e-30)


def test_scatter_has_its_energies() -> None:
    plate = FluorescentPlate({"C": 1e5}, incidence=45.0, takeoff=45.0)
    names, energies = plate.lines(17.0)
    known = dict(zip(names, energies.tolist(), strict=True))
    assert known["elastic"] == 17.0
    # At right angles.
    assert known["Compton"] == pytest.approx(17.0 / (1.0 + 17.0 / 510.999), rel=1e-6)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no element 'Qq'"):
        FluorescentPlate({"Qq": 1.0})
    with pytest.raises(InvalidInput, match="not below zero"):
        FluorescentPlate({"Fe": 1.0}, [Disc(0, 0, 1, {"Fe": -1.0})])
    with pytest.raises(InvalidInput, match="take-off"):
        FluorescentPlate({"Fe": 1.0}, takeoff=0.0)
    with pytest.raises(InvalidInput, match="at least one element"):
        FluorescentPlate({})
