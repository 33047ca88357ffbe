from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from refnx.reflect import reflectivity as refnx_reflectivity

from firstlight.model import InvalidInput
from firstlight.simulation import GrowingFilm, Layer, reflectivity
from firstlight.simulation._film import scattering_length_density

layers = st.builds(
    Layer,
    thickness=st.floats(5.0, 800.0),
    density=st.builds(complex, st.floats(1e-6, 1.5e-4), st.floats(1e-9, 2e-5)),
    roughness=st.floats(0.0, 4.0),
)
Q = np.geomspace(0.004, 0.5, 60)


def refnx(q: np.ndarray[tuple[int], np.dtype[np.float64]], stack: list[Layer]) -> np.ndarray:
    rows = [[x.thickness, x.density.real * 1e6, x.density.imag * 1e6, x.roughness] for x in stack]
    return np.asarray(refnx_reflectivity(q, np.array(rows), dq=0.0))


@settings(max_examples=150)
@given(films=st.lists(layers, min_size=0, max_size=4), substrate=layers)
def test_any_stack_reflects_as_refnx_says(films: list[Layer], substrate: Layer) -> None:
    stack = [Layer(0.0, 0j), *films, substrate]
    np.testing.assert_allclose(reflectivity(Q, stack), refnx(Q, stack), rtol=1e-6)


def test_a_smooth_surface_reflects_as_fresnel_says() -> None:
    density = 2.0e-5
    q = np.array([0.005, 0.05, 0.2])
    inside = np.sqrt((q / 2) ** 2 - 4 * np.pi * density + 0j)
    expected = np.abs((q / 2 - inside) / (q / 2 + inside)) ** 2
    np.testing.assert_allclose(reflectivity(q, [Layer(0, 0j), Layer(0, density + 0j)]), expected, rtol=1e-9)
    assert reflectivity(q, [Layer(0, 0j), Layer(0, density + 0j)])[0] == pytest.approx(1.0)


def test_densities_are_those_of_tables() -> None:
    """Si and Fe at 8.048 keV: δ of the CXRO data base (B. L. Henke et al., 1993) is 7.58e-6 and 2.26e-5."""
    for formula, density, delta in (("Si", 2.329, 7.58e-6), ("Fe", 7.874, 2.257e-5)):
        found = scattering_length_density(formula, density, 8.048)
        assert found.real * (12.3984 / 8.048) ** 2 / (2 * np.pi) == pytest.approx(delta, rel=0.01)
        assert found.imag > 0


def intensity(film: GrowingFilm, theta: float, seconds: float = 0.0, **more: float) -> float:
    at = {"theta": np.array([theta]), "deposition": np.array([seconds])}
    return float(film.response(np.array([10.0]), at | {k: np.array([v]) for k, v in more.items()})[0])


def test_the_film_grows_and_its_fringes_tell_how_thick_it_is() -> None:
    film = GrowingFilm(rate=0.05, start=1.0, beam=0.0, background=0.0, film_roughness=0.0, substrate_roughness=0.0)
    assert film.thickness(200.0) == pytest.approx(11.0)
    seconds = np.arange(0.0, 1200.0, 1.0)
    theta = 1.2
    curve = np.array([intensity(film, theta, s) for s in seconds])
    peaks = seconds[1:-1][(curve[1:-1] > curve[:-2]) & (curve[1:-1] > curve[2:])]
    period = float(np.diff(peaks).mean()) * 0.05
    # Inside the film the momentum transfer is smaller by what the film refracts.
    q = 4 * np.pi * math.sin(math.radians(theta)) / 1.2398419843
    inside = 2.0 * math.sqrt(q * q / 4 - 4 * np.pi * film.layers(10.0, 100.0)[1].density.real)
    assert period == pytest.approx(0.1 * 2 * np.pi / inside, rel=0.02)


def test_a_small_angle_spills_the_beam_over_the_sample() -> None:
    film = GrowingFilm(beam=0.1, length=10.0)
    assert film.footprint(np.array([0.0]))[0] == 0.0
    assert film.footprint(np.array([90.0]))[0] == pytest.approx(1.0)
    # At sin θ = beam / length the half maximum lies at the edge: erf(√ln 2).
    theta = math.degrees(math.asin(0.01))
    assert film.footprint(np.array([theta]))[0] == pytest.approx(math.erf(math.sqrt(math.log(2.0))), rel=1e-3)


def test_the_detector_accepts_twice_the_angle_of_incidence() -> None:
    film = GrowingFilm(acceptance=0.1, offset=0.05, background=0.0)
    on = intensity(film, 0.45, two_theta=1.0)
    assert intensity(film, 0.45, two_theta=1.05) == pytest.approx(0.5 * on, rel=1e-9)
    assert intensity(film, 0.45) == pytest.approx(on)
    assert intensity(film, -1.0) == 0.0


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidInput, match="two layers"):
        reflectivity(0.1, [Layer(0, 0j)])
    with pytest.raises(InvalidInput, match="not below zero"):
        GrowingFilm(rate=-1.0)
    with pytest.raises(InvalidInput, match="formula"):
        GrowingFilm("9Fe")
