"""One tomographic scan, put together from its runs: frames in order, with what each of them is and where it was taken.

What a run says is looked for where Firstlight's ``tomo`` and BLISS put it: ``technique`` in the metadata (in the units
of BLISS where none are given: keV, mm and µm), the settings of the camera, and the positions of all axes at the start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from firstlight.data._source import Stored, nearest
from firstlight.model import RING_CURRENTS, STATUS_MISSING, ChannelRole, InvalidInput, NotFound, convert

if TYPE_CHECKING:
    from firstlight.data._run import Run

PROJECTION, FLAT, DARK, INVALID, ALIGNMENT = 0, 1, 2, 3, -1
"""Image keys of NXtomo, and the one for projections that are taken again (``image_key_control``)."""

_NAMES = {"dark": DARK, "flat": FLAT, "projection": PROJECTION, "return": ALIGNMENT}
_AXES = {"translation_y": "x", "translation_z": "y", "translation_x": "z"}
"""Categories of BLISS, whose z is up and x along the beam, to NXtomo's names, after McStas."""


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one run."""

    run: Run
    camera: str
    """Name of the channel."""
    key: int
    """Image key of all of them."""
    count: int
    """How many; frames without an angle do not count."""
    sources: tuple[Stored, ...]
    """Where they lie in files; empty when they do not."""

    def __len__(self) -> int:
        return self.count

    def blocks(self) -> Iterator[NDArray[Any]]:
        """The frames in portions of some 64 MiB."""
        for block in self.run[self.camera].blocks():
            yield np.asarray(block.values)[: max(0, self.count - block.first)]

    def keys(self) -> NDArray[np.int32]:
        """Image key of each frame; frames that were lost are invalid."""
        keys = np.full(self.count, self.key, dtype=np.int32)
        keys[self.run[self.camera].missing(0, self.count)] = INVALID
        status = self.run.get(f"{self.camera}:status")
        if status is not None:
            flags = np.asarray(status[: self.count])
            keys[: len(flags)][flags == STATUS_MISSING] = INVALID
        return keys

    def positions(self, axis: str, unit: str) -> NDArray[np.float64] | None:
        """Where an axis was at each frame: its channel, or its place at the start; None when neither is known."""
        if axis in self.run and len(self.run[axis]) >= self.count:
            values = np.asarray(self.run[axis][: self.count], dtype=np.float64)
            return values * _factor(self.run[axis].unit, unit)
        rest = self.run.info.positioners.get(axis)
        return None if rest is None else np.full(self.count, rest.value * _factor(rest.unit, unit))


@dataclass(frozen=True, slots=True)
class Tomography:
    """All frames of one scan, in the order in which they were taken."""

    parts: tuple[Frames, ...]
    rotation: str
    """Name of the rotation axis."""
    sequence: Run | None
    """The run of the sequence, which knows more than its parts; None when it was not given."""

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    @property
    def runs(self) -> list[Run]:
        """The runs of the parts."""
        return [part.run for part in self.parts]

    @property
    def shape(self) -> tuple[int, ...]:
        """Height and width of a frame."""
        return self.parts[0].run[self.parts[0].camera].spec.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a pixel."""
        return self.parts[0].run[self.parts[0].camera].dtype

    @property
    def fill(self) -> float | int:
        """What a pixel holds that was not measured."""
        return self.parts[0].run[self.parts[0].camera].spec.fill

    @property
    def title(self) -> str:
        """The command as typed."""
        return (self.sequence or next(p.run for p in self.parts if p.key == PROJECTION)).title

    @property
    def start(self) -> float:
        """UTC seconds."""
        return min(run.info.start_epoch for run in self._all())

    @property
    def end(self) -> float | None:
        """UTC seconds; None while a run goes on."""
        ends = [run.end for run in self._all()]
        return max(e.epoch for e in ends if e is not None) if all(e is not None for e in ends) else None

    @property
    def sample(self) -> str:
        """Name of the sample."""
        for run in self._all():
            described = run.info.metadata.get("sample")
            if isinstance(described, Mapping) and isinstance(described.get("name"), str):
                return str(described["name"])
            if run.info.saving is not None:
                return run.info.saving.sample
        return "unknown"

    @property
    def beamline(self) -> str:
        """Name of the beamline, empty when unknown."""
        return next((r.info.saving.beamline for r in self._all() if r.info.saving is not None), "")

    def image_keys(self) -> NDArray[np.int32]:
        """Image key of each frame, -1 for alignment."""
        return np.concatenate([part.keys() for part in self.parts])

    def angles(self) -> NDArray[np.float64]:
        """Angle of each frame, degrees.

        :raises NotFound: when a run neither recorded the rotation axis nor knows where it was.
        """
        return self.positions(self.rotation, "deg")

    def positions(self, axis: str, unit: str) -> NDArray[np.float64]:
        """Where an axis was at each frame.

        :raises NotFound: when a run does not know.
        """
        found = []
        for part in self.parts:
            values = part.positions(axis, unit)
            if values is None:
                known = [*part.run, *part.run.info.positioners]
                raise NotFound(f"{part.run.where} does not say where {axis} was.", hint=nearest(axis, known, "axis"))
            found.append(values)
        return np.concatenate(found)

    def translations(self) -> dict[str, str]:
        """Axes that translate the sample, by their names in NXtomo (x, y, z), as far as the sequence tells."""
        words = self._say("technique", "scan", "motor")
        if not isinstance(words, Sequence) or isinstance(words, str):
            return {}
        found = {_AXES[kind]: str(name) for kind, name in zip(words[::3], words[1::3], strict=False) if kind in _AXES}
        return {n: a for n, a in found.items() if all(p.positions(a, "m") is not None for p in self.parts)}

    def count_times(self) -> NDArray[np.float64] | None:
        """Exposure of each frame, seconds; None when a run does not tell."""
        times = [(part.run.info.count_time, len(part)) for part in self.parts]
        if any(t is None for t, _ in times):
            return None
        return np.concatenate([np.full(n, t, dtype=np.float64) for t, n in times])

    def monitor(self, name: str) -> tuple[NDArray[np.float64], str] | None:
        """Intensity at each frame and its unit: a named channel, or the ring current where all runs recorded it.

        :raises NotFound: when a run does not have the named channel at each frame.
        """
        for candidate in [name] if name else RING_CURRENTS:
            channels = [part.run.get(candidate) for part in self.parts]
            if all(c is not None and len(c) >= len(p) for c, p in zip(channels, self.parts, strict=True)):
                unit = channels[0].unit if channels[0] is not None else ""
                values = [
                    np.asarray(c[: len(p)], dtype=np.float64) * _factor(c.unit, unit)
                    for c, p in zip(channels, self.parts, strict=True)
                    if c is not None
                ]
                return np.concatenate(values), unit or "count"
        if name:
            without = next(p.run for p in self.parts if name not in p.run or len(p.run[name]) < len(p))
            raise NotFound(
                f"{without.where} has no {name!r} at each frame.", hint=nearest(name, list(without), "channel")
            )
        return None

    def energy(self) -> float | None:
        """Photon energy, keV."""
        for path in (("technique", "scan", "energy"), ("technique", "energy"), ("instrument", "beam", "energy")):
            found = self._number(path, "keV", "keV")
            if found:
                return found
        for run in self._all():
            rest = run.info.positioners.get("energy")
            if rest is not None and rest.unit in ("keV", "eV") and rest.value > 0:
                return rest.value * _factor(rest.unit, "keV")
        return None

    def distance(self) -> float | None:
        """From sample to detector, metres."""
        for word in ("sample_detector_distance", "detector_distance", "propagation_distance"):
            found = self._number(("technique", "scan", word), "mm", "m")
            if found is not None:
                return found
        return None

    def source_distance(self) -> float | None:
        """From source to sample, metres."""
        return self._number(("technique", "scan", "source_sample_distance"), "mm", "m")

    def sample_pixel(self) -> tuple[float, float] | None:
        """Effective pixel size (vertical, horizontal), metres."""
        size = self._number(("technique", "optic", "sample_pixel_size"), "um", "m")
        return (size, size) if size else None

    def detector_pixel(self) -> tuple[float, float] | None:
        """Pixel size of the camera (vertical, horizontal), metres."""
        settings = self.parts[0].run.info.devices.get(self.parts[0].camera, {})
        sizes = [_number(settings, f"{a}_pixel_size", "m", "m") for a in "yx"]
        return (sizes[0], sizes[1]) if sizes[0] and sizes[1] else None

    def field_of_view(self) -> str:
        """``Full`` or ``Half``; empty when unknown."""
        found = str(self._say("technique", "scan", "field_of_view") or "").capitalize()
        return found if found in ("Full", "Half") else ""

    def _all(self) -> list[Run]:
        return ([self.sequence] if self.sequence is not None else []) + self.runs

    def _say(self, *path: str) -> Any:
        for run in self._all():
            at: Any = run.info.metadata
            for word in path:
                at = at.get(word) if isinstance(at, Mapping) else None
            if at is not None:
                return at
        return None

    def _number(self, path: tuple[str, ...], unit: str, wanted: str) -> float | None:
        group = self._say(*path[:-1])
        return _number(group, path[-1], unit, wanted) if isinstance(group, Mapping) else None


def gather(runs: Run | Sequence[Run], *, camera: str = "", rotation: str = "") -> Tomography:
    """Put the runs of one scan together.

    :param runs: darks, flats and projections, or the run of their sequence, or any one part of it.
    :param camera: channel with the frames; needed when there are several.
    :param rotation: rotation axis; by default what moved during the projections.
    :raises InvalidInput: when a run is no part of a tomography, or frames differ in shape or type.
    :raises NotFound: when there are no frames or no projections, or a named thing does not exist.
    """
    given = [runs] if not isinstance(runs, Sequence) else list(runs)
    if len(given) == 1 and given[0].info.parent:
        # Whoever names the projections alone wants their darks and flats as well.
        given = [given[0].sequence() or given[0]]
    sequence = None
    parts: list[Run] = []
    for run in given:
        if not _cameras(run) and (inner := run.parts()):
            sequence = sequence or run
            parts += inner
        else:
            parts.append(run)
    if not parts:
        raise NotFound("There is no run to make a tomography of.")
    parts.sort(key=lambda r: (r.info.start_epoch, r.number or 0))
    keys = {id(run): _image_key(run, alone=len(parts) == 1) for run in parts}
    turn = next((run for run in parts if keys[id(run)] == PROJECTION), None)
    if turn is None:
        raise NotFound(
            f"None of {len(parts)} runs has projections.",
            hint="Give also the run that turned the sample.",
        )
    camera = camera or _camera(turn)
    rotation = rotation or _rotation(turn, sequence)
    frames = [f for run in parts if (f := _frames(run, camera, keys[id(run)], rotation)) is not None]
    if not any(f.key == PROJECTION for f in frames):
        raise NotFound(f"{turn.where} has no projections yet.", hint="Wait for its frames.")
    reference = frames[0].run[camera].spec
    for part in frames[1:]:
        spec = part.run[camera].spec
        if (spec.shape, spec.dtype) != (reference.shape, reference.dtype):
            raise InvalidInput(
                f"Frames of {part.run.where} are {spec.shape} {spec.dtype}, those of {frames[0].run.where} "
                f"{reference.shape} {reference.dtype}.",
                hint="Export runs of one setting of the camera.",
            )
    return Tomography(tuple(frames), rotation, sequence)


def _frames(run: Run, camera: str, key: int, rotation: str) -> Frames | None:
    if camera not in run:
        raise NotFound(f"{run.where} has no frames of {camera}.", hint=nearest(camera, list(run), "channel"))
    count = len(run[camera])
    if rotation in run.info.axes and rotation in run:
        # The last frames of a run that was stopped may have no angle.
        count = min(count, len(run[rotation]))
    return Frames(run, camera, key, count, run[camera].stored(count)) if count else None


def _image_key(run: Run, *, alone: bool) -> int:
    technique = run.info.metadata.get("technique")
    for group in (technique, run.info.parameters, run.info.metadata):
        if isinstance(group, Mapping) and group.get("image_key") is not None:
            key = int(group["image_key"])
            if key not in (PROJECTION, FLAT, DARK, INVALID, ALIGNMENT):
                raise InvalidInput(f"{run.where} has the image key {key}.", hint="NXtomo knows 0, 1, 2 and 3.")
            return key
    kind = run.name.rpartition(":")[2]
    for word, key in _NAMES.items():
        if kind.startswith(word):
            return key
    if alone and run.info.axes:
        return PROJECTION
    raise InvalidInput(
        f"{run.where} ({run.title}) does not say what its frames are in a tomography.",
        hint="Scans made by tomo do; others tell it by image_key: 0 projections, 1 flats, 2 darks.",
    )


def _cameras(run: Run) -> list[str]:
    return [n for n, s in run.specs().items() if s.role is ChannelRole.FRAME and len(s.shape) == 2]


def _camera(run: Run) -> str:
    found = _cameras(run)
    if not found:
        raise NotFound(f"{run.where} has no frames.", hint=nearest("", list(run), "channel"))
    if len(found) > 1:
        raise InvalidInput(f"{run.where} has {len(found)} cameras.", hint=f"Name one: {', '.join(found)}.")
    return found[0]


def _rotation(run: Run, sequence: Run | None) -> str:
    if run.info.axes:
        return run.info.axes[-1]
    for source in (sequence, run):
        scan = (source.info.metadata.get("technique") or {}).get("scan") if source is not None else None
        motor = scan.get("motor") if isinstance(scan, Mapping) else None
        if isinstance(motor, Sequence) and len(motor) > 1 and motor[0] == "rotation":
            return str(motor[1])
    raise NotFound(f"{run.where} does not say which axis rotated.", hint="Name it with rotation=.")


def _number(group: Mapping[str, Any], name: str, unit: str, wanted: str) -> float | None:
    value = group.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        return None
    return float(value) * _factor(str(group.get(f"{name}@units", unit)), wanted)


def _factor(unit: str, wanted: str) -> float:
    return 1.0 if unit in ("", wanted) else convert(f"1 {unit}", wanted)
