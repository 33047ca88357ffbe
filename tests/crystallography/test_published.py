"""Angles that others published, and other libraries.

The four- and six-circle data are SPEC files of beamline 33-BM of the Advanced Photon Source, printed in the
documentation of hklpy ("Compare E4CV 4-circle orientation with SPEC fourc") and in the source of its predecessor.
"""

from __future__ import annotations

import contextlib
import io
import math
from dataclasses import replace
from typing import Any

import ad_hoc_diffractometer as ad_hoc
import numpy as np
import pytest
from diffcalc.hkl.calc import HklCalculation
from diffcalc.hkl.constraints import Constraints
from diffcalc.ub.calc import UBCalculation

from firstlight.crystallography import Diffractometer, Lattice, angles_to_q, geometry
from tests.crystallography.conftest import TRICLINIC, random_rotation

LNO = Lattice(3.781726143, 3.791444574, 3.79890313, 90.2546203, 90.01815424, 89.89967858)
LNO_UB = [
    [-1.658712442, 0.09820024135, -0.000389705578],
    [-0.09554990312, -1.654278629, 0.00242844486],
    [0.0002629818914, 0.009815746824, 1.653961812],
]


def lno() -> Diffractometer:
    fourc = Diffractometer("E4CV", LNO, 1.239424258)  # omega chi phi tth
    fourc.reflections = [
        fourc.reflection((0, 0, 2), (19.1335, 90.0135, 0, 38.09875)),
        fourc.reflection((1, 1, 3), (32.82125, 115.23625, 48.1315, 65.644)),
    ]
    fourc.orient()
    return fourc


def test_two_reflections_give_the_ub_of_spec() -> None:
    assert lno().ub == pytest.approx(np.array(LNO_UB), abs=2e-7)


def test_spec_angles_of_a_four_circle_scan_give_its_hkl() -> None:
    assert lno().forward((33.891, 145.985, 48.22875, 67.78225)) == pytest.approx((2, 2, 1.9), abs=1e-5)


def test_the_angles_of_spec_are_among_the_settings() -> None:
    settings = lno().solutions((2, 2, 1.9))[0]

    assert np.abs(settings - (33.891, 145.985, 48.22875, 67.78225)).max(axis=1).min() < 1e-3


@pytest.mark.parametrize(
    ("angles", "hkl"),
    [
        ((12.102, 90, 0.5799999712, 239.9999477, 0.003, 12.9945), (0, 0, 2)),
        ((21.77425, 90, 0.5799999712, 239.9999477, 47.18, 15.7375), (3, 0, 3)),
        ((21.73025, 90.089, 0.58, 239.94275, 47.14125, 15.7375), (2.99804, 0.00216068, 2.99661)),
    ],
)
def test_spec_angles_of_a_six_circle_surface_scan_give_its_hkl(
    angles: tuple[float, ...], hkl: tuple[float, ...]
) -> None:
    ub = np.array(
        [
            [1.207702707, 1.248454819, 0.002095582696],
            [-1.485612421, 0.9118074731, 0.003241829804],
            [-0.0173752388, 0.02282507942, 1.651530555],
        ]
    )

    q = angles_to_q(geometry("sixc"), angles, 0.8265616267)  # mu theta chi phi delta gamma, Z-axis mode

    assert q @ np.linalg.inv(ub).T == pytest.approx(hkl, abs=1e-5)


def diffcalc(constraints: dict[str, Any]) -> HklCalculation:
    with contextlib.redirect_stdout(io.StringIO()):
        crystal = UBCalculation("test")
        crystal.set_lattice("test", *TRICLINIC.parameters)
        crystal.set_u(random_rotation(3))
    crystal.n_hkl = (0, 0, 1)
    return HklCalculation(crystal, Constraints(constraints))


def psic() -> Diffractometer:
    ours = Diffractometer("psic", TRICLINIC)
    ours.ub = random_rotation(3) @ TRICLINIC.B
    return ours


@pytest.mark.parametrize(
    ("mode", "constraints", "held"),
    [
        ("constant_psi_vertical", {"mu": 0, "nu": 0, "psi": 35}, {}),
        ("constant_psi_vertical", {"mu": 5, "nu": 0, "psi": 35}, {"mu": 5.0}),
        ("constant_alpha_vertical", {"mu": 0, "nu": 0, "alpha": 4}, {}),
        ("constant_beta_vertical", {"mu": 0, "nu": 0, "beta": 3}, {}),
        ("alpha_equals_beta_vertical", {"mu": 0, "nu": 0, "a_eq_b": True}, {}),
        ("constant_phi_vertical", {"mu": 0, "nu": 0, "phi": 12}, {"phi": 12.0}),
        ("constant_chi_vertical", {"mu": 0, "nu": 0, "chi": 80}, {"chi": 80.0}),
        ("constant_psi_horizontal", {"eta": 0, "delta": 0, "psi": 35}, {}),
        ("constant_qaz_psi", {"qaz": 70, "mu": 10, "psi": 35}, {"qaz": 70.0, "mu": 10.0}),
        ("constant_qaz_alpha", {"qaz": 70, "mu": 10, "alpha": 4}, {"qaz": 70.0, "mu": 10.0}),
    ],
)
def test_diffcalc_finds_the_same_settings(mode: str, constraints: dict[str, Any], held: dict[str, float]) -> None:
    ours = psic()
    ours.mode = mode
    ours.wishes = replace(ours.wishes, psi=35, alpha=4, beta=3)
    calculation = diffcalc(constraints)
    rng = np.random.default_rng(5)
    compared = 0
    for hkl in rng.uniform(-2, 2, (6, 3)):
        settings = ours.solutions(hkl, held)[0]
        settings = settings[np.isfinite(settings).all(axis=1)]
        if not len(settings):
            continue
        theirs = calculation.get_position(*hkl, 1.0)
        for position, virtual in theirs:
            wanted = np.array([getattr(position, axis) for axis in ours.axes])
            apart = np.abs((settings - wanted + 180) % 360 - 180).max(axis=1)
            assert apart.min() < 1e-6
            azimuths = ours.azimuths(wanted)
            for name in ("psi", "alpha", "beta", "qaz", "tau"):
                assert math.remainder(float(azimuths[name][0]) - virtual[name], 360) == pytest.approx(0, abs=1e-6)
            compared += 1
        assert len(theirs) >= len(settings)
    assert compared > 8


def test_diffcalc_knows_every_bisecting_setting() -> None:
    ours = psic()
    theirs = diffcalc({"mu": 0, "nu": 0, "bisect": True}).get_position(1, 0.3, 2, 1.0)
    found = [[getattr(position, axis) for axis in ours.axes] for position, _ in theirs]

    for setting in ours.solutions((1, 0.3, 2))[0]:
        assert np.abs((np.array(found) - setting + 180) % 360 - 180).max(axis=1).min() < 1e-6


# Of ad_hoc_diffractometer only geometries whose arm stands by itself: its detector does not follow a shared circle.
@pytest.mark.parametrize(
    ("name", "theirs", "names", "signs"),
    [("psic", "psic", {}, {}), ("K6C", "kappa6c", {"gamma": "nu"}, {"kappa": -1.0})],
)
def test_ad_hoc_diffractometer_gives_the_same_hkl(
    name: str, theirs: str, names: dict[str, str], signs: dict[str, float]
) -> None:
    ours = Diffractometer(name, TRICLINIC, 1.1)
    ours.ub = random_rotation(3) @ TRICLINIC.B
    other = ad_hoc.make_geometry(theirs)
    other.wavelength = 1.1
    other.sample.UB = ours.ub
    rng = np.random.default_rng(2)

    for angles in rng.uniform(-90, 90, (20, len(ours.axes))):
        named = {
            names.get(axis, axis): float(a * signs.get(axis, 1)) for axis, a in zip(ours.axes, angles, strict=True)
        }
        assert ours.forward(angles) == pytest.approx(other.inverse(named), abs=1e-9)
