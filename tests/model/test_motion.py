"""Motion segments: what a trapezoid, a stop and a crossing must satisfy whatever the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.model import motion
from firstlight.model.motion import DURATION, START, Segments

positions = st.floats(-1e4, 1e4, allow_subnormal=False)
speeds = st.floats(1e-3, 1e3)
accelerations = st.floats(1e-2, 1e4)
moments = st.floats(0.0, 1e6)


@st.composite
def moves(draw: st.DrawFn) -> Segments:
    """One move between two different positions."""
    start = draw(positions)
    stop = start + draw(st.floats(1e-3, 1e4)) * draw(st.sampled_from([-1, 1]))
    return motion.trapezoid(start, stop, draw(speeds), draw(accelerations), draw(moments))


@st.composite
def journeys(draw: st.DrawFn) -> Segments:
    """Several moves one after the other, the last one possibly stopped on its way."""
    here, moment = draw(positions), draw(moments)
    rows = [motion.rest(here, moment)]
    for _ in range(draw(st.integers(1, 4))):
        there = here + draw(st.floats(1e-2, 1e3)) * draw(st.sampled_from([-1, 1]))
        rows.append(motion.trapezoid(here, there, draw(speeds), draw(accelerations), moment))
        moment = motion.end(rows[-1]) + draw(st.floats(0.0, 10.0))
        here = there
    segments = np.concatenate(rows)
    if draw(st.booleans()):
        segments = stopped(segments, *draw(st.tuples(st.floats(0.0, 1.0), accelerations)))
    return segments


def stopped(segments: Segments, fraction: float, deceleration: float) -> Segments:
    """The motion as a stop leaves it that was ordered after this fraction of its time."""
    begin = segments[0, START]
    moment = begin + fraction * (motion.end(segments) - begin)
    kept = segments[segments[:, START] < moment] if moment > begin else segments[:1]
    return np.concatenate([kept, motion.halt(segments, moment, deceleration)])


def spacing(segments: Segments) -> float:
    """Roundoff of a position that was computed from this motion (unit)."""
    times = np.append(segments[:, START], motion.end(segments))
    where, speed = motion.states(segments, np.concatenate([times, segments[:, START] + segments[:, DURATION] / 2]))
    return float(1e-11 * np.abs(where).max() + 16 * np.spacing(times.max()) * np.abs(speed).max() + 1e-12)


@given(moves())
def test_a_move_begins_and_ends_at_rest_where_it_was_told_to(segments: Segments) -> None:
    first = segments[0]
    assert motion.state(segments, first[START]) == (first[2], 0.0)
    assert motion.state(segments, motion.end(segments) + 1.0)[1] == 0.0


@given(start=positions, distance=st.floats(1e-3, 1e4), sign=st.sampled_from([-1, 1]), v=speeds, a=accelerations)
def test_a_trapezoid_ends_at_its_target_and_never_passes_its_speed(
    start: float, distance: float, sign: int, v: float, a: float
) -> None:
    stop = start + sign * distance
    segments = motion.trapezoid(start, stop, v, a, 5.0)
    end = motion.end(segments)
    assert motion.state(segments, end + 1)[0] == pytest.approx(stop, abs=1e-9 + 1e-9 * distance)
    where, speed = motion.states(segments, np.linspace(5.0, end, 200))
    assert np.abs(speed).max() <= v * (1 + 1e-9)
    assert np.all(sign * np.diff(where) >= -1e-9 * (abs(start) + distance))


@given(start=positions, distance=st.floats(1e-3, 1e4), v=speeds, a=accelerations)
def test_a_trapezoid_takes_the_time_of_the_textbook(start: float, distance: float, v: float, a: float) -> None:
    segments = motion.trapezoid(start, start + distance, v, a, 0.0)
    travelled = abs(start + distance - start)
    expected = travelled / v + v / a if travelled >= v * v / a else 2 * (travelled / a) ** 0.5
    assert motion.end(segments) == pytest.approx(expected, rel=1e-9)


@given(journeys())
def test_position_and_speed_have_no_steps(segments: Segments) -> None:
    joints = segments[1:, START]
    # A few representable moments earlier, because the end of a segment and the start of the next may round apart.
    tick = 4 * np.spacing(joints.max())
    before, speed_before = motion.states(segments, joints - tick)
    after, speed_after = motion.states(segments, joints)
    assert np.all(np.abs(after - before) <= spacing(segments))
    assert np.all(
        np.abs(speed_after - speed_before)
        <= 1e-9 * (1 + np.abs(speed_before)) + 4 * tick * np.abs(segments[:, 4]).max()
    )


@given(journeys(), st.floats(0.0, 1.0))
def test_every_position_on_the_way_is_crossed_no_later_than_it_was_reached(segments: Segments, fraction: float) -> None:
    begin = segments[0, START]
    moment = begin + fraction * (motion.end(segments) - begin)
    target, _ = motion.state(segments, moment)
    if not np.any(segments[:, DURATION] > 0) or (
        target == segments[0, 2] and np.isnan(motion.crossings(segments, target))
    ):
        return
    found = float(motion.crossings(segments, target))
    slack = spacing(segments)
    assert motion.state(segments, found)[0] == pytest.approx(target, abs=slack)
    # Near a turning point a long time passes within the roundoff of a position, so times are compared by positions.
    assert found <= moment or motion.state(segments, moment)[0] == pytest.approx(target, abs=slack)


@given(journeys())
def test_the_joints_between_segments_are_crossed(segments: Segments) -> None:
    moving = segments[segments[:, DURATION] > 0]
    if len(moving):
        assert not np.isnan(motion.crossings(segments, moving[:, 2])).any()


@given(journeys())
def test_a_position_beyond_the_way_is_never_crossed(segments: Segments) -> None:
    times = np.linspace(segments[0, START], motion.end(segments), 500)
    where = np.append(motion.positions(segments, times), motion.positions(segments, segments[:, START]))
    margin = 1e-2 * (1 + np.ptp(where)) + spacing(segments)
    assert np.isnan(motion.crossings(segments, [where.min() - margin, where.max() + margin])).all()


@given(moves(), st.integers(1, 40))
def test_positions_on_one_way_are_crossed_in_their_order(segments: Segments, count: int) -> None:
    start = segments[0, 2]
    stop = motion.state(segments, motion.end(segments) + 1)[0]
    found = motion.crossings(segments, np.linspace(start, stop, count + 2)[1:-1])
    assert not np.isnan(found).any()
    assert np.all(np.diff(found) >= 0)


@given(journeys(), st.floats(0.0, 1.0), accelerations)
def test_a_stop_decelerates_to_rest_from_where_the_axis_is(segments: Segments, fraction: float, a: float) -> None:
    begin = segments[0, START]
    moment = begin + fraction * (motion.end(segments) - begin)
    where, speed = motion.state(segments, moment)
    halted = motion.halt(segments, moment, a)
    assert motion.state(halted, moment) == (where, speed)
    end = motion.end(halted)
    assert end - moment == pytest.approx(abs(speed) / a, abs=1e-9)
    where_in_the_end, speed_in_the_end = motion.state(halted, end + 1)
    assert where_in_the_end == pytest.approx(where + np.sign(speed) * speed**2 / (2 * a), rel=1e-9, abs=1e-9)
    assert speed_in_the_end == 0.0


def test_an_axis_at_rest_stays_and_crosses_nothing() -> None:
    segments = motion.rest(3.0, 10.0)
    assert motion.positions(segments, [0.0, 10.0, 1e6]).tolist() == [3.0, 3.0, 3.0]
    assert np.isnan(motion.crossings(segments, [2.0, 3.0])).all()
    assert motion.end(segments) == 10.0


def test_a_move_of_no_distance_is_a_rest() -> None:
    assert motion.trapezoid(2.0, 2.0, 1.0, 1.0, 4.0).tolist() == motion.rest(2.0, 4.0).tolist()


def test_moments_of_any_shape_give_positions_of_that_shape() -> None:
    segments = motion.trapezoid(0.0, 1.0, 1.0, 10.0, 0.0)
    assert motion.positions(segments, np.zeros((2, 3))).shape == (2, 3)
    assert motion.positions(segments, 0.0).shape == ()
    assert motion.crossings(segments, np.zeros((2, 3))).shape == (2, 3)


def test_before_the_first_segment_the_axis_rests_at_its_start() -> None:
    segments = motion.trapezoid(1.0, 2.0, 1.0, 10.0, 5.0)
    assert motion.state(segments, 0.0) == (1.0, 0.0)


def test_the_slow_root_is_exact_although_its_formula_would_cancel() -> None:
    # 1e-9 unit/s² on top of 1000 unit/s: the textbook formula loses all digits here.
    segments = np.array([[0.0, 100.0, 0.0, 1000.0, 1e-9]])
    assert float(motion.crossings(segments, 0.5)) == pytest.approx(0.0005, rel=1e-12)


def test_a_segment_that_turns_back_crosses_first_on_its_way_out() -> None:
    segments = np.array([[0.0, 4.0, 0.0, 2.0, -1.0]])
    np.testing.assert_allclose(motion.crossings(segments, [1.5, 2.0, 0.0]), [1.0, 2.0, 0.0])
    assert np.isnan(motion.crossings(segments, 2.1))


def test_a_distance_that_numbers_hardly_tell_from_none_is_no_motion() -> None:
    rows = motion.trapezoid(0.0, 5e-324, 5.0, 10.0, 1.0)
    assert motion.state(rows, 2.0) == (5e-324, 0.0)
