"""Measurement groups, and what they switch off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from firstlight.devices import SoftCounter
from firstlight.model import ChannelSpec, Conflict, InvalidInput, NotFound
from firstlight.scanning import MeasurementGroups, loopscan
from tests.scanning.conftest import Beamline


@pytest.fixture
def groups(beamline: Beamline) -> MeasurementGroups:

    channels = [ChannelSpec(f"bpm:{part}", source="bpm") for part in ("x", "y", "intensity")]
    beamline.add(SoftCounter("bpm", lambda: (1.0, 2.0, 3.0), channels=channels))
    made: list[MeasurementGroups] = []

    def regroup() -> None:
        engine, group = beamline.engine, made[0]
        active = (group.active_name,) if group.active_name else ()
        engine.devices = replace(engine.devices, groups=group.members, off=group.off, default=active)

    made.append(MeasurementGroups(lambda: beamline.engine.devices, regroup))
    return made[0]


def test_the_active_group_measures_when_a_scan_names_nothing(groups: MeasurementGroups, beamline: Beamline) -> None:
    groups.add("one", "ring")
    groups.add("two", "diode", "ring")
    beamline.engine.run(loopscan(2, 0.1))
    assert "diode" not in beamline.run.channels
    groups.active = "two"
    beamline.engine.run(loopscan(2, 0.1))
    assert {"diode", "ring"} <= set(beamline.run.channels)


def test_channels_are_switched_off_and_on_by_pattern(groups: MeasurementGroups, beamline: Beamline) -> None:
    group = groups.add("all", "bpm", "ring", "diode")
    assert group.disable("bpm:[xy]", "ring") == ("bpm:intensity", "diode")
    beamline.engine.run(loopscan(2, 0.1))
    assert {"bpm:intensity", "diode"} <= set(beamline.run.channels)
    assert not {"bpm:x", "bpm:y", "ring"} & set(beamline.run.channels)
    np.testing.assert_array_equal(beamline.run["bpm:intensity"], [3.0, 3.0])
    assert group.enable("bpm*") == ("bpm:x", "bpm:y", "bpm:intensity", "diode")
    beamline.engine.run(loopscan(2, 0.1))
    assert "bpm:y" in beamline.run.channels


def test_a_device_named_beside_its_group_is_measured_whole(groups: MeasurementGroups, beamline: Beamline) -> None:
    groups.add("all", "bpm").disable("bpm:x")
    beamline.engine.run(loopscan(1, 0.1, "all", "bpm"))
    assert "bpm:x" in beamline.run.channels


def test_a_device_whose_channels_are_all_off_is_not_asked(groups: MeasurementGroups, beamline: Beamline) -> None:
    groups.add("all", "bpm", "cam").disable("bpm", "cam")
    assert beamline.engine.devices.measuring(()) == ([], [])


def test_a_pattern_that_fits_nothing_is_answered_with_the_nearest(groups: MeasurementGroups) -> None:
    group = groups.add("all", "bpm", "ring")
    with pytest.raises(NotFound, match=r"all has no channel rong. Did you mean ring"):
        group.disable("rong")
    assert group.disabled == ()


def test_groups_within_groups(groups: MeasurementGroups) -> None:
    groups.add("inner", "ring").disable("ring")
    outer = groups.add("outer", "inner", "diode")
    assert outer.channels == ("ring", "diode")
    with pytest.raises(InvalidInput, match="would contain itself"):
        groups.add("inner", "outer")
    with pytest.raises(Conflict, match="outer contains inner"):
        groups.remove("inner")
    groups.remove("outer")
    assert list(groups) == ["inner"]


def test_bad_groups_are_refused(groups: MeasurementGroups) -> None:
    with pytest.raises(NotFound, match=r"There is no counter, camera or group dioe. Did you mean diode"):
        groups.add("x", "dioe")
    with pytest.raises(InvalidInput, match="name of a device"):
        groups.add("ring", "diode")
    with pytest.raises(InvalidInput, match="not a name"):
        groups.add("a b", "diode")
    with pytest.raises(InvalidInput, match="no members"):
        groups.add("x")
    with pytest.raises(NotFound, match="There is no measurement group x"):
        groups.active = "x"
    assert len(groups) == 0


def test_removing_the_active_group_makes_another_one_active(groups: MeasurementGroups) -> None:
    groups.add("a", "ring")
    groups.add("b", "diode")
    groups.remove("a")
    assert groups.active is groups["b"]
    groups.remove("b")
    assert groups.active is None


def test_they_print_themselves(groups: MeasurementGroups) -> None:
    groups.add("tomo", "ring", "bpm").disable("bpm:x")
    groups.add("other", "diode")
    assert repr(groups).splitlines() == [
        "* tomo   ring, bpm:y, bpm:intensity  (off: bpm:x)",
        "  other  diode",
    ]
    assert "tomo (active): ring" in repr(groups.tomo)
