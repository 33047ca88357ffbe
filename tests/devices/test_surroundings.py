from __future__ import annotations

import pytest

from firstlight.devices import Surroundings
from firstlight.model import FakeClock, NotFound


def test_a_builder_finds_the_devices_built_before_by_name() -> None:
    built: dict[str, object] = {}
    surroundings = Surroundings(FakeClock(), devices=built)
    built["bragg"] = motor = object()
    assert surroundings.device("bragg") is motor


def test_a_device_that_is_not_there_is_told_with_the_nearest_name() -> None:
    surroundings = Surroundings(FakeClock(), devices={"bragg": 1, "gap": 2})
    with pytest.raises(NotFound, match=r"There is no device brag\. Did you mean bragg\?"):
        surroundings.device("brag")
    with pytest.raises(NotFound, match=r"There are, so far: none\."):
        Surroundings(FakeClock()).device("gap")
