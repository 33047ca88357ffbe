from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from firstlight.model import InvalidInput
from firstlight.simulation import Geometry, Part, Powder, PowderSettings, standard_structure

ENERGY = 30.0
WAVELENGTH = 12.398419843 / ENERGY


def powder(material: str = "CeO2", *, tilt: tuple[float, float, float] = (0.0, 0.0, 0.0), **settings: Any) -> Powder:
    plain: dict[str, Any] = {"background": 0.0, "beamstop": 0.0, "polarisation": 0.0}
    geometry = Geometry((401, 401), (0.2, 0.2), 120.0, (200.0, 200.0), tilt)
    return Powder(standard_structure(material), geometry, PowderSettings(**(plain | settings)))


def radii(picture: NDArray[np.float32], geometry: Geometry, low: float, high: float) -> float:
    """Mean distance from the beam (mm) of what lies in a ring."""
    row, column = geometry.beam
    r = np.hypot((np.arange(401) - row)[:, None], (np.arange(401) - column)[None, :]) * geometry.pixel[0]
    weights = np.where((r > low) & (r < high), picture * r, 0.0)
    return float(weights.sum() / np.where((r > low) & (r < high), picture, 0.0).sum())


@pytest.mark.parametrize("material", ["CeO2", "LaB6", "Si", "Al2O3"])
def test_rings_lie_where_bragg_says(material: str) -> None:
    sample = powder(material)
    picture = sample.per_photon(ENERGY, 120.0)
    rings = [
        f
        for f in sample.families(ENERGY, 0.3)
        if f.intensity > 0.02 * max(g.intensity for g in sample.families(ENERGY, 0.3))
    ]
    expected = [120.0 * math.tan(2.0 * math.asin(WAVELENGTH / (2.0 * f.spacing))) for f in rings]
    checked = 0
    for k, radius in enumerate(expected):
        others = [abs(radius - r) for i, r in enumerate(expected) if i != k]
        if radius < 38.0 and min(others) > 1.2:
            assert radii(picture, sample.geometry, radius - 0.6, radius + 0.6) == pytest.approx(radius, abs=0.01)
            checked += 1
    assert checked >= 1


def test_rings_of_a_tilted_detector_are_cones_of_constant_angle() -> None:
    sample = powder(tilt=(8.0, -5.0, 20.0), width=0.05)
    picture = sample.per_photon(ENERGY, 120.0)
    angle = sample.geometry.two_theta
    two_theta = 2.0 * math.asin(WAVELENGTH / (2.0 * 3.124346))
    ring = np.abs(angle - two_theta) < math.radians(0.25)
    for quarter in range(4):
        here = ring & (np.floor(np.mod(sample.geometry.azimuth, 2 * np.pi) / (np.pi / 2)) == quarter)
        assert float((picture * angle)[here].sum() / picture[here].sum()) == pytest.approx(
            two_theta, abs=math.radians(0.004)
        )


@pytest.mark.parametrize("tilt", [(0.0, 0.0, 0.0), (6.0, 4.0, -3.0)])
@pytest.mark.parametrize("width", [0.01, 0.08])
def test_a_whole_ring_holds_the_photons_of_its_cone_also_when_it_is_thinner_than_a_pixel(
    tilt: tuple[float, float, float], width: float
) -> None:
    sample = powder(tilt=tilt, width=width)
    picture = sample.per_photon(ENERGY, 120.0) / sample.geometry.polarisation(0.0)
    for family in sample.families(ENERGY, 0.3)[:3]:
        two_theta = 2.0 * math.asin(WAVELENGTH / (2.0 * family.spacing))
        ring = np.abs(sample.geometry.two_theta - two_theta) < math.radians(0.3)
        assert float(picture[ring].sum()) == pytest.approx(sample.cone(family, ENERGY), rel=8e-3)


def test_the_strength_of_a_cone_follows_from_its_formula_in_other_units() -> None:
    """In SI units, for the 111 ring of CeO2, with absorption taken out."""
    sample = powder(thickness=1e-6, packing=1.0)
    family = sample.families(ENERGY, 0.3)[0]
    assert family.multiplicity == 8
    assert sorted(abs(i) for i in family.hkl) == [1, 1, 1]
    radius, length, volume = 2.8179403262e-15, WAVELENGTH * 1e-10, (5.411526e-10) ** 3
    sine = length / (2.0 * 3.124346e-10)
    expected = radius**2 * length**3 * family.intensity * 1e-9 / (4.0 * volume**2 * sine)
    assert sample.cone(family, ENERGY) == pytest.approx(expected, rel=1e-3)


def test_size_and_strain_broaden_rings() -> None:
    sharp, small = powder(width=0.02), powder(width=0.02, size=20.0)
    assert small.full_width(ENERGY, 0.2) == pytest.approx(
        math.hypot(sharp.full_width(ENERGY, 0.2), 0.94 * WAVELENGTH / (200.0 * math.cos(0.1))), rel=1e-9
    )
    strained = powder(width=0.02, strain=1e-3)
    assert strained.full_width(ENERGY, 0.2) > sharp.full_width(ENERGY, 0.2)


def test_texture_moves_intensity_around_the_ring_and_keeps_its_sum() -> None:
    plain = powder().per_photon(ENERGY, 120.0)
    textured = powder(texture=0.5, direction=90.0)
    picture = textured.per_photon(ENERGY, 120.0)
    inside = textured.geometry.two_theta < math.radians(17.0)
    assert float(picture[inside].sum()) == pytest.approx(float(plain[inside].sum()), rel=1e-3)
    ring = np.abs(textured.geometry.two_theta - 0.1324) < 0.004
    upright = ring & (np.abs(textured.geometry.azimuth) > 1.4) & (np.abs(textured.geometry.azimuth) < 1.7)
    assert float(picture[upright].sum() / plain[upright].sum()) == pytest.approx(1.5, abs=0.02)


def test_a_capillary_scatters_where_it_is_hit() -> None:
    sample = powder(capillary=True, thickness=0.8)
    assert sample.thickness(0.0) == pytest.approx(0.8)
    assert sample.thickness(0.24) == pytest.approx(0.64)
    assert sample.thickness(0.5) == 0.0
    off = sample.light([Part(1e9, ENERGY, {"lateral": 0.5})])
    assert not off.any()
    on = sample.light([Part(1e9, ENERGY, {"lateral": 0.24})])
    whole = sample.light([Part(1e9, ENERGY)])
    ratio = sample.cone(sample.families(ENERGY, 0.3)[0], ENERGY, 0.64) / sample.cone(
        sample.families(ENERGY, 0.3)[0], ENERGY
    )
    np.testing.assert_allclose(on, whole * ratio, rtol=1e-4)


def test_rings_shrink_with_energy_and_grow_with_distance() -> None:
    sample = powder()
    for energy, distance in ((40.0, 120.0), (30.0, 90.0)):
        picture = sample.light([Part(1e9, energy, {"distance": distance}, {"distance": distance})])
        radius = distance * math.tan(2.0 * math.asin(12.398419843 / energy / (2.0 * 3.124346)))
        assert radii(picture, sample.geometry, radius - 0.6, radius + 0.6) == pytest.approx(radius, abs=0.01)


def test_an_impossible_powder_is_refused() -> None:
    with pytest.raises(InvalidInput, match="packing"):
        PowderSettings(packing=1.5)
