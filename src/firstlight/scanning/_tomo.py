"""Tomography: darks, flats, projections, return projections, flats, as one sequence of scans.

Titles, categories and image keys are those by which nxtomomill (class ``StandardAcquisition`` and
``ScanTypeFinder``) recognises the parts of a scan that BLISS made.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from firstlight.model import InvalidInput, Scan
from firstlight.scanning._arguments import Device, Position, Seconds, device_name, positions, quantity, typed, whole
from firstlight.scanning._commands import ascan, flyscan, loopscan
from firstlight.scanning._info import merged
from firstlight.scanning._sequence import MoveTo, ScanSequence

RETURN_STEP = 90.0
"""Degrees between two return projections, at most."""
NXTOMO_ALIGNMENT = -1
"""Value of NXtomo's ``image_key_control`` for projections taken again after the scan."""


def tomo(
    axis: Device,
    start: Position,
    stop: Position,
    intervals: int,
    count_time: Seconds,
    *counters: Device,
    darks: int = 10,
    flats: int = 10,
    flats_after: int | None = None,
    flat_axis: Device = "",
    flat_position: Position | None = None,
    returns: bool = False,
    trigger: Literal["time", "position"] = "time",
    energy: float | str | None = None,
    sample_detector_distance: str | None = None,
    source_sample_distance: str | None = None,
    title: str = "",
    name: str = "",
    save: bool = True,
    metadata: Mapping[str, Any] | None = None,
) -> ScanSequence:
    """A tomographic scan: darks (shutter closed), flats (sample out), projections in one continuous turn, flats.

    The shutter is closed and the axes are back where they were at the end, however it ends.

    :param axis: the rotation axis.
    :param start: angle at the start of the first projection.
    :param stop: angle at the end of the last one.
    :param intervals: number of projections.
    :param count_time: seconds of each exposure.
    :param counters: the camera, and what else shall measure.
    :param darks: frames without beam, before.
    :param flats: frames without the sample, before.
    :param flats_after: frames without the sample, after; None for as many as before.
    :param flat_axis: axis that takes the sample out of the beam.
    :param flat_position: its position for flats.
    :param returns: take projections again after the turn, at rest, at most 90 degrees apart, going back.
    :param trigger: of the projections, see :func:`flyscan`.
    :param energy: of the photons; a number is in keV.
    :param sample_detector_distance: with its unit, ``"50 mm"``.
    :param source_sample_distance: with its unit, ``"145 m"``.
    :param metadata: a tree stored with every run, for instance ``{"sample": {"description": "a tooth"}}``.
    """
    rotation = device_name(axis, "axis")
    (first, last), unit = positions(rotation, start=start, stop=stop)
    count = whole(intervals, "intervals", 1)
    n_darks, n_flats = whole(darks, "darks", 0), whole(flats, "flats", 0)
    n_after = n_flats if flats_after is None else whole(flats_after, "flats_after", 0)
    out, home = _flat_moves(rotation, flat_axis, flat_position, needed=n_flats + n_after > 0)
    common = dict(metadata or {})

    def frames(number: int, kind: str, scan_title: str, key: Literal[1, 2]) -> list[Scan]:
        if not number:
            return []
        shutter: Literal["open", "closed"] = "closed" if key == 2 else "open"
        scan = loopscan(
            number,
            count_time,
            *counters,
            trigger="time",
            title=scan_title,
            name=f"tomo:{kind}",
            save=save,
            shutter=shutter,
        )
        return [scan.model_copy(update={"image_key": key, "metadata": common})]

    turn = flyscan(
        axis, start, stop, count, count_time, *counters, trigger=trigger, name="tomo:projections", save=save,
        title=typed("projections", rotation, start, stop, count, count_time),
    )  # fmt: skip
    steps: list[Scan | MoveTo] = [*frames(n_darks, "dark", "dark images", 2)]
    if n_flats:
        steps += [*out, *frames(n_flats, "flat", "reference images 1", 1), *home]
    steps.append(turn.model_copy(update={"image_key": 0, "metadata": common}))
    if returns:
        steps.append(_again(axis, first, last, unit, count_time, counters, save, common))
    if n_after:
        steps += [*out, *frames(n_after, "flat", "reference images 2", 1), *home]
    setup = _setup(energy, sample_detector_distance, source_sample_distance)
    technique = _technique(rotation, abs(last - first), count, turn, n_darks, n_flats + n_after, setup)
    typed_title = typed("tomo:basic", rotation, start, stop, count, count_time, *counters)
    return ScanSequence(
        name=name or "tomo",
        title=title or typed_title,
        steps=tuple(steps),
        back=(rotation, *(move.axis for move in out)),
        save=save,
        metadata=merged(technique, common),
    )


def _flat_moves(
    rotation: str, flat_axis: Device, flat_position: Position | None, *, needed: bool
) -> tuple[list[MoveTo], list[MoveTo]]:
    if not flat_axis and flat_position is None:
        return [], []
    if not flat_axis or flat_position is None:
        raise InvalidInput("tomo: flat_axis and flat_position go together.", hint="Give both, or none.")
    name = device_name(flat_axis, "flat_axis")
    if name == rotation:
        raise InvalidInput(f"flat_axis: {name} is the rotation axis.", hint="Name the axis that takes the sample out.")
    if not needed:
        return [], []
    (target,), unit = positions(name, flat_position=flat_position)
    return [MoveTo(axis=name, position=target, unit=unit)], [MoveTo(axis=name)]


def _again(
    axis: Device,
    first: float,
    last: float,
    unit: str,
    count_time: Seconds,
    counters: Sequence[Device],
    save: bool,
    metadata: Mapping[str, Any],
) -> Scan:
    """Projections at rest, from the end of the turn back to its start."""
    steps = max(1, math.ceil(abs(last - first) / RETURN_STEP - 1e-9))
    begin, end = (f"{p!r} {unit}" if unit else p for p in (last, first))
    scan = ascan(axis, begin, end, steps, count_time, *counters, title="static images", name="tomo:return", save=save)
    # Image key 3 keeps them out of reconstructions here; nxtomomill calls them alignment images.
    key = {"technique": {"image_key": NXTOMO_ALIGNMENT}}
    return scan.model_copy(update={"image_key": 3, "metadata": merged(key, metadata)})


def _setup(energy: float | str | None, to_detector: str | None, to_source: str | None) -> dict[str, Any]:
    """What is known of the beamline, in the units of BLISS."""
    given = {
        "energy": (energy, "keV"),
        "sample_detector_distance": (to_detector, "mm"),
        "source_sample_distance": (to_source, "mm"),
    }
    tree: dict[str, Any] = {}
    for name, (value, unit) in given.items():
        if value is not None:
            # Distances are metres here and millimetres there: nobody has to guess.
            tree |= {name: quantity(value, unit, name, bare=unit == "keV"), f"{name}@units": unit}
    return tree


def _technique(
    rotation: str, turn: float, count: int, scan: Scan, darks: int, flats: int, setup: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "technique": {
            "scan_category": "tomo:basic",
            # By this nxtomomill finds the angles of a rotation axis whatever its name.
            "tomoconfig": {"rotation": [rotation]},
            "scan": {
                "motor": ["rotation", rotation, rotation],
                "scan_range": turn,
                "tomo_n": count,
                "dark_n": darks,
                "flat_n": flats,
                "exposure_time": scan.count_time,
                "exposure_time@units": "s",
                "field_of_view": "Full",
                "sequence": "tomo:basic",
                **setup,
            },
        }
    }
