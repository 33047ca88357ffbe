from __future__ import annotations

import numpy as np
import pytest

from firstlight.model import InvalidInput
from firstlight.simulation import DarkField, DarkFieldSettings, Part

SHAPE = (40, 50)


def stack(field: DarkField, name: str, positions: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray:
    """Pictures with the other inputs where each pixel reflects most, one pixel's worth at a time."""
    return np.array([field.light([Part(1e9, 17.0, {name: float(x)})]) for x in positions])


def test_the_centre_of_mass_of_a_rocking_scan_is_the_orientation_of_each_pixel() -> None:
    field = DarkField(SHAPE, DarkFieldSettings(phi=10.0, chi=-2.0, misorientation=0.1, seed=3))
    for name, truth in (("phi", field.phi), ("chi", field.chi)):
        positions = np.linspace(float(truth.min()) - 0.3, float(truth.max()) + 0.3, 141)
        images = stack(field, name, positions).astype(np.float64)
        weight = images.sum(axis=0)
        lit = weight > 1e-3 * weight.max()
        assert lit.mean() > 0.05
        com = (images * positions[:, None, None]).sum(axis=0)[lit] / weight[lit]
        np.testing.assert_allclose(com, truth[lit], atol=2e-4)


def test_strain_moves_two_theta_as_bragg_says() -> None:
    field = DarkField(SHAPE, DarkFieldSettings(misorientation=0.0, bending=0.0, strain=5e-4, two_theta=30.0))
    positions = np.linspace(29.5, 30.5, 201)
    images = stack(field, "two_theta", positions).astype(np.float64)
    com = (images * positions[:, None, None]).sum(axis=0) / images.sum(axis=0)
    spacing = np.sin(np.radians(15.0)) / np.sin(np.radians(com / 2.0))
    np.testing.assert_allclose(spacing - 1.0, field.strain, atol=3e-6)
    assert float(field.strain.std()) == pytest.approx(5e-4, rel=1e-3)


def test_a_pixel_has_the_width_of_its_mosaic() -> None:
    field = DarkField(SHAPE, DarkFieldSettings(width=0.06, acceptance=10.0, bending=0.0))
    row, column = 20, 25
    at = {"phi": float(field.phi[row, column]), "chi": float(field.chi[row, column])}
    top = field.light([Part(1e9, 17.0, at)])[row, column]
    side = field.light([Part(1e9, 17.0, at | {"phi": at["phi"] + 0.03})])[row, column]
    assert side / top == pytest.approx(0.5, rel=1e-3)
    assert top == pytest.approx(1e9 * field.efficiency[row, column], rel=1e-3)


def test_parts_of_an_exposure_add() -> None:
    field = DarkField(SHAPE)
    parts = [Part(1e8, 17.0, {"phi": 0.0}, {"phi": 0.1}), Part(2e8, 17.0, {"phi": 0.1}, {"phi": 0.2})]
    np.testing.assert_allclose(field.light(parts), field.light(parts[:1]) + field.light(parts[1:]), rtol=1e-5)
    assert not field.light([]).any()


def test_the_truth_gives_the_maps_again() -> None:
    field = DarkField(SHAPE, DarkFieldSettings(grains=5, seed=9))
    truth = field.truth()
    again = DarkField(tuple(truth["shape"]), DarkFieldSettings(**truth["field"]))
    for name in ("phi", "chi", "strain", "two_theta", "efficiency", "grain"):
        np.testing.assert_array_equal(getattr(field, name), getattr(again, name))
    assert len(np.unique(field.grain)) == 5
    assert not np.array_equal(field.phi, DarkField(SHAPE, DarkFieldSettings(grains=5, seed=8)).phi)
    with pytest.raises(InvalidInput, match="grain"):
        DarkFieldSettings(grains=0)
