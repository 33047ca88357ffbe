"""The ramp and its windows."""

from __future__ import annotations

import numpy as np
import pytest

from firstlight.kernels import FILTERS, filter_response
from firstlight.model import InvalidInput


def test_the_ramp_approaches_the_absolute_frequency() -> None:
    response = filter_response("ramp", 4096)
    frequency = np.abs(np.fft.fftfreq(4096))
    assert np.allclose(response[8:], frequency[8:], atol=1e-3)


def test_the_ramp_keeps_a_little_of_the_mean_because_it_is_sampled_in_space() -> None:
    response = filter_response("ramp", 1024)
    assert 0 < response[0] < 1 / 1024


@pytest.mark.parametrize("name", [name for name in FILTERS if name != "none"])
def test_every_window_starts_at_the_ramp_and_never_exceeds_it(name: str) -> None:
    ramp = filter_response("ramp", 512)
    response = filter_response(name, 512)
    assert np.all(response <= ramp + 1e-7)
    assert response[1] == pytest.approx(ramp[1], rel=1e-3)
    assert np.allclose(response[1:], response[:0:-1])


def test_nothing_passes_above_the_cutoff() -> None:
    response = filter_response("hann", 512, cutoff=0.5)
    frequency = np.abs(np.fft.fftfreq(512))
    assert np.all(response[frequency > 0.25] == 0)
    assert np.all(response[frequency < 0.24] > 0)


def test_no_filter_passes_everything() -> None:
    assert np.all(filter_response("none", 64) == 1)


def test_unknown_filters_and_impossible_cutoffs_are_refused() -> None:
    with pytest.raises(InvalidInput, match="no filter 'ram'"):
        filter_response("ram", 64)
    with pytest.raises(InvalidInput, match="cutoff"):
        filter_response("ramp", 64, cutoff=0.0)
