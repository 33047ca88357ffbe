from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from firstlight.buffer import Buffer
from firstlight.detectors import StepSpec
from firstlight.detectors._acquisition import Acquisition
from firstlight.detectors._load import build_source
from firstlight.model import DeviceError, InvalidInput, TriggerMode, TriggerPlan

MakeRun = Callable[..., Any]


def acquire(buffer: Buffer, run: Any, source: Any, points: int, steps: list[Any]) -> Any:
    """Acquire all frames in this thread; the run as a reader sees it."""
    plan = TriggerPlan(mode=TriggerMode.POSITION, points=points, exposure=0.0)
    acquisition = Acquisition("cam", source, buffer.join(run.key), plan, steps=steps)
    acquisition.prepare()
    acquisition._moment = time.monotonic()
    acquisition.finished.add_done_callback(lambda _: setattr(acquisition, "_stopping", True))
    acquisition.run()
    if acquisition.error is not None:
        raise acquisition.error
    return buffer.run(run.key)


def test_steps_publish_logs_ragged_channels_and_rings(buffer: Buffer, make_run: MakeRun, sources: Any) -> None:
    run = acquire(buffer, make_run(), sources.Counting(), 4, [sources.Reduce()])
    assert run.channel("cam:sum").read(0, 4).tolist() == [0, 24, 48, 72]
    np.testing.assert_array_equal(run.channel("cam:rows").read(0, 4), np.arange(4)[:, None] * np.ones(4))
    assert [len(item) for item in run.channel("cam:pixels").read(0, 4)] == [0, 1, 2, 3]
    np.testing.assert_array_equal(run.channel("cam:small").read(0, 4)[:, 0, 0], np.arange(4))
    assert all(channel.sealed for channel in run.channels.values())


def test_a_missing_frame_gives_missing_results_so_that_indices_stay_global(
    buffer: Buffer, make_run: MakeRun, sources: Any
) -> None:
    step = sources.Reduce()
    run = acquire(buffer, make_run(), sources.Counting(lose=[0, 1, 3]), 6, [step])
    assert step.seen == [2, 4, 5]
    assert run.channel("cam:sum").read(0, 6).tolist() == [-1, -1, 48, -1, 96, 120]
    assert np.isnan(run.channel("cam:rows").read(0, 6)[:, 0]).tolist() == [True, True, False, True, False, False]
    assert [len(item) for item in run.channel("cam:pixels").read(0, 6)] == [0, 0, 2, 0, 4, 5]
    assert run.channel("cam:small").read(0, 6)[:, 0, 0].tolist() == [65535, 65535, 2, 65535, 4, 5]


def test_what_a_step_keeps_until_the_end_is_published(buffer: Buffer, make_run: MakeRun, sources: Any) -> None:
    run = acquire(buffer, make_run(), sources.Counting(lose=[0, 2]), 5, [sources.Total()])
    channel = run.channel("cam:total")
    assert channel.count == 1
    assert (channel.read(0, 1) == 1 + 3 + 4).all()


def test_steps_run_in_the_order_given(buffer: Buffer, make_run: MakeRun, sources: Any) -> None:
    run = acquire(buffer, make_run(), sources.Counting(), 2, [sources.Total(), sources.Reduce()])
    assert {"cam:total", "cam:sum"} <= set(run.channels)


def test_a_step_that_fails_is_named_and_the_frame_stays(buffer: Buffer, make_run: MakeRun, sources: Any) -> None:
    run = make_run()
    with pytest.raises(DeviceError, match="cam: step reduce failed at frame 2: ZeroDivisionError: by nothing"):
        acquire(buffer, run, sources.Counting(), 5, [sources.Reduce(fail_at=2)])
    assert buffer.run(run.key).channel("cam").count == 3
    assert buffer.run(run.key).channel("cam:sum").count == 2
    assert "step reduce failed" in buffer.run(run.key).channel("cam:sum").seal_reason


def test_a_step_that_gives_a_channel_it_did_not_announce_is_refused(
    buffer: Buffer, make_run: MakeRun, sources: Any
) -> None:
    with pytest.raises(DeviceError, match="step reduce has no channel cam:nowhere"):
        acquire(buffer, make_run(), sources.Counting(), 5, [sources.Reduce(forget=True)])


def test_a_step_is_made_from_its_description(sources: Any) -> None:
    step: Any = StepSpec("camera_sources:reduce", {"fail_at": 7}).build()
    assert step.fail_at == 7


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("camera_sources", "not of the form module:function"),
        ("camera_sources:nothing", "cannot be imported"),
        ("no_module:f", "cannot be imported: No module named 'no_module'"),
        ("camera_sources:no_step", "failed: KeyError: 'calibration'"),
        ("camera_sources:reduce", "unexpected keyword argument 'what'"),
    ],
)
def test_a_step_that_cannot_be_made_is_told(sources: Any, target: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        StepSpec(target, {"what": 1} if target.endswith("reduce") else {}).build()
    assert words in caught.value.message


def test_a_source_is_made_from_its_configuration(sources: Any) -> None:
    source = build_source({"kind": "camera_sources:counting", "shape": [3, 5]})
    assert source.info.shape == (3, 5)
    with pytest.raises(InvalidInput, match="needs its kind"):
        build_source({"shape": [3, 5]})
    with pytest.raises(DeviceError, match="is not plugged in"):
        build_source({"kind": "camera_sources:broken"})
