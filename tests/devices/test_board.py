"""The history of simulated devices: in memory, and through the buffer as other processes see it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.buffer import Buffer, RunWriter
from firstlight.devices import Axis, Surroundings, build
from firstlight.devices._track import Track, cut, halted
from firstlight.devices.sim import (
    DEVICES_RUN,
    Board,
    BufferBoard,
    MemoryBoard,
    SharedBoard,
    SimAxis,
    SimShutter,
    Stop,
    newest_devices_run,
)
from firstlight.model import FakeClock, NotFound, RunInfo
from firstlight.model.motion import Segments, halt, positions, rest, state, trapezoid


def devices_info() -> RunInfo:
    return RunInfo(name=DEVICES_RUN, title="devices", start_epoch=time.time())


@pytest.fixture
def run(buffer_root: Path) -> Iterator[RunWriter]:
    with Buffer(buffer_root, budget=64 << 20).create_run(devices_info()) as run:
        yield run


@pytest.fixture
def shared(run: RunWriter, buffer_root: Path) -> SharedBoard:
    return SharedBoard(run, buffer_root)


@pytest.fixture(params=["memory", "shared", "buffer"])
def boards(request: pytest.FixtureRequest, shared: SharedBoard, buffer_root: Path, run: RunWriter) -> Any:
    """(where devices post, where detectors read)."""
    if request.param == "memory":
        board = MemoryBoard()
        return board, board
    if request.param == "shared":
        return shared, shared
    return shared, BufferBoard(buffer_root, run.key)


def test_every_reader_sees_the_same_motion(boards: tuple[MemoryBoard, Board]) -> None:
    board, reader = boards
    clock = FakeClock()
    axis = SimAxis("rot", clock=clock, board=board)
    began = clock.now()

    async def story() -> None:
        await axis.move(30.0)
        task = asyncio.create_task(axis.move(90.0))
        await clock.sleep_until(clock.now() + 1.0)
        positions(reader.motion("rot", began), [clock.now()])  # read while it is known in advance
        task.cancel()
        await asyncio.wait([task])
        await axis.move(10.0, velocity=5.0)

    asyncio.run(story())
    moments = np.linspace(began - 1.0, clock.now() + 1.0, 500)
    np.testing.assert_array_equal(
        positions(reader.motion("rot", began), moments), positions(axis.segments(began), moments)
    )
    assert positions(reader.motion("rot", clock.now()), [clock.now()])[0] == axis.position()


def test_every_reader_sees_the_same_shutter(boards: tuple[MemoryBoard, Board]) -> None:
    board, reader = boards
    clock = FakeClock()
    shutter = SimShutter("fast", clock=clock, board=board)
    began = clock.now()
    asyncio.run(shutter.open())
    opened = clock.now()
    clock.advance(1.0)
    asyncio.run(shutter.close())
    rows = reader.shutter("fast", began)
    assert rows.tolist() == [[began, 0.0], [opened, 1.0], [clock.now(), 0.0]]
    assert reader.shutter("fast", opened + 0.5).tolist() == rows[1:].tolist()


def test_an_unknown_name_is_an_error_that_says_what_is_known(boards: tuple[MemoryBoard, Board]) -> None:
    board, reader = boards
    SimAxis("rot", board=board)
    SimShutter("fast", board=board)
    with pytest.raises(NotFound, match=r"No simulated axis is named 'fast'.*Known: rot"):
        reader.motion("fast", 0.0)
    with pytest.raises(NotFound, match=r"No simulated shutter is named 'rot'.*Known: fast"):
        reader.shutter("rot", 0.0)


def test_a_reader_takes_up_devices_that_come_later(shared: SharedBoard, buffer_root: Path) -> None:
    reader = BufferBoard(buffer_root)
    with pytest.raises(NotFound):
        reader.motion("rot", 0.0)
    SimAxis("rot", board=shared, position=3.0)
    assert positions(reader.motion("rot", 0.0), [0.0])[0] == 3.0


def test_the_newest_devices_run_is_found_and_its_absence_is_said(buffer_root: Path) -> None:
    buffer = Buffer(buffer_root, budget=64 << 20)
    with pytest.raises(NotFound, match="No session publishes"):
        newest_devices_run(buffer)
    with buffer.create_run(devices_info()), buffer.create_run(devices_info()) as newest:
        buffer.create_run(RunInfo(name="ascan", title="ascan", start_epoch=0.0)).close()
        assert newest_devices_run(buffer) == newest.key
        assert BufferBoard(buffer).run == newest.key


class TestGuard:
    """Stops that come from outside of the session."""

    def test_devices_with_a_shared_board_say_how_to_stop_them(self, shared: SharedBoard, run: RunWriter) -> None:
        surroundings = Surroundings(board=shared)
        axis = build({"kind": "sim.axis", "name": "rot"}, surroundings)
        shutter = build({"kind": "sim.shutter", "name": "fast"}, surroundings)
        assert isinstance(axis, Axis)
        assert isinstance(shutter, SimShutter)
        for way in (axis.out_of_band, shutter.out_of_band):
            assert way is not None
            assert way.arguments["run"] == run.key

    def test_a_moving_axis_decelerates_from_the_moment_of_the_order(
        self, shared: SharedBoard, buffer_root: Path, run: RunWriter
    ) -> None:
        now = time.monotonic()
        shared.post_motion("rot", rest(0.0, now - 10.0), "deg")
        shared.post_motion("rot", trapezoid(0.0, 1000.0, 20.0, 40.0, now - 5.0), "deg")
        reader = BufferBoard(buffer_root)
        assert positions(reader.motion("rot", now), [now + 100.0])[0] == pytest.approx(1000.0)
        stop = Stop()
        stop.prepare(buffer=str(buffer_root), run=run.key, device="rot")
        stop(buffer=str(buffer_root), run=run.key, device="rot")
        ordered = float(np.asarray(Buffer(buffer_root).run(run.key).channel("rot.guard").read(0, 1))[0])
        rows = reader.motion("rot", now - 6.0)
        position, velocity = state(rows, ordered)
        assert velocity == pytest.approx(20.0)
        # v²/2a = 5 deg, in half a second.
        assert positions(rows, [ordered + 0.5, ordered + 100.0]) == pytest.approx([position + 5.0] * 2)
        np.testing.assert_array_equal(
            positions(rows, [now - 4.0]), positions(trapezoid(0.0, 1000.0, 20.0, 40.0, now - 5.0), [now - 4.0])
        )
        stop(buffer=str(buffer_root), run=run.key, device="rot")
        np.testing.assert_array_equal(reader.motion("rot", now - 6.0), rows)

    def test_an_axis_at_rest_stays_where_it_is(self, shared: SharedBoard, buffer_root: Path, run: RunWriter) -> None:
        shared.post_motion("rot", rest(7.0, time.monotonic() - 1.0), "deg")
        Stop()(buffer=str(buffer_root), run=run.key, device="rot")
        rows = BufferBoard(buffer_root).motion("rot", time.monotonic())
        assert positions(rows, [time.monotonic() + 100.0])[0] == 7.0

    def test_an_open_shutter_closes(self, shared: SharedBoard, buffer_root: Path, run: RunWriter) -> None:
        shared.post_shutter("fast", time.monotonic() - 1.0, True)
        reader = BufferBoard(buffer_root)
        assert reader.shutter("fast", time.monotonic())[0, 1] == 1.0
        before = time.monotonic()
        Stop()(buffer=str(buffer_root), run=run.key, device="fast")
        assert reader.shutter("fast", time.monotonic())[0, 1] == 0.0
        assert reader.shutter("fast", before)[:, 1].tolist() == [1.0, 0.0]

    def test_a_guard_that_was_started_again_can_stop_what_the_first_one_prepared(
        self, shared: SharedBoard, buffer_root: Path, run: RunWriter
    ) -> None:
        shared.post_shutter("fast", time.monotonic() - 1.0, True)
        reader = BufferBoard(buffer_root)
        arguments = {"buffer": str(buffer_root), "run": run.key, "device": "fast"}
        first, second = Stop(), Stop()
        first.prepare(**arguments)
        assert reader.shutter("fast", time.monotonic())[0, 1] == 1.0
        second.prepare(**arguments)
        second(**arguments)
        assert reader.shutter("fast", time.monotonic())[0, 1] == 0.0

    def test_a_prepared_guard_stops_an_axis_whose_session_was_killed(
        self, buffer_root: Path, wait_for: Callable[..., None]
    ) -> None:
        session = subprocess.Popen([sys.executable, "-c", SESSION, str(buffer_root)], stdout=subprocess.PIPE, text=True)
        try:
            assert session.stdout is not None
            key = session.stdout.readline().strip()
            arguments = {"buffer": str(buffer_root), "run": key, "device": "rot"}
            stop = Stop()
            stop.prepare(**arguments)
            reader = BufferBoard(buffer_root, key)
            wait_for(lambda: state(reader.motion("rot", 0.0), time.monotonic())[1] > 0.0)
        finally:
            session.kill()
            session.wait()
            if session.stdout is not None:
                session.stdout.close()
        stop(**arguments)
        wait_for(lambda: state(reader.motion("rot", 0.0), time.monotonic())[1] == 0.0)
        assert positions(reader.motion("rot", 0.0), [time.monotonic() + 1e4])[0] < 1000.0


SESSION = """
import asyncio, sys, time
from pathlib import Path
from firstlight.buffer import Buffer
from firstlight.devices.sim import SharedBoard, SimAxis
from firstlight.model import RunInfo
root = Path(sys.argv[1])
run = Buffer(root, budget=64 << 20).create_run(RunInfo(name="devices", title="devices", start_epoch=time.time()))
axis = SimAxis("rot", velocity=1.0, acceleration=10.0, board=SharedBoard(run, root))
print(run.key, flush=True)
asyncio.run(axis.move(1000.0))
"""


class TestTrack:
    """Rows that replace each other."""

    @given(
        moves=st.lists(st.tuples(st.floats(-50.0, 50.0), st.floats(0.1, 5.0), st.booleans()), min_size=1, max_size=20),
        since=st.floats(0.0, 120.0),
    )
    def test_what_is_known_since_a_moment_is_what_is_known_at_all(
        self, moves: list[tuple[float, float, bool]], since: float
    ) -> None:
        track = Track(5)
        track.append(rest(0.0, 0.0))
        now, at = 1.0, 0.0
        for target, wait, stopped in moves:
            rows = trapezoid(at, target, 10.0, 20.0, now)
            track.append(rows)
            if stopped:
                track.append(halt(track.motion(now), now + wait, 20.0))
            now = float(track.last()[0] + track.last()[1]) + wait
            at = float(positions(track.motion(0.0), [now])[0])
        everything = track.since(-1.0)
        # A cruise as short as the roundoff begins when the next row does.
        assert np.all(np.diff(everything[:, 0]) >= 0)
        moments = np.linspace(since, now + 1.0, 50)
        np.testing.assert_allclose(positions(track.motion(since), moments), positions(everything, moments), atol=1e-9)

    def test_old_rows_are_given_up_when_there_are_very_many(self) -> None:
        track = Track(2)
        for k in range(200_000):
            track.append(np.array([[float(k), float(k % 2)]]))
        assert len(track) < 140_000
        assert track.at(199_999.5).tolist() == [199_999.0, 1.0]
        assert track.since(199_990.0)[:, 0].tolist() == [float(k) for k in range(199_990, 200_000)]
        assert track.at(0.0)[0] > 0.0, "before what is kept, the oldest row"

    def test_a_cut_motion_goes_on_as_it_would_have(self) -> None:
        rows = trapezoid(0.0, 10.0, 2.0, 4.0, 100.0)
        for since in (99.0, 100.2, 102.0, 105.3, 200.0):
            moments = np.linspace(since, 210.0, 300)
            first = max(0, int(np.searchsorted(rows[:, 0], since, side="right")) - 1)
            np.testing.assert_allclose(
                positions(cut(rows[first:].copy(), since), moments), positions(rows, moments), atol=1e-9
            )

    def test_a_stop_before_a_motion_began_keeps_the_axis_where_it_was(self) -> None:
        rows: Segments = np.concatenate([rest(0.0, 0.0), trapezoid(0.0, 10.0, 2.0, 4.0, 100.0)])
        assert positions(halted(rows, 99.0), [1000.0])[0] == 0.0
        assert positions(halted(rows[1:], 99.0), [1000.0])[0] == 0.0

    def test_a_stop_during_a_deceleration_does_not_lengthen_it(self) -> None:
        rows = trapezoid(0.0, 10.0, 2.0, 4.0, 0.0)
        end = float(rows[-1, 0] + rows[-1, 1])
        assert positions(halted(rows, end - 0.1), [1000.0])[0] == pytest.approx(10.0)
