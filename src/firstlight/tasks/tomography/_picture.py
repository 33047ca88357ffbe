"""A picture of a reconstruction for people: slice, cuts, sinogram and the axis that was found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from firstlight.tasks.tomography._chain import Overview

_SIDE = 760  # pixels of the slice
_RIGHT = 520  # pixels of the column with cuts and sinogram
_GAP = 24
_HEAD = 76
_LINE = 22
_LEAST = 160  # fewest pixels of height of the sinogram
_FOOT = 64
_THIN = 48  # fewest pixels of height of a cut
_INK, _PAPER, _MUTED, _MARK = (20, 24, 28), (255, 255, 255), (96, 104, 112), (255, 64, 48)


def draw(overview: Overview) -> Image:
    """Lay out the picture.

    The grey levels are the same for the slice and the cuts, from black at the 0.5th to white at the 99.5th percentile
    of the slice inside its disc; the bar below tells their values.
    """
    from PIL import Image, ImageDraw

    low, high = _levels(overview.slice)
    cuts_height = _cut_height(overview)
    slice_end = _HEAD + _LINE + _SIDE
    cuts_end = _HEAD + 2 * (_LINE + cuts_height + _GAP)
    # The sinogram stands under the cuts where they leave room beside the slice, and under the slice otherwise.
    beside = slice_end - cuts_end - _LINE >= _LEAST
    corner = (2 * _GAP + _SIDE, cuts_end) if beside else (_GAP, slice_end + _FOOT)
    room = (slice_end if beside else max(cuts_end - _GAP, slice_end + _FOOT + _LINE + _LEAST)) - corner[1] - _LINE
    picture = Image.new("RGB", (3 * _GAP + _SIDE + _RIGHT, max(slice_end, corner[1] + _LINE + room) + _FOOT), _PAPER)
    pen = ImageDraw.Draw(picture)
    grid = overview.grid
    pen.text((_GAP, 14), overview.title or "reconstruction", _INK, font=_font(26))
    pen.text((_GAP, 48), f"rotation axis {overview.axis.text()}", _INK, font=_font(16))
    pen.text((_GAP, _HEAD), f"slice of detector row {overview.row}", _MUTED, font=_font(15))
    _paste(picture, _grey(overview.slice, low, high), (_GAP, _HEAD + _LINE, _SIDE, _SIDE))
    _scale_bar(pen, grid.voxel[1] if grid.voxel else None, _SIDE / grid.size, (_GAP, _HEAD + _LINE))
    _level_bar(picture, pen, low, high, grid.unit, (_GAP, slice_end + 14))
    at = _HEAD
    for cut, name in ((overview.front, "y = 0"), (overview.side, "x = 0")):
        stretched = "" if _natural_height(overview) >= _THIN else f", height of {len(cut)} rows stretched"
        pen.text((2 * _GAP + _SIDE, at), f"cut at {name}{stretched}", _MUTED, font=_font(15))
        _paste(picture, _grey(cut, low, high), (2 * _GAP + _SIDE, at + _LINE, _RIGHT, cuts_height))
        at += _LINE + cuts_height + _GAP
    _sinogram(picture, pen, overview, (*corner, _RIGHT if beside else _SIDE, room))
    if overview.axis.warning:
        text = overview.axis.warning
        pen.text((picture.width - _GAP, 22), text, _MARK, font=_font(15), anchor="ra")
    return picture


def _sinogram(picture: Image, pen: ImageDraw, overview: Overview, place: tuple[int, int, int, int]) -> None:
    """The sinogram under a line of text, and the axis in it."""
    x, y, width, height = place
    first, last = overview.angles
    pen.text((x, y), f"sinogram, {first:g}° to {last:g}°, and the axis", _MUTED, font=_font(15))
    top = y + _LINE
    _paste(picture, _grey(overview.sinogram, *_levels(overview.sinogram)), (x, top, width, height))
    across = x + (overview.axis.position + 0.5) / overview.sinogram.shape[1] * width
    pen.line([(across, top), (across, top + height - 1)], fill=_MARK, width=2)
    pen.text((across + 6, top + 6), f"{overview.axis.position:.1f} px", _MARK, font=_font(15))


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _levels(image: NDArray[Any]) -> tuple[float, float]:
    """Values that are black and white."""
    if image.shape[0] == image.shape[1]:
        x = np.arange(len(image)) - (len(image) - 1) / 2.0
        image = image[np.hypot(x[:, None], x[None]) < 0.48 * len(image)]
    low, high = (float(v) for v in np.percentile(image, (0.5, 99.5)))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _grey(image: NDArray[Any], low: float, high: float) -> Image:
    from PIL import Image

    levels = np.clip((image.astype(np.float32) - low) * np.float32(255.0 / (high - low)), 0, 255)
    return Image.fromarray(levels.astype(np.uint8))


def _paste(picture: Image, part: Image, place: tuple[int, int, int, int]) -> None:
    from PIL import Image

    x, y, width, height = place
    method = Image.Resampling.BOX if part.width > width else Image.Resampling.BICUBIC
    picture.paste(part.resize((width, height), method).convert("RGB"), (x, y))


def _natural_height(overview: Overview) -> float:
    """Height of a cut at the scale of its width."""
    voxel = overview.grid.voxel
    aspect = voxel[0] / voxel[1] if voxel else 1.0
    return len(overview.front) * aspect * _RIGHT / overview.grid.size


def _cut_height(overview: Overview) -> int:
    return int(min(max(_natural_height(overview), _THIN), 1.5 * _RIGHT))


def _scale_bar(pen: ImageDraw, pixel: float | None, zoom: float, corner: tuple[int, int]) -> None:
    """A bar of a round length, about a fifth of the slice, in its lower left corner."""
    unit, size = ("px", 1.0) if pixel is None else ("m", pixel)
    length = _round(_SIDE / zoom * size / 5.0)
    pixels = length / size * zoom
    x, y = corner[0] + 18, corner[1] + _SIDE - 26
    pen.rectangle([(x - 2, y - 2), (x + pixels + 2, y + 8)], fill=(0, 0, 0))
    pen.rectangle([(x, y), (x + pixels, y + 6)], fill=(255, 255, 255))
    text = f"{length:g} px" if unit == "px" else _metres(length)
    pen.text((x, y - 24), text, (255, 255, 255), font=_font(17), stroke_width=2, stroke_fill=(0, 0, 0))


def _round(length: float) -> float:
    """The largest of 1, 2, 5 × 10ⁿ that is not above ``length``."""
    power = 10.0 ** np.floor(np.log10(length))
    return float(max(k for k in (1.0, 2.0, 5.0) if k * power <= length * (1 + 1e-9)) * power)


def _metres(length: float) -> str:
    # The font that Pillow brings has no µ.
    for factor, unit, least in ((1e-3, "mm", 1e-4), (1e-6, "um", 1e-7), (1e-9, "nm", 1e-10)):
        if length >= least * (1 - 1e-9):
            return f"{length / factor:.3g} {unit}"
    return f"{length:.3g} m"


def _level_bar(picture: Image, pen: ImageDraw, low: float, high: float, unit: str, corner: tuple[int, int]) -> None:
    """What black and white mean."""
    x, y = corner
    bar = np.broadcast_to(np.linspace(0, 255, 240).astype(np.uint8), (14, 240))
    scale, name = (0.01, "1/cm") if unit == "1/m" else (1.0, "1/px")
    start = f"{low * scale:.3g}"
    pen.text((x, y), start, _INK, font=_font(15))
    begin = x + int(pen.textlength(start, font=_font(15))) + 10
    _paste(picture, _grey(bar, 0.0, 255.0), (begin, y + 2, 240, 14))
    pen.rectangle([(begin, y + 2), (begin + 239, y + 15)], outline=_MUTED)
    pen.text((begin + 250, y), f"{high * scale:.3g}   attenuation, {name}", _INK, font=_font(15))
