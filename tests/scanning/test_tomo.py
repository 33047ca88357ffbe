from __future__ import annotations

import numpy as np
import pytest

from firstlight.model import InvalidInput, LimitError, RunState, Scan
from firstlight.scanning import MoveTo, ScanSequence, tomo
from tests.scanning.conftest import Beamline, sealed_and_whole

FULL = {"flat_axis": "sy", "flat_position": 10, "returns": True}


def full(**options: object) -> ScanSequence:
    return tomo("rot", 0, 180, 200, 0.05, "all", **{"darks": 3, "flats": 4, **FULL, **options})  # type: ignore[arg-type]


def test_a_tomo_is_a_value_that_survives_json() -> None:
    sequence = full()
    assert ScanSequence.model_validate_json(sequence.model_dump_json()) == sequence


def test_its_parts_follow_each_other() -> None:
    names = [s.name if isinstance(s, Scan) else f"{s.axis} {s.position}" for s in full().steps]
    assert names == [
        "tomo:dark", "sy 10.0", "tomo:flat", "sy None", "tomo:projections", "tomo:return", "sy 10.0", "tomo:flat",
        "sy None",
    ]  # fmt: skip
    assert [s.image_key for s in full().scans] == [2, 1, 0, 3, 1]


def test_parts_can_be_left_out() -> None:
    assert [s.name for s in tomo("rot", 0, 180, 10, 0.1, darks=0, flats=0).scans] == ["tomo:projections"]
    assert [s.image_key for s in full(flats_after=0, returns=False).scans] == [2, 1, 0]
    assert not any(isinstance(s, MoveTo) for s in full(flats=0).steps)


def test_return_projections_are_at_most_90_degrees_apart(beamline: Beamline) -> None:
    for turn, angles in ((180, [180, 90, 0]), (360, [360, 270, 180, 90, 0]), (100, [100, 50, 0]), (-90, [-90, 0])):
        scan = tomo("rot", 0, turn, 10, 5, darks=0, flats=0, returns=True).scans[-1]
        np.testing.assert_allclose(beamline.engine.dry_run(scan).positions["rot"], angles)


def test_every_part_is_a_run_of_its_own_and_refers_to_the_sequence(beamline: Beamline) -> None:
    outcome = beamline.engine.run(full())
    runs = beamline.store.runs
    parent, parts = runs[0], runs[1:]
    assert outcome.key == parent.key
    assert [p.key for p in outcome.parts] == [run.key for run in parts]
    assert all(run.info.parent == parent.key for run in parts)
    assert parent["scan_numbers"].tolist() == [1, 2, 3, 4, 5]
    for run in runs:
        sealed_and_whole(run)


def test_darks_are_dark_flats_are_outside_and_projections_turn(beamline: Beamline) -> None:
    beamline.engine.run(full())
    dark, flat, turn, back, after = beamline.store.runs[1:]
    assert np.all(dark["diode"] == 0)
    assert all(np.all(run["diode"] > 0) for run in (flat, turn, back, after))
    assert [run.info.positioners["sy"].value for run in (dark, flat, turn, back, after)] == [0, 10, 0, 0, 10]
    np.testing.assert_allclose(turn["rot:start"], np.arange(200) * 0.9, atol=1e-6)
    np.testing.assert_allclose(back["rot"], [180, 90, 0])
    assert [len(run["cam"]) for run in (dark, flat, turn, back, after)] == [3, 4, 200, 3, 4]


def test_everything_is_back_in_place_afterwards(beamline: Beamline) -> None:
    beamline.engine.move({"rot": 30.0, "sy": 1.0})
    beamline.engine.run(full())
    assert beamline.rot.position == pytest.approx(30.0)
    assert beamline.sy.position == pytest.approx(1.0)
    assert beamline.at_rest_and_closed()


def test_titles_and_keys_are_those_that_nxtomomill_looks_for(beamline: Beamline) -> None:
    beamline.engine.run(full(metadata={"technique": {"scan": {"energy": 20.0}}}))
    parent, *parts = (run.info for run in beamline.store.runs)
    assert parent.title.startswith("tomo:basic")
    assert parent.metadata["technique"]["scan_category"] == "tomo:basic"
    assert parent.metadata["technique"]["scan"]["tomo_n"] == 200
    assert parent.metadata["technique"]["scan"]["energy"] == 20.0
    assert [p.metadata["technique"]["image_key"] for p in parts] == [2, 1, 0, -1, 1]
    assert [p.title.split(" rot")[0] for p in parts] == [
        "dark images", "reference images 1", "projections", "static images", "reference images 2",
    ]  # fmt: skip


def test_the_whole_sequence_is_checked_before_anything_moves(beamline: Beamline) -> None:
    with pytest.raises(LimitError, match="sy: cannot go to 30 mm"):
        beamline.engine.run(full(flat_position=30))
    assert not beamline.store.runs
    with pytest.raises(LimitError, match="rot: the beginning of the run-up"):
        beamline.engine.run(tomo("rot", -180, 0, 100, 1, "cam"))
    assert not beamline.store.runs


def test_a_flat_position_may_have_a_unit(beamline: Beamline) -> None:
    beamline.engine.run(full(flat_position="1 cm"))
    assert beamline.store.runs[2].info.positioners["sy"].value == pytest.approx(10)


def test_the_estimate_adds_up_all_parts(beamline: Beamline) -> None:
    sequence = full()
    estimate = beamline.engine.estimate(sequence)
    began = beamline.clock.now()
    beamline.engine.run(sequence)
    assert estimate.points == 214
    assert estimate.duration == pytest.approx(beamline.clock.now() - began, rel=0.05)


def test_an_empty_sequence_is_refused(beamline: Beamline) -> None:
    with pytest.raises(InvalidInput, match="contains no scan"):
        beamline.engine.run(ScanSequence(name="nothing", title="nothing", steps=()))


def test_an_aborted_sequence_ends_its_part_and_comes_home(beamline: Beamline) -> None:
    beamline.press_when(lambda e: e.name == "tomo:projections" and e.point > 50)
    run = beamline.engine.submit(full()).result(30)
    assert [p.name for p in run.parts] == ["tomo:dark", "tomo:flat", "tomo:projections"]
    assert run.end.reason.value == "USER_ABORT"
    assert run.parts[-1].end.reason.value == "USER_ABORT"
    assert 0 < run.parts[-1].points < 200
    assert (beamline.rot.position, beamline.sy.position) == (0.0, 0.0)
    assert beamline.at_rest_and_closed()
    for made in beamline.store.runs:
        assert made.state is RunState.STOPPED
        sealed_and_whole(made)


def test_energy_and_distances_are_stored_where_others_look_for_them() -> None:
    scan = full(energy="25000 eV", sample_detector_distance="5 cm", source_sample_distance="145 m").metadata
    technique = scan["technique"]["scan"]
    assert technique["energy"] == pytest.approx(25.0)
    assert technique["sample_detector_distance"] == pytest.approx(50.0)
    assert technique["source_sample_distance"] == pytest.approx(145_000.0)
    assert [technique[f"{name}@units"] for name in ("energy", "source_sample_distance")] == ["keV", "mm"]
    assert full(energy=25).metadata["technique"]["scan"]["energy"] == 25.0
    assert "energy" not in full().metadata["technique"]["scan"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"energy": 0}, "energy: 0 is not above 0"),
        ({"energy": "5 mm"}, "energy: '5 mm' is not a quantity in keV"),
        ({"energy": float("nan")}, "energy: nan is not a finite number"),
        ({"sample_detector_distance": 50}, "sample_detector_distance: 50 has no unit"),
        ({"sample_detector_distance": "50"}, "sample_detector_distance: '50' has no unit"),
        ({"source_sample_distance": "-3 m"}, "source_sample_distance: '-3 m' is not above 0"),
    ],
)
def test_a_setup_that_can_not_be_meant_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        full(**given)
    assert "keV" in caught.value.hint or "mm" in caught.value.hint or "finite" in caught.value.hint
