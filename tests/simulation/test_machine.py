from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.model import InvalidInput
from firstlight.simulation import History, Machine, Ring, misalignment

FULL = Ring(200.0, 1000.0, 60.0)
PAST = History((0.0, 130.0, 200.0), (FULL, Ring(0.0, 1000.0, math.inf, 130.0), Ring(200.0, 1000.0, 60.0, 200.0)))


def test_lost_beam_is_gone_until_the_refill() -> None:
    assert PAST.current_at([129.0, 131.0, 199.0]) == pytest.approx([float(FULL.current_at(129.0)), 0.0, 0.0])
    assert PAST.current_at([200.0, 259.0, 260.0]) == pytest.approx([200.0, 200.0 * math.exp(-0.059), 200.0])


@given(st.floats(0.0, 400.0), st.floats(0.0, 200.0))
def test_the_charge_is_the_integral_of_the_current(start: float, length: float) -> None:
    moments = start + (np.arange(20_000) + 0.5) / 20_000 * length
    expected = PAST.current_at(moments).mean() * length
    assert PAST.charge(start, start + length) == pytest.approx(expected, rel=2e-3, abs=1e-3)


def test_the_first_law_holds_before_its_moment() -> None:
    later = History((100.0,), (FULL,))
    assert later.current_at(30.0) == pytest.approx(200.0 * math.exp(-0.03))


def test_an_injection_disturbs_the_light_for_a_while() -> None:
    machine = Machine(dip=0.4, recovery=0.02)
    since = PAST.since_injection([60.0, 60.02, 61.0])
    assert since == pytest.approx([0.0, 0.02, 1.0])
    assert machine.disturbance(since) == pytest.approx([0.6, 1.0 - 0.4 / math.e, 1.0], abs=1e-6)


def test_the_orbit_drifts_as_much_as_it_should_and_is_the_same_everywhere() -> None:
    machine = Machine(drift=(0.005, 0.002), tilt=(0.0, 0.001), seed=3)
    moments = np.arange(0.0, 500_000.0, 17.0)
    orbit = machine.orbit(moments)
    assert orbit.std(axis=1) == pytest.approx([0.005, 0.0, 0.002, 0.001], rel=0.05)
    assert machine.orbit(moments[7:8])[:, 0] == pytest.approx(orbit[:, 7])
    assert not np.allclose(Machine(drift=(0.005, 0.002), seed=4).orbit(moments)[0], orbit[0])


def test_a_history_needs_a_ring() -> None:
    with pytest.raises(InvalidInput):
        History((), ())


def test_misalignments_are_drawn_from_the_seed_and_the_name_alone() -> None:
    values = [misalignment(5, name, 0.3) for name in ("a", "b", "c", "d", "e", "f", "g", "h")]
    assert all(0.09 <= abs(v) <= 0.3 for v in values)
    assert len(set(values)) == 8
    assert min(values) < 0.0 < max(values)
    assert misalignment(None, "a", 0.3) == 0.0
    code = "from firstlight.simulation import misalignment; print(repr(misalignment(5, 'a', 0.3)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert float(found) == values[0]
