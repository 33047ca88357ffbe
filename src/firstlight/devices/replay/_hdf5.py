"""Recordings in HDF5: Data Exchange, NXtomo, and the scans of Firstlight and BLISS.

Data Exchange: F. De Carlo et al., "Scientific data exchange: a schema for HDF5-based storage of raw and analyzed data",
J. Synchrotron Rad. 21 (2014) 1224-1230: ``exchange/data``, ``data_dark``, ``data_white``, ``theta``.
NXtomo: the application definition of NeXus: ``image_key`` 0 projection, 1 flat, 2 dark, 3 invalid.
BLISS: an entry per scan, told apart by ``technique/image_key`` or by the titles that nxtomomill knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from firstlight.devices.replay._recording import Recording, Stack, in_degrees
from firstlight.model import ChannelRole, InvalidInput, convert

if TYPE_CHECKING:
    import h5py

    from firstlight.storage import FileChannel, ScanFile

PROJECTION, FLAT, DARK = 0, 1, 2
ALIGNMENT = -1
"""``image_key_control`` of projections taken again after the scan; they are not replayed."""

_TITLES = (("dark images", DARK), ("dark", DARK), ("reference images", FLAT), ("flat", FLAT), ("ref", FLAT),
           ("static images", ALIGNMENT), ("projections", PROJECTION))  # fmt: skip


def open_hdf5(path: Path) -> Recording:
    """The recording in a file.

    :raises InvalidInput: when it is no HDF5 file, or holds no tomography.
    """
    import h5py

    try:
        file = h5py.File(path, "r", locking=False)
    except OSError as error:
        raise InvalidInput(f"{path} is no HDF5 file, or it is damaged.") from error
    try:
        found = _data_exchange(file, path)
        if found is None:
            found = _nxtomo(file, path)
        if found is not None:
            return found
        scans = _entries(file)
    except (KeyError, RuntimeError, TypeError, ValueError, OSError) as error:
        file.close()
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"{path} cannot be read as a tomography: {error}.") from error
    file.close()
    recording = _scans(path, scans) if scans else None
    if recording is None:
        raise InvalidInput(
            f"{path} holds no tomography that Firstlight knows.",
            hint="It reads Data Exchange, NXtomo, and scans in the layout of BLISS.",
        )
    return recording


def _data_exchange(file: h5py.File, path: Path) -> Recording | None:
    data = file.get("exchange/data")
    if not _is_stack(data):
        return None
    if "exchange/theta" not in file:
        raise InvalidInput(f"{path} has no exchange/theta: the angles of its projections are unknown.")
    theta = file["exchange/theta"]
    return Recording(
        path.name,
        Stack.of(data),
        in_degrees(theta[()], _text(theta.attrs.get("units", ""))),
        darks=_stack(file.get("exchange/data_dark")),
        flats=_stack(file.get("exchange/data_white")),
        close=file.close,
    )


def _nxtomo(file: h5py.File, path: Path) -> Recording | None:
    for entry in _groups(file):
        instrument = entry.get("instrument")
        if instrument is None or not hasattr(instrument, "values"):
            continue
        for detector in _groups(instrument):
            if "image_key" in detector and _is_stack(detector.get("data")):
                return _of_nxtomo(file, entry, detector, path)
    return None


def _of_nxtomo(file: h5py.File, entry: h5py.Group, detector: h5py.Group, path: Path) -> Recording:
    keys = np.asarray(detector["image_key"][()]).ravel()
    control = np.asarray(detector["image_key_control"][()]).ravel() if "image_key_control" in detector else keys
    rotation = entry.get("sample/rotation_angle")
    if rotation is None:
        raise InvalidInput(f"{path} has no {entry.name}/sample/rotation_angle: its angles are unknown.")
    angles = in_degrees(rotation[()], _text(rotation.attrs.get("units", "")))
    data = detector["data"]
    if not len(data) == len(keys) == len(angles) == len(control):
        raise InvalidInput(f"{path} holds {len(data)} frames, {len(keys)} image keys and {len(angles)} angles.")
    chosen = np.flatnonzero((keys == PROJECTION) & (control == PROJECTION))
    flats, darks = np.flatnonzero(keys == FLAT), np.flatnonzero(keys == DARK)
    sizes = [_length(detector.get(f"{axis}_pixel_size")) for axis in "yx"]
    return Recording(
        path.name,
        Stack.of(data, chosen),
        angles[chosen],
        darks=Stack.of(data, darks) if len(darks) else None,
        flats=Stack.of(data, flats) if len(flats) else None,
        pixel_size=(sizes[0], sizes[1]) if sizes[0] and sizes[1] else None,
        close=file.close,
    )


def _entries(file: h5py.File) -> dict[str, int | None]:
    """Names of the entries in BLISS's layout, with their image key where it is said."""
    import h5py

    found: dict[str, int | None] = {}
    for name in file:
        entry = file.get(name)  # None for a link that leads nowhere
        if isinstance(entry, h5py.Group) and "title" in entry and ("measurement" in entry or "instrument" in entry):
            key = entry.get("technique/image_key")
            found[name] = int(np.asarray(key[()]).ravel()[0]) if key is not None else None
    return found


@dataclass(slots=True)
class _Parts:
    """What was found of one tomography, scan by scan."""

    darks: list[Stack] = field(default_factory=list)
    flats: list[Stack] = field(default_factory=list)
    projections: list[Stack] = field(default_factory=list)
    angles: list[NDArray[np.float64]] = field(default_factory=list)
    pixel_size: tuple[float, float] | None = None
    since: tuple[int, int] = (0, 0)
    """How many of the darks and flats came before the last projections."""

    def add_projections(self, stack: Stack, angles: NDArray[np.float64]) -> None:
        if self.angles and _overlap(np.concatenate(self.angles), angles):
            # The sample turned through the same angles again: another tomography. Of several, the last is taken.
            self.projections.clear()
            self.angles.clear()
            darks, flats = self.since
            self.darks, self.flats = self.darks[darks:] or self.darks, self.flats[flats:] or self.flats
        self.projections.append(stack)
        self.angles.append(angles)
        self.since = len(self.darks), len(self.flats)


def _overlap(before: NDArray[np.float64], after: NDArray[np.float64]) -> bool:
    step = float(np.median(np.abs(np.diff(before)))) if len(before) > 1 else 0.0
    return float(min(before.max(), after.max()) - max(before.min(), after.min())) > 2.0 * step


def _scans(path: Path, entries: dict[str, int | None]) -> Recording | None:
    from firstlight.storage import open_scan

    parts = _Parts()
    opened: list[ScanFile] = []

    def close() -> None:
        for scan in opened:
            scan.close()

    try:
        for name, said in sorted(entries.items(), key=lambda item: _number(item[0])):
            opened.append(open_scan(path, name))
            _add(parts, opened[-1], said)
        projections = Stack.join(parts.projections)
        if projections is None:
            close()
            return None
        return Recording(
            path.name,
            projections,
            np.concatenate(parts.angles),
            darks=Stack.join(parts.darks),
            flats=Stack.join(parts.flats),
            pixel_size=parts.pixel_size,
            close=close,
        )
    except BaseException:
        close()
        raise


def _add(parts: _Parts, scan: ScanFile, said: int | None) -> None:
    frames = _frames(scan)
    if frames is None:
        return
    key = said if said is not None else _key(scan)
    if key == PROJECTION:
        angles = _angles(scan, frames.count)
        if angles is None:
            raise InvalidInput(
                f"{scan.where} does not say how the sample was turned in its {frames.count} projections."
            )
        # The last frames of a run that was stopped may have no angle.
        parts.add_projections(_of_channel(frames, len(angles)), angles)
        parts.pixel_size = parts.pixel_size or _pixel_size(scan, frames.spec.name)
    elif key in (DARK, FLAT):
        (parts.darks if key == DARK else parts.flats).append(_of_channel(frames, frames.count))


def _frames(scan: ScanFile) -> FileChannel | None:
    found = [
        c for c in scan.channels.values() if c.spec.role is ChannelRole.FRAME and len(c.spec.shape) == 2 and c.count
    ]
    return found[0] if found else None


def _of_channel(channel: FileChannel, count: int) -> Stack:
    height, width = channel.spec.shape
    return Stack(count, (height, width), np.dtype(channel.spec.dtype), lambda k: np.asarray(channel.read(k, k + 1))[0])


def _key(scan: ScanFile) -> int | None:
    for tree in (scan.info.metadata.get("technique"), scan.info.parameters, scan.info.metadata):
        if isinstance(tree, dict) and tree.get("image_key") is not None:
            return int(tree["image_key"])
    title = scan.info.title.strip().lower()
    known = next((key for start, key in _TITLES if title.startswith(start)), None)
    return known if known is not None or not scan.info.axes else PROJECTION


def _angles(scan: ScanFile, count: int) -> NDArray[np.float64] | None:
    """Angles of the frames: of the axis that the run moved, or else of what turned the furthest."""
    best: tuple[bool, float, NDArray[np.float64]] | None = None
    for name, channel in scan.channels.items():
        named, unit = name in scan.info.axes, channel.spec.unit.lower()
        turns = unit.startswith(("deg", "rad")) or (not unit and channel.spec.role is ChannelRole.AXIS)
        if channel.spec.shape or not (named or turns) or not channel.count:
            continue
        values = in_degrees(np.asarray(channel.read(0, min(count, channel.count))), unit)
        rank = named, float(np.ptp(values))
        if best is None or rank > best[:2]:
            best = *rank, values
    return None if best is None else best[2]


def _pixel_size(scan: ScanFile, camera: str) -> tuple[float, float] | None:
    settings = scan.info.devices.get(camera, {})
    sizes = [settings.get(f"{axis}_pixel_size") for axis in "yx"]
    return (float(sizes[0]), float(sizes[1])) if sizes[0] and sizes[1] else None


def _number(name: str) -> tuple[int, int]:
    first, _, second = name.partition(".")
    return (int(first) if first.isdigit() else 0, int(second) if second.isdigit() else 0)


def _length(item: Any) -> float | None:
    if item is None or item.shape not in ((), (1,)):
        return None
    unit = _text(item.attrs.get("units", "m")) or "m"
    return convert(f"{float(np.asarray(item[()]).ravel()[0])!r} {unit}", "m")


def _groups(parent: Any) -> Iterator[Any]:
    import h5py

    for name in parent:
        item = parent.get(name)  # None for a link that leads nowhere
        if isinstance(item, h5py.Group):
            yield item


def _is_stack(item: Any) -> bool:
    return item is not None and getattr(item, "ndim", 0) == 3 and item.dtype.kind in "uif"


def _stack(item: Any) -> Stack | None:
    return Stack.of(item) if _is_stack(item) and len(item) else None


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
