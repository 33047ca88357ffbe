"""Projections from files: NXtomo (any version of its paths) and DataExchange."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.model import InvalidInput, NotFound, convert
from firstlight.tasks.tomography._projections import Projections


@contextmanager
def open_projections(path: Path | str, entry: str = "") -> Iterator[Projections]:
    """Open a file with one tomographic scan; frames are read when they are asked for, and while it is open.

    NXtomo: N. Schoonjans et al., https://manual.nexusformat.org/classes/applications/NXtomo.html, with the additions
    of the ``nxtomo`` package. DataExchange: F. De Carlo et al., J. Synchrotron Rad. 21, 1224 (2014).

    :param path: an HDF5 file; ``file::/entry`` names the entry too.
    :param entry: path of the NXtomo entry; by default the file's default, or its only one.
    :raises NotFound: when the file or the entry does not exist.
    :raises InvalidInput: when it is no HDF5 file, or of neither format.
    """
    import h5py

    name, _, inside = str(path).partition("::")
    wanted = entry or inside
    file = Path(name)
    if not file.is_file():
        raise NotFound(f"There is no file {file}.")
    try:
        opened = h5py.File(file, "r", locking=False)
    except OSError as error:
        raise InvalidInput(f"{file} is no HDF5 file.", hint="NXtomo and DataExchange files can be read.") from error
    with opened:
        if wanted and wanted not in opened:
            raise NotFound(f"{file} has no {wanted}.", hint=f"It has {', '.join(opened)}.")
        if "exchange/data" in opened and not wanted:
            yield _data_exchange(opened, file)
            return
        yield _nxtomo(opened[wanted] if wanted else _find_nxtomo(opened, file), file)


def _find_nxtomo(opened: Any, file: Path) -> Any:
    found = [name for name, item in opened.items() if _is_nxtomo(item)]
    default = opened.attrs.get("default")
    if default in found:
        return opened[default]
    if len(found) == 1:
        return opened[found[0]]
    if found:
        raise InvalidInput(f"{file} has several scans.", hint=f"Choose one of {', '.join(found)}.")
    raise InvalidInput(
        f"{file} holds no tomography: neither an NXtomo entry nor /exchange/data.",
        hint="Other formats have to be converted to NXtomo first, for instance by nxtomomill.",
    )


def _is_nxtomo(item: Any) -> bool:
    import h5py

    return isinstance(item, h5py.Group) and _text(item, "definition") == "NXtomo"


def _nxtomo(entry: Any, file: Path) -> Projections:
    detector = entry.get("instrument/detector")
    if detector is None or "data" not in detector or "sample/rotation_angle" not in entry:
        raise InvalidInput(f"{file}::{entry.name} is no NXtomo entry: it has no frames or no angles.")
    frames = detector["data"]
    keys = next((detector[k][()] for k in ("image_key_control", "image_key") if k in detector), None)
    if keys is None:
        raise InvalidInput(f"{file}::{entry.name} does not say which frames are projections (image_key).")
    sizes = [
        _quantity(entry, [f"sample/{a}_pixel_size", f"instrument/detector/{a}_pixel_size"], "m") for a in ("y", "x")
    ]
    monitor = entry["control/data"][()] if "control/data" in entry else None
    if monitor is not None and not (np.shape(monitor) == (frames.shape[0],) and np.all(np.asarray(monitor) > 0)):
        monitor = None
    return Projections.from_keys(
        frames,
        keys,
        _angles(entry["sample/rotation_angle"]),
        monitor=monitor,
        pixel_size=(sizes[0], sizes[1]) if sizes[0] and sizes[1] else None,
        energy=_quantity(entry, ["instrument/beam/incident_energy", "beam/incident_energy"], "keV"),
        distance=_quantity(entry, ["instrument/detector/distance"], "m", sign=False),
        title=_text(entry, "title"),
        sample=_text(entry, "sample/name"),
        beamline=_text(entry, "instrument/name"),
        file=str(file.absolute()),
        entry=entry.name,
    )


def _data_exchange(opened: Any, file: Path) -> Projections:
    frames = opened["exchange/data"]
    if len(frames.shape) != 3:
        raise InvalidInput(f"{file}: /exchange/data has shape {frames.shape}, not (frames, rows, columns).")
    if "exchange/theta" in opened:
        angles = _angles(opened["exchange/theta"])
    else:
        # The format's own rule for files without angles.
        angles = np.linspace(0.0, 180.0, frames.shape[0], endpoint=False)
    detector = "measurement/instrument/detector"
    size = _quantity(
        opened,
        [
            f"{detector}/actual_pixel_size_x",
            "measurement/instrument/detection_system/objective/resolution",
            f"{detector}/pixel_size_x",
        ],
        "m",
        assumed="um",
    )
    return Projections(
        frames=frames,
        angles=angles,
        flats=opened.get("exchange/data_white"),
        darks=opened.get("exchange/data_dark"),
        pixel_size=(size, size) if size else None,
        energy=_quantity(opened, ["measurement/instrument/monochromator/energy"], "keV"),
        distance=_quantity(
            opened,
            ["measurement/instrument/detector_motor_stack/setup/z", "measurement/instrument/detector/distance"],
            "m",
            assumed="mm",
            sign=False,
        ),
        title=_text(opened, "exchange/title"),
        sample=_text(opened, "measurement/sample/name"),
        beamline=_text(opened, "measurement/instrument/name"),
        file=str(file.absolute()),
        entry="/exchange",
    )


def _angles(dataset: Any) -> NDArray[np.float64]:
    values = np.asarray(dataset[()], dtype=np.float64)
    unit = _decode(dataset.attrs.get("units", "degree"))
    return np.rad2deg(values) if unit.lower().startswith("rad") else values


def _quantity(group: Any, paths: list[str], unit: str, *, assumed: str = "", sign: bool = True) -> float | None:
    """The first of several datasets that holds a finite number above 0, in ``unit``.

    :param assumed: unit where the file names none.
    :param sign: whether the sign counts; a distance may be measured against an axis.
    """
    for path in paths:
        if path not in group or group[path].shape not in ((), (1,)):
            continue
        value = group[path][()]
        try:
            number = float(np.asarray(value).reshape(-1)[0])
        except (TypeError, ValueError):
            continue
        named = _decode(group[path].attrs.get("units", "")) or assumed or unit
        number = number if sign else abs(number)
        if not np.isfinite(number) or number <= 0.0:
            continue
        try:
            return convert(f"{number!r} {named}", unit)
        except InvalidInput:
            continue
    return None


def _text(group: Any, path: str) -> str:
    item = group.get(path)
    if item is None or not hasattr(item, "shape") or item.shape not in ((), (1,)):
        return ""
    value = item[()]
    return _decode(value if item.shape == () else value[0])


def _decode(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
