"""Recordings as folders of image files: EDF, TIFF, CBF and whatever else fabio reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.devices.replay._recording import Recording, Stack
from firstlight.model import InvalidInput, MissingExtra, NotFound

SUFFIXES = frozenset({".edf", ".tif", ".tiff", ".cbf"})
_DARKS = frozenset({"dark", "darks", "darkend", "darkfield"})
_FLATS = frozenset({"ref", "refs", "refhst", "refend", "flat", "flats", "flatfield", "white", "whites", "reference"})
_ROTATIONS = ("srot", "somega", "rot", "omega", "theta", "diffrz", "hrsrot")


def open_images(path: Path, angles: tuple[float, float] | None = None) -> Recording:
    """The recording in a folder, or in the files that a pattern names.

    Words in the names tell darks (``dark``, ``darkend``) and flats (``ref``, ``refHST``, ``flat``, ``white``) from
    projections, as those of ESRF's and others' beamlines do. Files follow each other by their numbers.

    :param path: a folder, or a pattern like ``scan/*.edf``.
    :param angles: of the first and the last projection, degrees; None where the headers tell (EDF's ``motor_mne``
        and ``motor_pos``).
    :raises MissingExtra: without fabio.
    """
    files = _files(path)
    try:
        import fabio
    except ImportError as error:
        raise MissingExtra("fabio", "images") from error
    kinds: dict[str, list[Path]] = {"dark": [], "flat": [], "projection": []}
    for file in files:
        kinds[_kind(file)].append(file)
    if not kinds["projection"]:
        raise InvalidInput(f"{path} holds no projections: all of its {len(files)} images are darks or flats.")
    projections = _stack(fabio, kinds["projection"])
    turned = _spread(angles, len(projections)) if angles is not None else _from_headers(fabio, kinds["projection"])
    if turned is None:
        raise InvalidInput(
            f"The images in {path} do not say at which angles they were taken.",
            hint="Give the angles of the first and the last projection: angles: [0, 180] (demo: --angles 0 180).",
        )
    return Recording(
        path.name,
        projections,
        turned,
        darks=_stack(fabio, kinds["dark"]) if kinds["dark"] else None,
        flats=_stack(fabio, kinds["flat"]) if kinds["flat"] else None,
    )


def _files(path: Path) -> list[Path]:
    folder = path if path.is_dir() else path.parent
    pattern = "*" if path.is_dir() else path.name
    if not folder.is_dir():
        raise NotFound(f"There is no folder {folder}.")
    files = [file for file in folder.glob(pattern) if file.suffix.lower() in SUFFIXES and file.is_file()]
    if not files:
        raise NotFound(f"There are no images at {path}.", hint=f"Read are {', '.join(sorted(SUFFIXES))}.")
    return sorted(files, key=_order)


def _order(file: Path) -> tuple[Any, ...]:
    """Text and numbers of a name, so that 10 comes after 9."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", file.name))


def _kind(file: Path) -> str:
    words = {word.lower() for word in re.split(r"[^A-Za-z]+", file.stem)}
    if words & _DARKS:
        return "dark"
    return "flat" if words & _FLATS else "projection"


def _open(fabio: Any, file: Path) -> Any:
    try:
        return fabio.open(str(file))
    except Exception as error:  # fabio's readers raise whatever their format makes them
        raise InvalidInput(f"{file} is no image that fabio reads: {type(error).__name__}: {error}.") from error


def _part(image: Any, number: int) -> Any:
    """One frame of a file; asked for one of a single image, fabio would look for the next file instead."""
    return image.getframe(number) if image.nframes > 1 else image


def _stack(fabio: Any, files: Sequence[Path]) -> Stack:
    counts = []
    for file in files:
        with _open(fabio, file) as image:
            counts.append(int(image.nframes))
            if file is files[0]:
                shape, dtype = tuple(image.shape), np.dtype(image.dtype)
    if len(shape) != 2:
        raise InvalidInput(f"{files[0]} is no image of two dimensions.")
    ends = np.cumsum(counts)

    def read(index: int) -> NDArray[Any]:
        which = int(np.searchsorted(ends, index, side="right"))
        with _open(fabio, files[which]) as image:
            return np.array(_part(image, index - (int(ends[which - 1]) if which else 0)).data)

    return Stack(int(ends[-1]), (shape[0], shape[1]), dtype, read)


def _spread(angles: tuple[float, float], count: int) -> NDArray[np.float64]:
    return np.linspace(angles[0], angles[1], count)


def _from_headers(fabio: Any, files: Sequence[Path]) -> NDArray[np.float64] | None:
    found: list[float] = []
    for file in files:
        with _open(fabio, file) as image:
            for number in range(image.nframes):
                angle = _angle(_part(image, number).header)
                if angle is None:
                    return None
                found.append(angle)
    return np.array(found)


def _angle(header: Any) -> float | None:
    names = str(header.get("motor_mne", "")).split()
    values = str(header.get("motor_pos", "")).split()
    positions = dict(zip(names, values, strict=False))
    for name in _ROTATIONS:
        if name in positions:
            try:
                return float(positions[name])
            except ValueError:
                return None
    return None
