"""A simulated area detector in its own process sees motors and shutters of the session's, in real time."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from firstlight.buffer import Buffer
from firstlight.devices import Surroundings, build_source
from firstlight.devices.sim import DEVICES_RUN, BufferBoard, SharedBoard, SimAreaDetector, SimAxis, SimShutter
from firstlight.model import RealClock, RunInfo, TriggerPlan

DETECTOR = """
import json, sys
import numpy as np
from firstlight.devices import build_source
from firstlight.model import TriggerPlan
config, plan = map(json.loads, sys.argv[1:3])
detector = build_source("sim.area_detector", config)
plan = TriggerPlan(**plan)
detector.prepare(plan)
print("ready", flush=True)
detector.start(float(input()))
for index in range(plan.points):
    frame = np.empty(detector.info.shape, detector.info.dtype)
    stamp = detector.acquire(index, frame, 60.0)
    print(json.dumps([stamp.start, stamp.stop, stamp.status, frame.tobytes().hex()]), flush=True)
"""


def test_a_dark_field_of_another_process_shows_the_tilts_of_this_one(buffer_root: Path) -> None:
    with Buffer(buffer_root, budget=64 << 20).create_run(
        RunInfo(name=DEVICES_RUN, title="devices", start_epoch=time.time())
    ) as run:
        board = SharedBoard(run, buffer_root)
        # Published long before it holds, as no process of a busy machine can be trusted to run within milliseconds.
        tilt = SimAxis("tilt", velocity=1.0, acceleration=20.0, latency=0.5, board=board)
        shutter = SimShutter("fast", delay=0.5, board=board)
        config = {
            "name": "cam", "shape": [16, 20], "inputs": {"phi": "tilt"}, "shutter": "fast", "seed": 3, "parts": 3,
            "flux": 1e12, "sample": {"technique": "darkfield", "width": 0.3, "acceptance": 5},
            "buffer": str(buffer_root),
        }  # fmt: skip
        plan = {
            "mode": "position", "points": 8, "exposure": 0.02, "axis": "tilt", "first": 0.1, "step": 0.05,
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-c", DETECTOR, json.dumps(config), json.dumps(plan)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            print(repr(time.monotonic()), file=process.stdin, flush=True)

            async def story() -> None:
                await asyncio.gather(tilt.move(0.8), shutter.open())

            asyncio.run(story())
            seen = [json.loads(line) for line in process.stdout]
        finally:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
        assert len(seen) == 8
        twin = build_source("sim.area_detector", config, Surroundings(RealClock(), board))
        assert isinstance(twin, SimAreaDetector)
        twin.prepare(TriggerPlan(**plan))  # type: ignore[arg-type]
        for index, (start, stop, status, pixels) in enumerate(seen):
            frame = np.frombuffer(bytes.fromhex(pixels), twin.info.dtype).reshape(twin.info.shape)
            again = np.empty(twin.info.shape, twin.info.dtype)
            assert twin.render(index, start, stop, again) == status
            np.testing.assert_array_equal(frame, again)
        lit = [np.frombuffer(bytes.fromhex(pixels), twin.info.dtype).max() for *_, pixels in seen]
        assert max(lit) > 100
        assert BufferBoard(buffer_root).motion("tilt", 0.0)[-1, 2] > 0.5
