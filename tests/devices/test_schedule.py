from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.devices._schedule import Schedule
from firstlight.devices._track import Track
from firstlight.model import TriggerMode, TriggerPlan
from firstlight.model.motion import Segments, end, halt, positions, rest, trapezoid


class History:
    """An axis that moves and is stopped, published row by row as time goes on."""

    def __init__(self) -> None:
        self.track = Track(5)
        self.track.append(rest(0.0, 0.0))

    def motion(self, axis: str, since: float) -> Segments:
        assert axis == "x"
        return self.track.motion(since)


def plan(points: int, first: float, step: float) -> TriggerPlan:
    return TriggerPlan(mode=TriggerMode.POSITION, points=points, exposure=0.01, axis="x", first=first, step=step)


moves = st.lists(
    st.tuples(
        st.integers(-20_000, 20_000).map(lambda n: n / 1000),
        st.floats(1.0, 10.0),
        st.one_of(st.none(), st.floats(0.05, 3.0)),
    ),
    min_size=1,
    max_size=6,
)


@given(moves=moves, first=st.floats(-5.0, 5.0), step=st.floats(-1.5, 1.5).filter(lambda s: abs(s) > 0.01))
def test_starts_do_not_depend_on_how_often_they_are_looked_at(
    moves: list[tuple[float, float, float | None]], first: float, step: float
) -> None:
    history = History()
    often = Schedule("card", plan(40, first, step), history.motion)
    once = Schedule("camera", plan(40, first, step), history.motion)
    for schedule in (often, once):
        schedule.arm(0.5)
    now, at = 1.0, 0.0
    seen: list[float] = []
    for target, velocity, stopped_after in moves:
        rows = trapezoid(at, target, velocity, 20.0, now)
        history.track.append(rows)
        until = end(rows)
        if stopped_after is not None and now + stopped_after < until:
            # Looked at while more is known in advance than will happen.
            often.keep(now + stopped_after / 2)
            often.start_of(len(seen) + 3)
            stop = halt(history.track.motion(now + stopped_after), now + stopped_after, 20.0)
            history.track.append(stop)
            until = end(stop)
        now = until + 0.25
        at = float(positions(history.track.motion(0.0), [now])[0])
        often.keep(now)
        seen += often.starts(len(seen), now).tolist()
    assert seen == once.starts(0, now).tolist()
    assert seen == [once.start_of(k) for k in range(len(seen))]
    assert np.all(np.diff(seen) >= 0.0)
    where = positions(history.track.motion(0.0), seen) if seen else np.empty(0)
    np.testing.assert_allclose(where, first + step * np.arange(len(seen)), atol=1e-7)


@given(points=st.integers(0, 500), period=st.floats(1e-4, 2.0), until=st.floats(-1.0, 5.0))
def test_starts_in_time_are_multiples_of_the_period(points: int, period: float, until: float) -> None:
    schedule = Schedule("card", TriggerPlan(mode=TriggerMode.TIME, points=points, exposure=0.0, period=period))
    assert schedule.starts(0, until).size == 0, "not armed"
    schedule.arm(1.0)
    starts = schedule.starts(0, until)
    assert starts.tolist() == [1.0 + k * period for k in range(len(starts))]
    assert len(starts) == points or points == 0 or 1.0 + len(starts) * period > until
    assert np.all(starts <= until)
    later = schedule.starts(3, until)
    assert later.tolist() == starts[3:].tolist()


def test_nothing_starts_after_the_end() -> None:
    schedule = Schedule("card", TriggerPlan(mode=TriggerMode.TIME, points=0, exposure=0.1, period=1.0))
    schedule.arm(0.0)
    schedule.end(2.5)
    schedule.end(7.0)
    assert schedule.starts(0, 100.0).tolist() == [0.0, 1.0, 2.0]
    assert schedule.start_of(2) == 2.0
    assert schedule.start_of(3) is None


def test_a_million_positions_are_found_in_pieces() -> None:
    history = History()
    history.track.append(trapezoid(0.0, 1000.0, 10.0, 100.0, 1.0))
    schedule = Schedule("card", plan(1_000_000, 1.0, 0.01), history.motion)
    schedule.arm(0.5)
    schedule.keep(10.0)
    # 0.5 on the ramp and 8.9 s at full speed: 89.5.
    assert len(schedule.starts(0, 10.0)) == 8851
    start = schedule.start_of(90_000)
    assert start is not None
    assert positions(history.motion("x", 0.0), [start])[0] == pytest.approx(901.0)
