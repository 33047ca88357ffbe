from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import xraydb

from firstlight.model import InvalidInput
from firstlight.simulation._elements import (
    coster_kronig,
    edges_of,
    form_factor,
    lines_of,
    mass_absorption,
    normalised,
    symbol,
)


@pytest.mark.parametrize("element", ["O", "Si", "Fe", "Ce", "Pb"])
def test_the_stored_tables_are_those_of_xraydb(element: str) -> None:
    edges = xraydb.xray_edges(element)
    for edge in edges_of(element):
        known = edges[edge.name]
        assert (edge.energy, edge.fluorescence, edge.jump) == pytest.approx(
            (known.energy * 1e-3, known.fyield, known.jump_ratio), rel=1e-6
        )
    lines = xraydb.xray_lines(element)
    for line in lines_of(element):
        known = lines[line.name]
        assert (line.energy, line.share) == pytest.approx((known.energy * 1e-3, known.intensity), rel=1e-6)
        assert line.level == known.initial_level


@pytest.mark.parametrize("element", ["C", "Fe", "Ce", "Pb"])
@pytest.mark.parametrize(
    ("kind", "name", "rel"), [("total", "total", 5e-3), ("photo", "photo", 5e-3), ("elastic", "coh", 1e-2),
                              ("compton", "incoh", 1e-2)]
)  # fmt: skip
def test_interpolated_cross_sections_are_those_of_xraydb(element: str, kind: str, name: str, rel: float) -> None:
    energies = np.array([3.3, 7.7, 11.0, 19.3, 33.0, 55.0])
    expected = xraydb.mu_elam(element, energies * 1e3, kind=name)
    np.testing.assert_allclose(mass_absorption(element, energies, kind), expected, rtol=rel)


def test_coster_kronig_probabilities_are_those_of_all_ways() -> None:
    assert coster_kronig("Pb", "L1", "L3") == pytest.approx(
        xraydb.ck_probability("Pb", "L1", "L3", total=True), rel=1e-5
    )
    assert coster_kronig("C", "L1", "L2") == 0.0


def test_a_form_factor_begins_with_the_number_of_electrons() -> None:
    assert form_factor("Ce", 0.0)[0] == pytest.approx(58.0, abs=0.1)


def test_what_is_no_element_is_refused() -> None:
    assert symbol("fe") == "Fe"
    with pytest.raises(InvalidInput, match="no element 'Xx'"):
        symbol("Xx")
    with pytest.raises(InvalidInput, match="amounts"):
        normalised({"Fe": -1.0})


def test_a_spectrum_needs_no_slow_library() -> None:
    program = (
        "import sys; from firstlight.simulation import FluorescentPlate, PulseDetector;"
        "plate = FluorescentPlate({'Fe': 10.0});"
        "PulseDetector().record(plate.emission(12.0) @ PulseDetector().response(plate.lines(12.0)[1]));"
        "print(sorted({'xraydb', 'scipy', 'numba', 'pint'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
