"""Stacks of frames, and what is picked out of them."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.model import InvalidInput
from firstlight.tasks.tomography import Picked, Projections

STACK = np.arange(9 * 4 * 5).reshape(9, 4, 5)


@pytest.mark.parametrize("indices", [[0, 1, 2], [2, 5, 6, 8], [8, 3, 4, 0], []])
def test_picked_frames_are_those_of_the_stack_in_the_order_asked(indices: list[int]) -> None:
    picked = Picked(STACK, indices)
    assert picked.shape == (len(indices), 4, 5)
    assert np.array_equal(picked[0 : len(indices), 1:3], STACK[indices][:, 1:3])


def test_part_of_what_was_picked_can_be_read() -> None:
    assert np.array_equal(Picked(STACK, [1, 2, 5, 7])[1:3, 0:4], STACK[[2, 5]])


def test_image_keys_sort_frames_and_leave_out_invalid_and_repeated_ones() -> None:
    keys = np.array([2, 1, 0, 0, 3, 0, -1, 1, 0])
    found = Projections.from_keys(STACK, keys, np.arange(9.0), monitor=np.arange(1.0, 10.0), sample="s")
    assert np.array_equal(found.frames[0:4, 0:4], STACK[[2, 3, 5, 8]])
    assert found.flats is not None
    assert found.darks is not None
    assert np.array_equal(found.flats[0:2, 0:4], STACK[[1, 7]])
    assert np.array_equal(found.darks[0:1, 0:4], STACK[[0]])
    assert found.angles.tolist() == [2, 3, 5, 8]
    assert found.moments is not None
    assert found.moments.tolist() == [2, 3, 5, 8]
    assert found.flat_moments is not None
    assert found.flat_moments.tolist() == [1, 7]
    assert found.monitor is not None
    assert found.monitor.tolist() == [3, 4, 6, 9]
    assert found.flat_monitor is not None
    assert found.flat_monitor.tolist() == [2, 8]
    assert (found.rows, found.width, found.sample) == (4, 5, "s")


def test_a_stack_without_projections_is_refused() -> None:
    with pytest.raises(InvalidInput, match="image key 0"):
        Projections.from_keys(STACK, np.ones(9), np.zeros(9))


def test_pieces_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(InvalidInput, match="8 angles do not fit 9 frames"):
        Projections(STACK, np.zeros(8))
    with pytest.raises(InvalidInput, match="Flats of"):
        Projections(STACK, np.zeros(9), flats=STACK[:, :2])
    with pytest.raises(InvalidInput, match="3 moments of flats"):
        Projections(STACK, np.zeros(9), flats=STACK, flat_moments=np.zeros(3))
    with pytest.raises(InvalidInput, match="no angle"):
        Projections(STACK, np.full(9, np.nan))
    with pytest.raises(InvalidInput, match="shape"):
        Projections(STACK[0], np.zeros(4))
    with pytest.raises(InvalidInput, match="8 image keys"):
        Projections.from_keys(STACK, np.zeros(8), np.zeros(9))
