from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.devices._backlash import Backlash
from firstlight.devices._travel import slowed, travel_time

place = st.floats(-100, 100)
size = st.floats(0.01, 5).map(lambda x: round(x, 3))


def followed(play: Backlash, start: float, targets: list[float], side: int | None = None) -> list[float]:
    """All positions at which it comes to rest."""
    visited = [start]
    for target in targets:
        for leg in play.legs(visited[-1], target, side):
            play.moved(visited[-1], leg)
            visited.append(leg)
    return visited


def test_a_motion_along_the_backlash_goes_straight() -> None:
    assert Backlash(0.5).legs(0.0, 3.0) == (3.0,)
    assert Backlash(-0.5).legs(3.0, 0.0) == (0.0,)


def test_a_motion_against_it_goes_too_far_and_comes_back() -> None:
    assert Backlash(0.5).legs(3.0, 0.0) == (-0.5, 0.0)
    assert Backlash(-0.5).legs(0.0, 3.0) == (3.5, 3.0)


def test_without_backlash_everything_is_straight() -> None:
    assert Backlash().legs(3.0, 0.0) == (0.0,)
    assert Backlash().legs(3.0, 0.0, 1) == (0.0,)


def test_a_motion_to_where_it_is_does_nothing_unless_the_play_is_loose() -> None:
    play = Backlash(0.5)
    assert play.legs(1.0, 1.0) == (1.0,)
    play.moved(5.0, 1.0)  # for instance stopped before it came back
    assert play.legs(1.0, 1.0) == (0.5, 1.0)
    assert play.legs(1.0, 1.2) == (0.7, 1.2)
    assert play.legs(1.0, 1.6) == (1.6,)


def test_what_moved_it_otherwise_leaves_the_play_unknown() -> None:
    play = Backlash(0.5)
    play.unknown()
    assert play.legs(1.0, 1.1) == (1.1 - 0.5, 1.1)


@given(size=size, sign=st.sampled_from([-1, 1]), start=place, targets=st.lists(place, min_size=1, max_size=8))
def test_the_last_part_of_every_motion_is_travelled_in_one_direction(
    size: float, sign: int, start: float, targets: list[float]
) -> None:
    play = Backlash(sign * size)
    visited = followed(play, start, targets)
    # Whatever happened before, at each target the mechanics rest on the same side of the play.
    loose = 0.0
    rested: list[float] = []
    for a, b in itertools.pairwise(visited):
        loose = min(max(loose - sign * (b - a), 0.0), size)
        rested.append(loose)
    assert rested[-1] == pytest.approx(0.0, abs=1e-6)
    assert visited[-1] == targets[-1]


@given(size=size, side=st.sampled_from([-1, 1]), start=place, target=place)
def test_a_side_asked_for_wins_over_the_sign(size: float, side: int, start: float, target: float) -> None:
    for sign in (-1, 1):
        legs = Backlash(sign * size).legs(start, target, side)
        last = legs[-2] if len(legs) > 1 else start
        assert (legs[-1] - last) * side >= 0.0
        assert legs[-1] == target
        assert Backlash(sign * size).legs(start, target, 0) == (target,)


@given(size=size, start=place, targets=st.lists(place, min_size=1, max_size=20))
def test_overshoots_of_a_path_are_those_of_its_motions(size: float, start: float, targets: list[float]) -> None:
    play = Backlash(size)
    told = play.overshoots(start, np.array(targets))
    at = start
    for target, overshoot in zip(targets, told.tolist(), strict=True):
        legs = play.legs(at, target)
        if abs(at - target) > 1e-6:
            assert math.isnan(overshoot) == (len(legs) == 1)
            assert len(legs) == 1 or legs[0] == overshoot
        at = target


@given(
    distances=st.lists(st.floats(0.01, 100), min_size=1, max_size=3),
    velocity=st.floats(0.1, 50),
    acceleration=st.floats(0.1, 100) | st.just(math.inf),
    factor=st.floats(1.0, 20),
)
def test_slowed_motions_take_the_time_asked_for(
    distances: list[float], velocity: float, acceleration: float, factor: float
) -> None:
    seconds = factor * sum(travel_time(d, velocity, acceleration) for d in distances)
    slower = slowed(distances, seconds, acceleration)
    assert sum(travel_time(d, slower, acceleration) for d in distances) == pytest.approx(seconds, rel=1e-6)
    assert (
        slower <= velocity * (1 + 1e-6) or factor < 1 + 1e-6 or any(d < velocity**2 / acceleration for d in distances)
    )
