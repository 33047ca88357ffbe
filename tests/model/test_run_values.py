"""Runs, scans, plans and errors as values: they travel as JSON, refuse what is wrong, and never change."""

from __future__ import annotations

import pickle

import pytest
from pydantic import BaseModel, ValidationError

from firstlight import model
from firstlight.model import (
    CameraInfo,
    DeviceError,
    DeviceTimeout,
    EndReason,
    FirstlightError,
    LimitError,
    MissingExtra,
    PlotHint,
    Quantity,
    RunEnd,
    RunInfo,
    RunState,
    Saving,
    Scan,
    ScanKind,
    TriggerMode,
    TriggerPlan,
)

SAVING = Saving(
    proposal="hc1234", beamline="fl01", session="20260101", sample="tooth", dataset="d1", number=3,
    dataset_file="/data/d.h5", file="/data/scan0003/scan0003.h5",
)  # fmt: skip
VALUES: list[BaseModel] = [
    SAVING,
    RunInfo(
        name="ascan",
        title="ascan rot 0 1 10 0.1",
        start_epoch=1.7e9,
        npoints=11,
        saving=SAVING,
        axes=("rot",),
        plots=(PlotHint(x="rot", y=("diode",)),),
        positioners={"rot": Quantity(value=1.5, unit="deg")},
        parameters={"start": 0, "deep": {"list": [1, None]}},
    ),
    RunEnd(reason=EndReason.FAILED, message="rot did not answer.", epoch=1.7e9),
    Scan(name="ct", title="ct 1", kind=ScanKind.TIME),
    TriggerPlan(mode=TriggerMode.POSITION, points=10, exposure=0.1, axis="rot", first=0.0, step=0.2),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_survives_its_json(value: BaseModel) -> None:
    assert type(value).model_validate_json(value.model_dump_json()) == value


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_never_changes_and_knows_all_its_fields(value: BaseModel) -> None:
    name = next(iter(type(value).model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(value, name, None)
    with pytest.raises(ValidationError, match="Extra inputs"):
        type(value).model_validate({**value.model_dump(), "colour": "red"})


def test_a_run_number_starts_at_one() -> None:
    with pytest.raises(ValidationError, match="number"):
        Saving.model_validate({**SAVING.model_dump(), "number": 0})


def test_states_only_grow() -> None:
    assert list(RunState) == sorted(RunState)
    assert RunState.CREATED < RunState.PREPARED < RunState.RUNNING < RunState.STOPPED < RunState.CLOSED


def test_the_shortest_period_of_a_camera_is_its_exposure_and_dead_time_or_its_rate() -> None:
    info = CameraInfo(shape=(4, 4), dtype="<u2", modes=frozenset(), dead_time=0.002, maximum_rate=100.0)
    assert info.period(0.001) == pytest.approx(0.01)
    assert info.period(0.1) == pytest.approx(0.102)


def test_every_error_is_one_sentence_and_what_to_do() -> None:
    error = FirstlightError("The disk is full.", hint="Free some space.")
    assert (error.message, error.hint, str(error)) == (
        "The disk is full.",
        "Free some space.",
        "The disk is full. Free some space.",
    )
    assert str(FirstlightError("It broke.")) == "It broke."


def test_errors_can_be_caught_by_their_meaning() -> None:
    assert issubclass(LimitError, DeviceError)
    assert issubclass(DeviceTimeout, TimeoutError)
    assert issubclass(model.IndexNotYetThere, IndexError)
    assert issubclass(model.StorageFull, OSError)
    assert DeviceError("rot", "is stuck.").message == "rot: is stuck."
    assert MissingExtra("fabio", "images").hint == "Install it with: pip install 'firstlight[images]'"


def test_public_names_are_the_ones_that_are_listed() -> None:
    assert len(set(model.__all__)) == len(model.__all__)
    assert all(hasattr(model, name) for name in model.__all__)


def test_an_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(model.NotFound("There is no run 7.", hint="Look with: firstlight ls")))
    assert (error.message, error.hint) == ("There is no run 7.", "Look with: firstlight ls")
    refused = pickle.loads(pickle.dumps(LimitError("rot", "would leave its limits.")))
    assert (refused.device, refused.message) == ("rot", "rot: would leave its limits.")
    missing = pickle.loads(pickle.dumps(MissingExtra("fabio", "images")))
    assert missing.extra == "images"
