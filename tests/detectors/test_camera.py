"""Cameras in processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firstlight.buffer import Buffer
from firstlight.detectors import Camera, ReceiverState, StepSpec
from firstlight.devices.sim import DEVICES_RUN
from firstlight.model import (
    Conflict,
    DeviceError,
    DeviceTimeout,
    EndReason,
    InvalidInput,
    NotFound,
    ProcessError,
    RunEnd,
    RunInfo,
    RunState,
    TriggerMode,
    TriggerPlan,
    WireError,
)
from firstlight.process import ChildState, ProcessSpec, Supervisor

MakeRun = Callable[..., Any]
Wait = Callable[..., None]
MakeCamera = Callable[..., Camera]


def software(points: int) -> TriggerPlan:
    return TriggerPlan(mode=TriggerMode.SOFTWARE, points=points, exposure=0.001)


def in_time(points: int, period: float = 0.005) -> TriggerPlan:
    return TriggerPlan(mode=TriggerMode.TIME, points=points, exposure=period / 2, period=period)


@pytest.fixture
def make_camera(supervisor: Supervisor, buffer: Buffer) -> MakeCamera:
    def make(*, patience: float = 5.0, max_restarts: int = 5, **source: Any) -> Camera:
        source = {"kind": "camera_sources:counting", **source}
        return Camera.spawn(supervisor, "cam", source, buffer.root, patience=patience, max_restarts=max_restarts)

    return make


async def until(condition: Callable[[], object], timeout: float = 20.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "condition did not hold"
        await asyncio.sleep(0.002)


def read(buffer: Buffer, key: str, name: str = "cam") -> Any:
    channel = buffer.run(key).channel(name)
    return channel.read(0, channel.count)


def test_a_camera_knows_itself_before_any_run(make_camera: MakeCamera) -> None:
    camera = make_camera(shape=[3, 5], dtype="<u4")
    assert (camera.info.shape, camera.info.dtype) == ((3, 5), "<u4")
    assert camera.info.modes == frozenset(TriggerMode)
    assert [spec.name for spec in camera.channels()] == ["cam", "cam:start", "cam:stop", "cam:status"]
    assert repr(camera) == "<Camera cam: 3 × 5 <u4>"
    assert asyncio.run(camera.status()).state is ReceiverState.IDLE


def test_the_truth_of_a_simulated_sample_comes_from_the_process_of_its_camera(
    supervisor: Supervisor, buffer: Buffer, make_camera: MakeCamera
) -> None:
    with buffer.create_run(RunInfo(name=DEVICES_RUN, title="devices", start_epoch=1.0)):
        source = {"kind": "sim.area_detector", "shape": [8, 9], "centre": [3.0, 4.0], "sample": {"material": "LaB6"}}
        detector = Camera.spawn(supervisor, "eiger", source, buffer.root)
        assert detector.truth()["lattice"]["a"] == 4.156826
        assert detector.truth()["beam_row"] == pytest.approx(3.0)
    assert make_camera().truth() == {}


def test_runs_in_time_by_software_and_by_position_follow_each_other(
    make_camera: MakeCamera, make_run: MakeRun, buffer: Buffer
) -> None:
    camera = make_camera()

    async def one(plan: TriggerPlan) -> str:
        run = make_run()
        made = await camera.prepare(run.key, plan)
        assert made == list(camera.channels(plan))
        if plan.mode is TriggerMode.SOFTWARE:
            for count in range(1, plan.points + 1):
                await camera.trigger()
                assert await camera.wait_frames(count) >= count
        else:
            await camera.start(time.monotonic() + 0.01)
        assert await camera.wait_frames(plan.points) == plan.points
        assert camera.lost == ""
        status = await camera.stop()
        assert status is not None
        assert (status.state, status.frames, status.run) == (ReceiverState.STOPPED, plan.points, run.key)
        return str(run.key)

    async def main() -> None:
        plans = [
            in_time(20),
            software(3),
            TriggerPlan(mode=TriggerMode.POSITION, points=5, exposure=0.0, axis="rot", step=1.0),
            in_time(4),
        ]
        for plan in plans:
            key = await one(plan)
            assert read(buffer, key)[:, 0, 0].tolist() == list(range(plan.points))
            assert buffer.run(key).channel("cam").sealed

    asyncio.run(main())
    # A connection lasts one run, so another loop is as good.
    asyncio.run(main())


def test_frames_carry_the_times_at_which_they_were_exposed(
    make_camera: MakeCamera, make_run: MakeRun, buffer: Buffer
) -> None:
    camera, run = make_camera(), make_run()

    async def main() -> float:
        await camera.prepare(run.key, in_time(5))
        moment = time.monotonic() + 0.05
        await camera.start(moment)
        await camera.wait_frames(5)
        await camera.stop()
        return moment

    moment = asyncio.run(main())
    np.testing.assert_allclose(read(buffer, run.key, "cam:start"), moment + np.arange(5) * 0.005)
    np.testing.assert_allclose(read(buffer, run.key, "cam:stop"), moment + np.arange(5) * 0.005 + 0.0025)


def test_steps_run_in_the_receiver(make_camera: MakeCamera, make_run: MakeRun, buffer: Buffer) -> None:
    camera, run = make_camera(lose=[1]), make_run()

    async def main() -> None:
        steps = [StepSpec("camera_sources:reduce"), StepSpec("camera_sources:total")]
        made = await camera.prepare(run.key, in_time(4), steps=steps)
        assert {"cam:sum", "cam:rows", "cam:pixels", "cam:small", "cam:total"} <= {spec.name for spec in made}
        await camera.start(time.monotonic())
        await camera.wait_frames(4)
        await camera.stop()

    asyncio.run(main())
    assert read(buffer, run.key, "cam:sum").tolist() == [0, -1, 48, 72]
    assert (read(buffer, run.key, "cam:total") == 5).all()


def test_a_step_that_cannot_be_made_is_refused_and_the_camera_stays_free(
    make_camera: MakeCamera, make_run: MakeRun
) -> None:
    camera, run = make_camera(), make_run()

    async def main() -> None:
        with pytest.raises(InvalidInput, match="camera_sources:nothing cannot be imported"):
            await camera.prepare(run.key, in_time(4), steps=[StepSpec("camera_sources:nothing")])
        await camera.prepare(run.key, in_time(4))
        await camera.stop()

    asyncio.run(main())


def test_a_stop_in_the_middle_keeps_what_came(make_camera: MakeCamera, make_run: MakeRun, buffer: Buffer) -> None:
    camera, run = make_camera(), make_run()

    async def main() -> None:
        await camera.prepare(run.key, in_time(100_000))
        await camera.start(time.monotonic())
        await camera.wait_frames(5)
        running = await camera.status()
        assert running.state is ReceiverState.RUNNING
        assert running.slots >= 8
        status = await camera.stop()
        assert status is not None
        assert status.state is ReceiverState.STOPPED
        assert await camera.stop() == status

    asyncio.run(main())
    frames = read(buffer, run.key)
    assert len(frames) >= 5
    assert frames[:, 0, 0].tolist() == list(range(len(frames)))
    assert {c.count for n, c in buffer.run(run.key).channels.items() if n != "cam"} == {len(frames)}


def test_a_source_that_raises_ends_the_run_with_its_own_error(
    make_camera: MakeCamera, make_run: MakeRun, buffer: Buffer
) -> None:
    camera, run = make_camera(raise_at=3), make_run()

    async def main() -> None:
        await camera.prepare(run.key, in_time(10))
        await camera.start(time.monotonic())
        with pytest.raises(DeviceError, match="cam: failed at frame 3: ValueError: the cable is loose"):
            await camera.wait_frames(10)
        await until(lambda: camera.lost)
        assert isinstance(camera.error, DeviceError)
        assert camera.error.device == "cam"
        status = await camera.stop()
        assert status is not None
        assert (status.state, status.frames) == (ReceiverState.FAILED, 3)
        assert "cable is loose" in status.message

    asyncio.run(main())
    assert read(buffer, run.key)[:, 0, 0].tolist() == [0, 1, 2]
    assert "cable is loose" in buffer.run(run.key).channel("cam").seal_reason
    assert camera.child is not None
    assert camera.child.state is ChildState.READY


def test_a_source_that_never_delivers_is_told_by_the_frame(
    make_camera: MakeCamera, make_run: MakeRun, buffer: Buffer
) -> None:
    camera, run = make_camera(never_from=2, patience=0.3), make_run()

    async def main() -> None:
        await camera.prepare(run.key, in_time(10))
        await camera.start(time.monotonic())
        await until(lambda: camera.lost)
        assert isinstance(camera.error, DeviceTimeout)
        assert camera.error.message == "cam: frame 2 did not come; it is 0.3 s late."
        with pytest.raises(DeviceTimeout):
            await camera.wait_frames(10)
        await camera.stop()
        # The next run finds the camera free.
        again = make_run()
        await camera.prepare(again.key, in_time(2))
        assert camera.lost == ""
        await camera.start(time.monotonic())
        assert await camera.wait_frames(2) == 2
        await camera.stop()

    asyncio.run(main())
    assert len(read(buffer, run.key)) == 2


def test_a_source_that_hears_no_stop_is_told_and_its_process_can_be_ended(
    make_camera: MakeCamera, make_run: MakeRun
) -> None:
    camera, run = make_camera(never_from=1, deaf=True, patience=0.3), make_run()

    async def main() -> None:
        await camera.prepare(run.key, in_time(10))
        await camera.start(time.monotonic())
        await camera.wait_frames(1)
        with pytest.raises(DeviceTimeout, match="cam: did not stop within"):
            await camera.stop()
        with pytest.raises(Conflict, match="cam acquires for the run"):
            await camera.prepare(make_run().key, in_time(1))

    asyncio.run(main())
    assert camera.child is not None
    camera.child.stop(timeout=0.5)
    assert camera.child.exit_code == -signal.SIGKILL


def test_a_killed_receiver_ends_the_run_and_the_next_one_works(
    make_camera: MakeCamera, make_run: MakeRun, buffer: Buffer
) -> None:
    camera, run = make_camera(), make_run()
    child = camera.child
    assert child is not None

    async def main() -> int:
        await camera.prepare(run.key, in_time(100_000))
        await camera.start(time.monotonic())
        await camera.wait_frames(5)
        first = child.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        seen = buffer.run(run.key).channel("cam").count
        await until(lambda: camera.lost)
        assert isinstance(camera.error, ProcessError)
        assert "cam: the receiver process died." in camera.lost
        assert str(child.log) in camera.lost
        with pytest.raises(ProcessError, match="the receiver process died"):
            await camera.wait_frames(100_000)
        with pytest.raises(ProcessError):
            await camera.trigger()
        assert await camera.stop() is None
        run.stop(RunEnd(reason=EndReason.FAILED, message=camera.lost, epoch=0.0))
        # Its supervisor has started another one, or is about to.
        again = make_run()
        await camera.prepare(again.key, in_time(3))
        assert child.pid != first
        assert camera.lost == ""
        await camera.start(time.monotonic())
        assert await camera.wait_frames(3) == 3
        await camera.stop()
        assert read(buffer, again.key)[:, 0, 0].tolist() == [0, 1, 2]
        return seen

    seen = asyncio.run(main())
    # Everything acknowledged stays, in order, and the run's end sealed it.
    assert buffer.run(run.key).state is RunState.STOPPED
    channel = buffer.run(run.key).channel("cam")
    assert channel.sealed
    assert "died" in channel.seal_reason
    assert channel.count >= seen >= 5
    kept = np.asarray(channel.read(channel.first, channel.count))
    assert kept[:, 0, 0].tolist() == list(range(channel.first, channel.count))
    assert buffer.run(run.key).channel("cam:start").count >= channel.count


def test_a_receiver_that_starts_again_slowly_is_waited_for(
    make_camera: MakeCamera, make_run: MakeRun, buffer: Buffer, tmp_path: Path
) -> None:
    door = tmp_path / "door"
    camera, run, again = make_camera(kind="camera_sources:behind", door=str(door)), make_run(), make_run()
    child = camera.child
    assert child is not None
    assert child.pid is not None
    assert camera.comeback == 0.0

    async def main(pid: int) -> None:
        await camera.prepare(run.key, in_time(100_000))
        door.touch()
        os.kill(pid, signal.SIGKILL)
        await until(lambda: camera.lost)
        # What it may take to answer is far too short for a process to start.
        camera._timeout = 0.05
        assert camera.comeback == 60.0
        door.unlink()
        client = await camera._connect()
        await client.close()
        camera._timeout = 10.0
        child.wait_ready()
        assert camera.comeback == 0.0
        await camera.prepare(again.key, in_time(1))
        await camera.stop()

    asyncio.run(main(child.pid))
    assert buffer.run(again.key).channel("cam").sealed


def kill_at_random_moments(camera: Camera, make_run: MakeRun, buffer: Buffer, kills: int) -> None:
    """Each time: what a reader saw acknowledged before the kill is there after it, whole, with its stamps."""
    random = np.random.default_rng(kills)
    child = camera.child
    assert child is not None

    async def one() -> None:
        run = make_run()
        await camera.prepare(run.key, in_time(0, period=0.001), slots=4096)
        await camera.start(time.monotonic())
        await asyncio.sleep(random.uniform(0.0, 0.05))
        seen = {name: channel.count for name, channel in buffer.run(run.key).channels.items()}
        pid = child.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda: camera.lost)
        assert await camera.stop() is None
        run.stop(RunEnd(reason=EndReason.FAILED, epoch=0.0))
        channels = buffer.run(run.key).channels
        assert all(channel.sealed and channel.count >= seen[name] for name, channel in channels.items())
        frames = np.asarray(read(buffer, run.key, camera.name))
        assert (frames == np.arange(len(frames), dtype="<u2")[:, None, None]).all()
        assert min(channel.count for channel in channels.values()) == len(frames)
        run.close()

    async def main() -> None:
        for _ in range(kills):
            await one()

    asyncio.run(main())


def test_kills_at_random_moments_lose_nothing_acknowledged(
    make_camera: MakeCamera, make_run: MakeRun, buffer: Buffer
) -> None:
    kill_at_random_moments(make_camera(), make_run, buffer, 3)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_kills_at_random_moments_lose_nothing_acknowledged(
    supervisor: Supervisor, make_run: MakeRun, buffer: Buffer
) -> None:
    for batch in range(40):
        # A supervisor gives up a child that dies too often.
        camera = Camera.spawn(supervisor, f"cam{batch}", {"kind": "camera_sources:counting"}, buffer.root)
        kill_at_random_moments(camera, make_run, buffer, 5)


def test_a_receiver_that_keeps_dying_is_given_up_with_its_reason(make_camera: MakeCamera, make_run: MakeRun) -> None:
    camera = make_camera(max_restarts=1)
    assert camera.child is not None

    async def main() -> None:
        assert camera.child is not None
        while camera.child.error is None:
            pid = camera.child.pid
            if camera.child.state is ChildState.READY and pid is not None:
                # Its supervisor may not have noticed the last kill yet.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.01)
        with pytest.raises(ProcessError, match="was ended by signal SIGKILL; that was failure 2"):
            await camera.prepare(make_run().key, in_time(1))

    asyncio.run(main())


def test_a_camera_cannot_serve_two_runs_at_once_but_outlives_the_first(
    make_camera: MakeCamera, make_run: MakeRun, buffer: Buffer
) -> None:
    camera, first, second = make_camera(), make_run(), make_run()
    rival = Camera.attach("cam", buffer.root)

    async def main() -> None:
        await camera.prepare(first.key, in_time(0))
        await camera.start(time.monotonic())
        with pytest.raises(Conflict, match="cam acquires for the run"):
            await rival.prepare(second.key, in_time(1))
        # Its owner goes without a word: the camera is free for the next.
        first.close()
        await rival.prepare(second.key, in_time(1))
        await rival.start(time.monotonic())
        assert await rival.wait_frames(1) == 1
        await rival.stop()
        await camera.stop()

    asyncio.run(main())
    assert buffer.run(first.key).channel("cam").sealed


def test_requests_out_of_turn_are_refused(make_camera: MakeCamera, make_run: MakeRun) -> None:
    camera = make_camera(modes=["time"])

    async def main() -> None:
        with pytest.raises(Conflict, match="not prepared for a run"):
            await camera.start(0.0)
        with pytest.raises(NotFound):
            await camera.prepare("no-such-run", in_time(1))
        with pytest.raises(DeviceError, match="cannot be triggered by software"):
            await camera.prepare(make_run().key, software(1))
        assert (await camera.stop()) is not None
        await camera.prepare(make_run().key, in_time(1))
        with pytest.raises(Conflict, match="triggered by time"):
            await camera.trigger()
        await camera.stop()

    asyncio.run(main())


def test_stop_ends_what_a_lost_session_left(make_camera: MakeCamera, make_run: MakeRun, buffer: Buffer) -> None:
    camera, run = make_camera(), make_run()
    other = Camera.attach("cam", buffer.root)

    async def main() -> None:
        await camera.prepare(run.key, in_time(0))
        await camera.start(time.monotonic())
        await other.stop()
        assert buffer.run(run.key).channel("cam").sealed
        await camera.stop()

    asyncio.run(main())


def test_an_orderly_end_of_the_process_seals_the_channels_normally(
    make_camera: MakeCamera, make_run: MakeRun, buffer: Buffer
) -> None:
    camera, run = make_camera(), make_run()

    async def main() -> None:
        await camera.prepare(run.key, in_time(0))
        await camera.start(time.monotonic())
        await camera.wait_frames(2)
        assert camera.child is not None
        await asyncio.to_thread(camera.child.stop)
        assert camera.child.exit_code == 0
        await until(lambda: camera.lost)
        assert await camera.stop() is None

    asyncio.run(main())
    assert buffer.run(run.key).channel("cam").seal_reason == ""
    with pytest.raises(WireError, match="There is no socket"):
        Camera.attach("cam", buffer.root)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"kind": "camera_sources:broken"}, "cam: is not plugged in. Plug it in."),
        ({"kind": "camera_sources:counting", "colour": 1}, "unexpected keyword argument 'colour'"),
        ({"shape": [1, 2]}, "needs its kind"),
    ],
)
def test_a_camera_that_cannot_be_made_is_told(
    supervisor: Supervisor, buffer: Buffer, source: dict[str, Any], words: str
) -> None:
    with pytest.raises(ProcessError) as caught:
        Camera.spawn(supervisor, "cam", source, buffer.root)
    assert words in caught.value.message
    assert "Traceback" not in caught.value.message


def test_a_receiver_does_not_load_what_it_does_not_need(supervisor: Supervisor, buffer: Buffer) -> None:
    spec = ProcessSpec("probe", "camera_sources:heavy_modules")
    child = supervisor.spawn(spec)
    assert child.wait_ready(60)["heavy"] == []


def test_a_lagging_reader_is_seen_in_the_status(make_camera: MakeCamera, make_run: MakeRun, tmp_path: Path) -> None:
    camera, run = make_camera(), make_run(readers=["saver"])

    async def main() -> None:
        await camera.prepare(run.key, in_time(40), slots=8)
        await camera.start(time.monotonic())
        await camera.wait_frames(40)
        status = await camera.status()
        assert (status.state, status.points, status.frames) == (ReceiverState.COMPLETE, 40, 40)
        assert (status.slots, status.behind, status.fill) == (8, 40, 1.0)
        assert status.spilled > 0
        assert status.rate > 0
        await camera.stop()

    asyncio.run(main())
