from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from firstlight.model import LimitError
from firstlight.scanning import amesh, ascan, dscan, flyscan, loopscan, timescan
from firstlight.scanning._estimate import size, span
from tests.scanning.conftest import Beamline

SCANS = [
    loopscan(10, 0.5, sleep_time=0.1),
    loopscan(10, 0.5, "cam", trigger="time"),
    ascan("rot", 5, 50, 9, 0.1, stab_time=0.5),
    dscan("rot", -1, 1, 20, 0.1),
    amesh("rot", 0, 1, 5, "sy", 0, 10, 3, 0.1),
    amesh("rot", 0, 1, 5, "sy", 0, 10, 3, 0.1, backnforth=True),
    flyscan("rot", 0, 90, 200, 0.1, "cam"),
    flyscan("rot", 0, 90, 200, 0.1, "cam", trigger="position", back=True),
]


@pytest.mark.parametrize("scan", SCANS, ids=lambda s: s.title)
def test_the_time_foreseen_is_the_time_taken(beamline: Beamline, scan: object) -> None:
    beamline.engine.move({"rot": 3.0})
    estimate = beamline.engine.estimate(scan)  # type: ignore[arg-type]
    began = beamline.clock.now()
    beamline.engine.run(scan)  # type: ignore[arg-type]
    # The simulated motor answers 2 ms late, the shutter 5 ms.
    assert estimate.duration == pytest.approx(beamline.clock.now() - began, rel=0.05, abs=0.15)


@pytest.mark.parametrize("scan", SCANS, ids=lambda s: s.title)
def test_the_data_foreseen_are_the_data_taken(beamline: Beamline, scan: object) -> None:
    estimate = beamline.engine.estimate(scan)  # type: ignore[arg-type]
    beamline.engine.run(scan)  # type: ignore[arg-type]
    taken = sum(log.values.nbytes for log in beamline.run.channels.values())
    # A real camera keeps a status byte for each frame as well.
    assert 0 <= estimate.nbytes - taken <= estimate.points  # type: ignore[operator]


def test_an_estimate_says_what_is_wrong_instead_of_raising(beamline: Beamline) -> None:
    estimate = beamline.engine.estimate(flyscan("rot", 0, 700, 10, 0.1))
    assert not estimate.ok
    assert len(estimate.problems) == 2
    assert "NOT POSSIBLE: rot: would have to move at" in str(estimate)
    assert "NOT POSSIBLE: rot: the end is at 700 deg" in str(estimate)


def test_an_estimate_reads_well(new_beamline: Callable[..., Beamline], tmp_path: Path) -> None:
    beamline = new_beamline(disk=tmp_path / "not" / "there")
    lines = str(beamline.engine.estimate(flyscan("rot", 0, 180, 900, 0.0125, "cam"))).splitlines()
    assert lines[0].startswith("flyscan rot 0 180 900 0.0125 cam: 900 points, 14 s, 62.1 kB")
    assert lines[1].startswith("  disk: ")
    assert lines[-1] == "  within limits"


def test_a_full_disk_is_foreseen(beamline: Beamline) -> None:
    from dataclasses import replace

    estimate = replace(beamline.engine.estimate(loopscan(10, 0.1)), disk_free=10)
    assert not estimate.ok
    assert "NOT ENOUGH" in str(estimate)


def test_an_open_ended_scan_has_no_end_to_foresee(beamline: Beamline) -> None:
    estimate = beamline.engine.estimate(timescan(1, "ring"))
    assert estimate.duration == np.inf
    assert str(estimate).startswith("timescan 1 ring: until it is stopped, 24 B a point")


def test_a_dry_run_visits_the_same_points_without_moving(beamline: Beamline) -> None:
    for scan in SCANS[2:]:
        dry = beamline.engine.dry_run(scan)
        before = (beamline.rot.position, beamline.sy.position)
        assert (beamline.rot.position, beamline.sy.position) == before
        beamline.engine.run(scan)
        for name, positions in dry.positions.items():
            # The middle of an interval and that of its exposure differ by half the dead time.
            np.testing.assert_allclose(beamline.run[name], positions, atol=0.01)
    assert not beamline.engine.busy


def test_a_dry_run_refuses_what_a_run_would(beamline: Beamline) -> None:
    with pytest.raises(LimitError):
        beamline.engine.dry_run(ascan("rot", 0, 700, 10, 0.1))


@pytest.mark.parametrize(
    ("value", "text"), [(0.0042, "4.2 ms"), (11.24, "11.2 s"), (200, "3 min 20 s"), (7300, "2 h 1 min")]
)
def test_times_are_written_for_people(value: float, text: str) -> None:
    assert span(value) == text


@pytest.mark.parametrize(("value", "text"), [(17, "17 B"), (590e6, "590 MB"), (2.5e12, "2.5 TB")])
def test_sizes_are_written_for_people(value: float, text: str) -> None:
    assert size(value) == text
