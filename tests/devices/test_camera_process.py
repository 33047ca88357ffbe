"""A simulated camera in its own process sees motors and shutter of the session's, in real time."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from firstlight.buffer import Buffer
from firstlight.devices import Surroundings, build_source
from firstlight.devices.sim import DEVICES_RUN, BufferBoard, SharedBoard, SimAxis, SimCamera, SimShutter
from firstlight.model import FrameStamp, RunInfo, TriggerPlan
from firstlight.model.motion import positions

CAMERA = """
import json, sys
import numpy as np
from firstlight.devices import build_source
from firstlight.model import TriggerPlan
config, plan = map(json.loads, sys.argv[1:3])
camera = build_source("sim.camera", config)
plan = TriggerPlan(**plan)
camera.prepare(plan)
print("ready", flush=True)
camera.start(float(input()))
for index in range(plan.points):
    frame = np.empty(camera.info.shape, camera.info.dtype)
    stamp = camera.acquire(index, frame, 60.0)
    assert stamp is not None
    print(json.dumps([stamp.start, stamp.stop, stamp.status, frame.tobytes().hex()]), flush=True)
"""


@pytest.mark.parametrize("mode", ["position", "time"])
def test_frames_of_another_process_are_those_of_the_motion_whenever_they_are_computed(
    buffer_root: Path, mode: str
) -> None:
    with Buffer(buffer_root, budget=64 << 20).create_run(
        RunInfo(name=DEVICES_RUN, title="devices", start_epoch=time.time())
    ) as run:
        board = SharedBoard(run, buffer_root)
        # Published long before it holds, as no process of a busy machine can be trusted to run within milliseconds.
        rot = SimAxis("rot", velocity=50.0, acceleration=500.0, latency=0.5, board=board)
        shutter = SimShutter("fast", delay=0.7, board=board)
        config = {
            "name": "cam", "shape": [12, 16], "rotation": "rot", "shutter": "fast", "seed": 3, "parts": 2,
            "buffer": str(buffer_root),
        }  # fmt: skip
        plan = {"mode": mode, "points": 8, "exposure": 0.015, "period": 0.02}
        if mode == "position":
            plan |= {"axis": "rot", "first": 5.0, "step": 1.0}
        process = subprocess.Popen(
            [sys.executable, "-c", CAMERA, json.dumps(config), json.dumps(plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            # In time, the shutter opens between two frames while the axis turns.
            armed = time.monotonic() + (0.65 if mode == "time" else 0.0)

            async def story() -> None:
                turning = asyncio.create_task(rot.move(30.0))
                opening = asyncio.create_task(shutter.open())
                await asyncio.sleep(0)
                assert process.stdin is not None
                print(repr(armed), file=process.stdin, flush=True)
                await asyncio.gather(turning, opening)

            asyncio.run(story())
            seen = [json.loads(line) for line in process.stdout]
        finally:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
        assert len(seen) == 8

        # The same frames computed here, long after, from the buffer.
        late_board = BufferBoard(buffer_root)
        late = build_source("sim.camera", config)
        assert isinstance(late, SimCamera)
        late.prepare(TriggerPlan.model_validate(plan))
        late.start(armed)
        frame = np.empty(late.info.shape, late.info.dtype)
        for index, (start, stop, status, content) in enumerate(seen):
            assert late.acquire(index, frame, 0.0) == FrameStamp(start, stop, status)
            assert frame.tobytes().hex() == content, index
        if mode == "position":
            at = positions(late_board.motion("rot", armed), [start for start, *_ in seen])
            np.testing.assert_allclose(at, 5.0 + np.arange(8), atol=1e-6)


def test_a_camera_process_finds_the_buffer_in_its_environment(
    buffer_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTLIGHT_BUFFER", str(buffer_root))
    with Buffer(buffer_root, budget=64 << 20).create_run(
        RunInfo(name=DEVICES_RUN, title="devices", start_epoch=time.time())
    ) as run:
        SimAxis("rot", board=SharedBoard(run, buffer_root), position=7.0)
        camera = build_source("sim.camera", {"shape": [4, 5], "rotation": "rot"})
        assert isinstance(camera, SimCamera)
        now = time.monotonic()
        assert camera.poses(now, now + 0.1)[0].angle == 7.0


def test_surroundings_of_a_test_need_no_buffer() -> None:
    camera = build_source("sim.camera", {"shape": [4, 5]}, Surroundings())
    camera.close()
