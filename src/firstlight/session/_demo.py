"""The demo: a whole experiment on this machine, told as it happens."""

from __future__ import annotations

import contextlib
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape

import firstlight
from firstlight.data import Run
from firstlight.model import DataError, InvalidInput, NotFound
from firstlight.scanning import Progress
from firstlight.session._alignment import align_rotation
from firstlight.session._reconstruct import reconstruct
from firstlight.session._session import Session
from firstlight.session._simulated import Layout, simulated
from firstlight.session._story import Advance, Story
from firstlight.session._thumbnail import show

PROPOSAL, SAMPLE, ALIGNMENT, DATASET = "demo", "tooth", "alignment", "overview"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured.

    :param turn: angles at the start of the first projection and the end of the last one, degrees.
    :param flats: before and after the projections.
    :param out: position of the sample stage for flats, in widths of the detector.
    """

    layout: Layout
    projections: int
    time: float
    darks: int
    flats: tuple[int, int]
    turn: tuple[float, float] = (0.0, 180.0)
    out: float = 2.0


FULL = Plan(Layout(), projections=720, time=0.015, darks=20, flats=(20, 20))
# So few rows show no lean.
FAST = Plan(
    Layout(shape=(32, 160), axis_offset=-5.6, axis_roll=0.0), projections=240, time=0.008, darks=8, flats=(8, 8)
)


def demo(
    *,
    fast: bool = False,
    headless: bool = False,
    data: Path | None = None,
    seed: int = 1,
    replay: Path | None = None,
    angles: tuple[float, float] | None = None,
    console: Console | None = None,
    pages: Callable[[Session], str] | None = None,
) -> dict[str, Any]:
    """Acquire, buffer, save, read back and reconstruct a tomographic scan, and say what happens.

    :param fast: smaller and fewer frames.
    :param headless: for logs: no bars that are redrawn, no picture in the terminal.
    :param data: folder for the experiment's files; a new one when None.
    :param seed: another seed is another structure of the beam and other noise.
    :param replay: recorded projections to acquire in place of simulated ones.
    :param angles: of the first and the last of them, degrees, for images that do not tell.
    :param pages: shows the session in a browser; gives the address.
    :returns: what was made: paths, the axis found, the true one when it is known.
    """
    story = Story(console or Console(), lively=not headless)
    plan = FAST if fast else FULL
    if replay is not None:
        plan = _recorded(replay, fast, angles)
    elif angles is not None:
        raise InvalidInput("Angles are those of recorded images.", hint="Name the recording, too: --replay FOLDER.")
    folder = _folder(data)
    story.console.print(f"[bold]Firstlight {firstlight.__version__}[/]: a tomography experiment on this machine")
    story.say(f"Everything is saved under [bold]{escape(str(folder))}[/]")

    story.chapter("A beamline starts")
    with simulated(folder, seed=seed, layout=plan.layout, replay=replay) as session:
        for line in _introduction(session, replay):
            story.say(line)
        address = pages(session) if pages is not None else ""
        if address:
            story.say(f"Watch it live in the browser: [bold]{escape(address)}[/]")
        session.newproposal(PROPOSAL)
        session.newsample(SAMPLE, "simulated tooth" if replay is None else f"recorded in {replay.name}")
        if replay is None:
            session.newdataset(ALIGNMENT)
            story.chapter("A first scan finds the sample")
            _find_sample(story, session, plan)
            story.chapter("The rotation axis is put upright, in the middle of the camera")
            _align(story, session, plan)
        session.newdataset(DATASET)
        story.chapter("Darks, flats and projections in one continuous turn")
        run = _acquire(story, session, plan)
        story.chapter("Another process saved them; read them back")
        parts = _read_back(story, run)
        story.chapter("Reconstruct, in a process of its own")
        result = _reconstruct(story, session, run)
        truth = None if replay is not None else _truth(session, plan.layout)
        _tell_axis(story, result, truth)
        if story.lively:
            show(story.console, Path(result["picture"]))
        session.enddataset()
        story.chapter("What you have now")
        _farewell(story, session, run, result)
        if address and story.lively and sys.stdin.isatty():
            story.say(f"The pages stay until you press Ctrl-C: {escape(address)}")
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
    return {"folder": str(folder), "frames": sum(len(p["cam"]) for p in parts), "truth": truth, **result}


def _folder(data: Path | None) -> Path:
    if data is None:
        return Path(tempfile.mkdtemp(prefix="firstlight-demo-"))
    try:
        data.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise InvalidInput(f"{data} is a file, not a folder.", hint="Choose another one with --data.") from None
    except OSError as error:
        raise InvalidInput(
            f"The folder {data} can not be made: {error.strerror}.", hint="Choose another one with --data."
        ) from error
    try:
        with tempfile.TemporaryFile(dir=data):
            pass
    except OSError as error:
        raise InvalidInput(
            f"The folder {data} can not be written: {error.strerror}.", hint="Choose another one with --data."
        ) from error
    return data.absolute()


def _recorded(replay: Path, fast: bool, angles: tuple[float, float] | None) -> Plan:
    """As many frames as the recording has, over the same angles."""
    from firstlight.devices.replay import open_recording

    recording = open_recording(replay, angles)
    try:
        start, stop, count = recording.scan()
        darks, flats = (0 if stack is None else len(stack) for stack in (recording.darks, recording.flats))
        size = recording.pixel_size[1] * 1e3 if recording.pixel_size else 0.01
        layout = Layout(shape=recording.projections.shape, pixel_size=size, angles=angles)
    finally:
        recording.close()
    return Plan(layout, count, 0.01 if fast else 0.03, darks=darks, flats=(flats, 0), turn=(start, stop))


def _introduction(session: Session, replay: Path | None) -> Sequence[str]:
    camera = session["cam"]
    height, width = camera.info.shape
    what = f"shows {escape(replay.name)}" if replay is not None else "sees a simulated sample"
    names = ", ".join(f"{p.name} (process {p.pid})" for p in session.supervisor.children)
    return [
        f"Camera cam, {height} × {width} pixels, {what}; axes rot, tilt, sx, sz; shutter fshut; counters diode, ring",
        f"Beside this one: {names}",
    ]


def _find_sample(story: Story, session: Session, plan: Plan) -> None:
    """The stage stands beside the beam at first; the diode sees the light that the sample scatters."""
    width = plan.layout.shape[1] * plan.layout.pixel_size
    with story.progress("dscan sx: the light that the sample scatters") as advance, following(session, advance):
        run = session.dscan("sx", -0.4 * width, 1.0 * width, 28, 0.005, "diode")
    center = run.cen("diode")
    before = session["sx"].position
    session.move(sx=float(center))
    story.say(
        f"The sample was at sx = {before:.3f} mm; the peak of {escape(run.title)} is at {center}, so sx went there"
    )


def _align(story: Story, session: Session, plan: Plan) -> None:
    width = plan.layout.shape[1] * plan.layout.pixel_size
    roll = "tilt" if plan.layout.axis_roll else ""
    align_rotation(session, "rot", "cam", "sx", plan.out * width, roll=roll, count_time=plan.time, tell=story.say)
    story.say(f"sx went to {session['sx'].position:.4f} mm and tilt to {session['tilt'].position:.3f} deg")


def _acquire(story: Story, session: Session, plan: Plan) -> Run:
    width = plan.layout.shape[1] * plan.layout.pixel_size
    arguments: dict[str, Any] = {
        "darks": plan.darks, "flats": plan.flats[0], "flats_after": plan.flats[1],
        "flat_axis": "sx", "flat_position": plan.out * width,
    }  # fmt: skip
    what = ("rot", *plan.turn, plan.projections, plan.time, "tomo")
    estimate = session.tomo.estimate(*what, **arguments)
    for line in str(estimate).splitlines():
        story.say(escape(line))
    with story.progress("Acquiring") as advance, following(session, advance):
        return session.tomo(*what, **arguments)


class following:  # noqa: N801 - reads as a word in a with statement
    """Moves a bar while a session runs."""

    def __init__(self, session: Session, advance: Advance) -> None:
        self._listeners = session.engine.listeners
        self._advance = advance

    def __enter__(self) -> None:
        self._listeners.append(self._follow)

    def __exit__(self, *error: object) -> None:
        self._listeners.remove(self._follow)

    def _follow(self, progress: Progress) -> None:
        self._advance(progress.point, progress.total, progress.title)


def _read_back(story: Story, run: Run) -> list[Run]:
    path = run.info.saving.dataset_file if run.info.saving is not None else ""
    sequence = firstlight.open(path, scan=run.number or -1)
    parts = [part for part in sequence.parts() if "cam" in part]
    if not parts:
        raise NotFound(f"{path} holds no frames.")
    for part in parts:
        frames = part["cam"]
        missing = len(frames.missing(0, len(frames)))
        if len(frames) != part.info.npoints or missing:
            raise DataError(f"Run {part.number}: {len(frames)} of {part.info.npoints} frames, {missing} missing.")
        mean = float(np.mean(frames[len(frames) // 2]))
        story.say(
            f"{part.number}.1  {escape(part.title):<44} {len(frames):>4} frames, middle one {mean:8.1f} counts a pixel"
        )
    story.say(f"{sum(len(p['cam']) for p in parts)} frames acquired, every one in its file")
    return parts


def _truth(session: Session, layout: Layout) -> float:
    """Pixel of the rotation axis of the simulated beamline."""
    moved: float = session["sx"].position / layout.pixel_size
    return (layout.shape[1] - 1) / 2 + layout.axis_offset + moved


def _reconstruct(story: Story, session: Session, run: Run) -> dict[str, Any]:
    with story.progress("Reconstructing") as advance:
        return reconstruct(session, run, progress=lambda stage, done, total: advance(done, total, stage))


def _tell_axis(story: Story, result: dict[str, Any], truth: float | None) -> None:
    axis = result["axis"]
    found = ", ".join(f"{e['method']} {e['axis']:.2f}" for e in axis["estimates"] if e["axis"] is not None)
    story.say(f"Rotation axis at [bold]{axis['position']:.2f} px[/] ({found})"
              + (f"; in truth it is at {truth:.2f} px" if truth is not None else ""))  # fmt: skip
    slices, rows, columns = result["shape"]
    story.say(f"Volume of {slices} × {rows} × {columns} voxels, attenuation in {result['unit']}")
    for warning in result["warnings"]:
        story.say(f"[yellow]{escape(warning)}[/]")


def _farewell(story: Story, session: Session, run: Run, result: dict[str, Any]) -> None:
    dataset = run.info.saving.dataset_file if run.info.saving is not None else ""
    for what, path in (
        ("Raw data", dataset), ("NXtomo", result["nxtomo"]), ("Volume", result["volume"]),
        ("Picture", result["picture"]), ("Logs", str(session.logs)),
    ):  # fmt: skip
        story.say(f"{what:<9} {escape(str(path))}")
    story.say("")
    story.say(f"Look at a run:    firstlight show {escape(dataset)}")
    story.say(f"List all runs:    firstlight ls {escape(str(session.data))}")
    story.say(f"From Python:      firstlight.open({escape(repr(dataset))}, scan=1)['diode'][:]")
    story.say(f"Done in {story.elapsed:.0f} s.")
