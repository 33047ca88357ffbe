from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import numpy as np
import pytest

from firstlight.model import InvalidInput, Scan, ScanKind, TriggerMode
from firstlight.scanning import (
    COMMANDS,
    a2scan,
    a3scan,
    a5scan,
    amesh,
    anmesh,
    anscan,
    ascan,
    ct,
    d2scan,
    d3scan,
    d4scan,
    dmesh,
    dnmesh,
    dnscan,
    dscan,
    flyscan,
    lookupscan,
    loopscan,
    pointscan,
    sct,
    timescan,
    tomo,
)
from tests.scanning.conftest import Beamline


class Thing:
    name = "rot"


def test_intervals_are_one_less_than_points_of_a_step_scan() -> None:
    assert ascan("rot", 0, 10, 5, 0.1).npoints == 6
    assert amesh("a", 0, 1, 3, "b", 0, 1, 4, 0.1).npoints == 20


def test_intervals_are_frames_of_a_continuous_scan() -> None:
    assert flyscan("rot", 0, 180, 900, 0.01).npoints == 900


def test_scans_of_several_axes_count_their_points() -> None:
    assert a2scan("a", 0, 1, "b", 5, 6, 10, 0.1).npoints == 11
    assert a5scan("a", 0, 1, "b", 5, 6, "c", 0, 1, "d", 0, 1, "e", 0, 1, 10, 0.1).npoints == 11
    assert anscan([("a", 0, 1), ("b", 5, 6), ("c", 2, 3)], 10, 0.1).npoints == 11
    assert dmesh("a", 0, 1, 3, "b", 0, 1, 4, 0.1).npoints == 20
    assert anmesh([("a", 0, 1, 3), ("b", 0, 1, 4), ("c", 0, 1, 1)], 0.1).npoints == 40
    assert pointscan("a", (0, 1, 5), 0.1).npoints == 3
    assert lookupscan([("a", [0, 1, 5]), ("b", np.array([2, 2, 3]))], 0.1).npoints == 3


def test_lists_in_titles_are_short_and_numbers_of_any_kind_are_positions() -> None:
    assert pointscan("a", [0, 1.5], 0.1, "diode").title == "pointscan a [0,1.5] 0.1 diode"
    assert lookupscan([("a", [0, 1]), ("b", [2, 3])], 1).title == "lookupscan [[a,[0,1]],[b,[2,3]]] 1"
    assert len(pointscan("a", np.linspace(0, 1, 1000), 0.1).title) < 200
    assert pointscan("a", ["1 mm", "0.2 cm"], 0.1).units == {"a": "mm"}


def test_a_scan_survives_the_way_through_json() -> None:
    for scan in (ascan("rot", 0, 1, 2, 0.1, "diode"), flyscan("rot", 0, 1, 2, 0.1), ct(1), timescan("10 ms")):
        assert Scan.model_validate_json(scan.model_dump_json()) == scan


def test_the_title_is_what_was_typed() -> None:
    assert ascan("rot", 0, 10.5, 5, "10 ms", "diode").title == "ascan rot 0 10.5 5 10ms diode"
    assert loopscan(10, 0.1, title="my loop").title == "my loop"


def test_a_device_may_be_given_instead_of_its_name() -> None:
    assert ascan(Thing(), 0, 1, 2, 0.1, Thing()).title == "ascan rot 0 1 2 0.1 rot"


def test_times_may_be_texts_with_a_unit() -> None:
    assert loopscan(1, "10 ms").count_time == pytest.approx(0.01)
    assert ascan("rot", 0, 1, 2, 1, stab_time="2 min").stab_time == pytest.approx(120)


def test_positions_with_a_unit_keep_it() -> None:
    scan = ascan("sy", "1 mm", "0.2 cm", 4, 0.1)
    assert scan.units == {"sy": "mm"}
    assert scan.path == ascan("sy", 1, 2, 4, 0.1).path
    assert ascan("sy", 1, 2, 4, 0.1).units == {}


def test_a_count_is_not_saved_and_a_loop_is() -> None:
    assert not ct(0.1).save
    assert sct(0.1).save
    assert loopscan(1, 0.1).save
    assert not loopscan(1, 0.1, save=False).save


def test_an_endless_time_scan_has_no_number_of_points() -> None:
    assert timescan(0.1).npoints == 0
    assert timescan(0.1, npoints=7).npoints == 7


def test_a_relative_scan_says_so() -> None:
    assert dscan("rot", -1, 1, 10, 0.1).relative
    assert not ascan("rot", -1, 1, 10, 0.1).relative
    assert d2scan("a", 0, 1, "b", 0, 1, 10, 0.1).relative
    assert d4scan("a", 0, 1, "b", 0, 1, "c", 0, 1, "d", 0, 1, 10, 0.1).relative
    assert dmesh("a", 0, 1, 1, "b", 0, 1, 1, 0.1).relative
    assert dnscan([("a", 0, 1)], 10, 0.1).relative
    assert dnmesh([("a", 0, 1, 2)], 0.1).relative


def test_the_kind_and_trigger_follow_from_the_command() -> None:
    assert ascan("rot", 0, 1, 2, 0.1).kind is ScanKind.STEP
    assert flyscan("rot", 0, 1, 2, 0.1, trigger="position").trigger is TriggerMode.POSITION
    assert loopscan(3, 0.1, trigger="time").trigger is TriggerMode.TIME
    assert ct(0.1).trigger is TriggerMode.SOFTWARE


REFUSED: list[tuple[str, Callable[[], Any], str]] = [
    ("no intervals", lambda: ascan("rot", 0, 1, 0, 0.1), "intervals: 0 is too few"),
    ("negative intervals", lambda: flyscan("rot", 0, 1, -5, 0.1), "intervals: -5 is too few"),
    ("half an interval", lambda: ascan("rot", 0, 1, 2.5, 0.1), "intervals: 2.5 is not a whole number"),  # type: ignore[arg-type]
    ("a yes for a number", lambda: ascan("rot", 0, 1, True, 0.1), "intervals: True is not a whole number"),
    ("no points", lambda: loopscan(0, 0.1), "npoints: 0 is too few"),
    ("negative time", lambda: ct(-1), "count_time: -1 is negative"),
    ("endless time", lambda: ct(float("inf")), "count_time: inf is not a finite number"),
    ("time in metres", lambda: ct("3 m"), "count_time: '3 m' is not a quantity in s"),
    ("a counter as time", lambda: ascan("rot", 0, 1, 2, "diode"), "count_time: 'diode' is not a quantity in s"),
    ("nothing as time", lambda: ct(None), "count_time: None is not a number"),  # type: ignore[arg-type]
    ("no number", lambda: ascan("rot", float("nan"), 1, 2, 0.1), "start: nan is not a finite number"),
    ("a list as position", lambda: ascan("rot", 0, [1], 2, 0.1), "stop: [1] is not a number"),  # type: ignore[arg-type]
    ("a word as position", lambda: ascan("rot", "left", 1, 2, 0.1), "start: 'left' is not a position"),
    ("an unknown unit", lambda: ascan("rot", "1 foo", "2 foo", 2, 0.1), "start: foo is not a unit"),
    ("one unit only", lambda: ascan("rot", "1 mm", 2, 2, 0.1), "mixes plain numbers with units"),
    ("two kinds of unit", lambda: ascan("rot", "1 mm", "2 s", 2, 0.1), "stop: '2 s' is not a quantity in mm"),
    ("a number as axis", lambda: ascan(3, 0, 1, 2, 0.1), "axis: 3 is not the name of a device"),  # type: ignore[arg-type]
    ("an empty name", lambda: ascan("", 0, 1, 2, 0.1), "axis: '' is not the name of a device"),
    ("a counter twice", lambda: ct(1, "diode", "diode"), "counters: diode is given twice"),
    ("one axis twice", lambda: a2scan("a", 0, 1, "a", 0, 1, 2, 0.1), "a2scan: a is named twice"),
    ("a wrong third stop", lambda: d3scan("a", 0, 1, "b", 0, 1, "c", 0, "x", 2, 0.1), "stop3: 'x' is not a position"),
    ("a wrong second start", lambda: a2scan("a", 0, 1, "b", "x", 1, 2, 0.1), "start2: 'x' is not a position"),
    ("no list of axes", lambda: anscan("rot", 5, 0.1), "anscan: 'rot' is not a list of (axis, start, stop)"),  # type: ignore[arg-type]
    ("a number as list", lambda: anscan(3, 5, 0.1), "anscan: 3 is not a list"),  # type: ignore[arg-type]
    ("a row too short", lambda: anscan([("a", 0)], 5, 0.1), "anscan: ('a', 0) is not (axis, start, stop)"),  # type: ignore[list-item]
    ("no axes", lambda: anmesh([], 0.1), "anmesh: there is no axis"),
    ("one position", lambda: pointscan("a", 5, 0.1), "pointscan: 5 is not a list of positions of a"),  # type: ignore[arg-type]
    ("no positions", lambda: pointscan("a", [], 0.1), "pointscan: there are no positions for a"),
    ("a word in a list", lambda: pointscan("a", [0, "x"], 0.1), "positions[1]: 'x' is not"),
    (
        "lists of two lengths",
        lambda: lookupscan([("a", [0, 1]), ("b", [2])], 0.1),
        "lookupscan: b has 1 positions and a has 2",
    ),
    ("one axis in both directions", lambda: amesh("a", 0, 1, 2, "a", 0, 1, 2, 0.1), "a cannot be both axes"),
    ("a flight on the spot", lambda: flyscan("rot", 5, 5, 2, 0.1), "rot would not move"),
    ("a flight without exposure", lambda: flyscan("rot", 0, 5, 2, 0), "an exposure of more than 0 s"),
    ("an unknown trigger", lambda: flyscan("rot", 0, 5, 2, 1, trigger="moon"), "trigger: 'moon' is not possible"),  # type: ignore[arg-type]
    ("a software flight", lambda: flyscan("rot", 0, 5, 2, 1, trigger="software"), "trigger: 'software' is not"),  # type: ignore[arg-type]
    ("pauses in free running", lambda: loopscan(3, 1, trigger="time", sleep_time=1), "does not wait between points"),
    ("flats without a place", lambda: tomo("rot", 0, 180, 10, 0.1, flat_axis="sy"), "go together"),
    (
        "flats by rotation",
        lambda: tomo("rot", 0, 180, 10, 0.1, flat_axis="rot", flat_position=1),
        "rot is the rotation axis",
    ),
    ("negative darks", lambda: tomo("rot", 0, 180, 10, 0.1, darks=-1), "darks: -1 is too few"),
]


@pytest.mark.parametrize(("make", "sentence"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_makes_no_sense_is_refused_in_one_sentence(make: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        make()
    assert sentence in refused.value.message
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_annotated_and_explains_itself(name: str) -> None:
    command = COMMANDS[name]
    hints = get_type_hints(command)
    assert hints["return"] is Scan
    assert set(inspect.signature(command).parameters) < set(hints)
    assert command.__doc__


def test_three_axes_go_together_from_start_to_stop(beamline: Beamline) -> None:
    outcome = beamline.engine.run(a3scan("rot", 0, 10, "sy", 1, 0, "soft", -1, 1, 4, 0.1))
    assert outcome.ok
    assert outcome.title == "a3scan rot 0 10 sy 1 0 soft -1 1 4 0.1"
    np.testing.assert_allclose(beamline.run["rot"], [0, 2.5, 5, 7.5, 10], atol=1e-9)
    np.testing.assert_allclose(beamline.run["sy"], [1, 0.75, 0.5, 0.25, 0], atol=1e-9)
    np.testing.assert_allclose(beamline.run["soft"], [-1, -0.5, 0, 0.5, 1], atol=1e-9)
