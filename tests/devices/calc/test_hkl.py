from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from firstlight.crystallography import Diffractometer, Lattice
from firstlight.devices import Axis, Surroundings, build
from firstlight.devices.calc import Hkl
from firstlight.devices.calc._hkl_configuration import HklConfiguration
from firstlight.devices.sim import SimAxis
from firstlight.model import FakeClock, InvalidInput, LimitError, NotFound


def circles(positions: Mapping[str, float] | None = None, unit: str = "deg") -> dict[str, Axis]:
    made = {}
    for name in ("omega", "chi", "phi", "tth"):
        sim = SimAxis(name, unit=unit, clock=FakeClock(), position=(positions or {}).get(name, 0.0))
        made[name] = Axis(sim)
    return made


def crystal() -> Diffractometer:
    """Silicon with c* along phi and a* up when all angles are zero."""
    return Diffractometer("E4CV", Lattice(5.431020511), 1.0)


def at(hkl: tuple[float, float, float]) -> Hkl:
    return Hkl("q", crystal(), circles(crystal().inverse(hkl)))


def test_h_k_l_are_where_the_circles_are() -> None:
    here = at((2, 2, 4))

    assert here.positions() == pytest.approx({"h": 2, "k": 2, "l": 4})
    assert [axis.name for axis in here.axes.values()] == ["q.h", "q.k", "q.l"]


def test_one_index_moves_while_the_others_stay() -> None:
    here = at((2, 2, 4))

    found = here.targets({"q.l": np.linspace(4, 5, 11)})

    hkl = crystal().forward(np.stack([found[name] for name in crystal().axes], axis=-1))
    assert hkl == pytest.approx(np.column_stack([np.full(11, 2), np.full(11, 2), np.linspace(4, 5, 11)]))
    assert all(np.abs(np.diff(values)).max() < 5 for values in found.values())


def test_circles_in_radians_are_converted() -> None:
    setting = crystal().inverse((2, 2, 4))
    radians = Hkl("q", crystal(), circles({name: math.radians(angle) for name, angle in setting.items()}, "rad"))

    assert radians.positions() == pytest.approx({"h": 2, "k": 2, "l": 4})
    assert radians.at("h", 2.0) == pytest.approx({name: math.radians(angle) for name, angle in setting.items()})


def test_out_of_reach_and_beyond_the_limits_of_a_circle_are_refused() -> None:
    here = at((2, 2, 4))
    with pytest.raises(LimitError, match="no position of omega stands for it"):
        here.at("l", 40.0)

    farther = here.at("l", 5.0)["tth"]
    here.real_axes["tth"].limits = (-0.5, farther - 0.1)
    with pytest.raises(LimitError):
        here.at("l", 5.0)
    assert here.at("l", 4.1)["tth"] < farther
    assert not here.diffractometer.limits  # its own limits are untouched


def test_a_change_of_energy_counts_at_once() -> None:
    here = at((2, 2, 4))
    here.diffractometer.wavelength = 1.1

    assert here.positions()["h"] == pytest.approx(2 / 1.1)


def test_circles_that_do_not_fit_the_geometry_are_refused() -> None:
    with pytest.raises(InvalidInput, match="q: E4CV has the circles omega, chi, phi, tth"):
        Hkl("q", crystal(), {"omega": circles()["omega"]})


CONFIGURATION: dict[str, Any] = {
    "name": "q",
    "kind": "calc.hkl",
    "geometry": "E4CV",
    "circles": {"omega": "th", "chi": "chi", "phi": "phi", "tth": "tth"},
    "lattice": [5.431020511, 5.431020511, 5.431020511, 90, 90, 90],
    "energy": "10 keV",
    "mode": "constant_phi",
    "cuts": {"phi": 0},
}


def session(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    surroundings = Surroundings(FakeClock(), devices=found)
    for name in ("th", "chi", "phi", "tth"):
        found[name] = build({"kind": "sim.axis", "name": name, "unit": "deg"}, surroundings)
    found["q"] = build({**CONFIGURATION, **changes}, surroundings)
    return found


def test_h_k_l_from_their_configuration() -> None:
    q = session()["q"]

    assert q.diffractometer.energy == pytest.approx(10)
    assert q.diffractometer.mode == "constant_phi"
    assert q.diffractometer.cuts == {"omega": -180, "chi": -180, "phi": 0, "tth": -180}
    assert q.diffractometer.lattice == Lattice(5.431020511)
    found = q.targets({"q.h": np.array([1.0]), "q.k": np.array([1.0]), "q.l": np.array([3.0])})
    assert set(found) == {"th", "chi", "phi", "tth"}
    assert found["phi"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"geometry": "e5"}, "'e5' is no known diffractometer.*psic"),
        ({"mode": "bissector"}, "E4CV has no mode 'bissector'.*bisecting"),
        ({"lattice": [1, 1, 1, 120, 120, 120]}, "No cell has the angles"),
        ({"circles": {"omega": "th", "chi": "chi", "phi": "phi"}}, "the circles omega, chi, phi, tth"),
        ({"circles": {"omega": "th", "chi": "chi", "phi": "phi", "tth": "th"}}, "th is given for two"),
        ({"circles": {"omega": "th", "chi": "chi", "phi": "phi", "tth": "no"}}, "There is no device no"),
    ],
)
def test_a_wrong_configuration_is_one_clear_sentence(changes: dict[str, Any], why: str) -> None:
    with pytest.raises((InvalidInput, NotFound), match=why):
        session(**changes)


def test_circles_that_the_geometry_has_not_are_found_before_anything_is_built() -> None:
    circles = {"omega": "th", "chi": "chi", "phi": "phi", "delta": "tth"}
    wrong = HklConfiguration(name="q", geometry="E4CV", circles=circles)

    assert [misfit.message for misfit in wrong.misfits({})] == [
        "E4CV has no such circle.",
        "No axis is given for tth.",
    ]
