"""A curve as a picture for the gallery, drawn with Pillow: no plotting library is needed for one line."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from firstlight.model import InvalidInput

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

    from firstlight.shell._plot import Curve

WIDTH, HEIGHT = 900, 560
_LEFT, _RIGHT, _TOP, _BOTTOM = 110, 25, 45, 70
_INK, _GRID, _LINE = "#222222", "#dddddd", "#1f6fb4"


def picture(curve: Curve, file: Path | BinaryIO) -> None:
    """Draw a curve, or a grid as grey values, into a PNG file.

    :raises InvalidInput: when it has no finite point.
    """
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    _text(draw, WIDTH / 2, _TOP / 2, curve.title[:90], 18)
    _text(draw, (WIDTH + _LEFT - _RIGHT) / 2, HEIGHT - 18, curve.x_label, 16)
    if curve.grid:
        _grey(image, curve)
        _text(draw, 8, _TOP + 8, curve.y_label, 16, anchor="lm")
    else:
        _line(draw, curve)
        _text(draw, 8, _TOP - 14, curve.y_label, 16, anchor="lm")
    image.save(file, format="PNG")


def _line(draw: ImageDraw, curve: Curve) -> None:
    good = np.isfinite(curve.x) & np.isfinite(curve.y)
    x, y = curve.x[good], curve.y[good]
    if not len(x):
        raise InvalidInput(f"{curve.y_label} has no points to plot.")
    x0, x1 = _range(float(x.min()), float(x.max()))
    y0, y1 = _range(float(y.min()), float(y.max()))

    def at(u: float, v: float) -> tuple[float, float]:
        across = _LEFT + (u - x0) / (x1 - x0) * (WIDTH - _LEFT - _RIGHT)
        return across, HEIGHT - _BOTTOM - (v - y0) / (y1 - y0) * (HEIGHT - _TOP - _BOTTOM)

    for value in ticks(x0, x1):
        across = at(value, y0)[0]
        draw.line([(across, _TOP), (across, HEIGHT - _BOTTOM)], fill=_GRID)
        _text(draw, across, HEIGHT - _BOTTOM + 16, f"{value:.6g}", 14)
    for value in ticks(y0, y1):
        down = at(x0, value)[1]
        draw.line([(_LEFT, down), (WIDTH - _RIGHT, down)], fill=_GRID)
        _text(draw, _LEFT - 8, down, f"{value:.6g}", 14, anchor="rm")
    draw.rectangle([_LEFT, _TOP, WIDTH - _RIGHT, HEIGHT - _BOTTOM], outline=_INK)
    points = [at(u, v) for u, v in zip(x.tolist(), y.tolist(), strict=True)]
    draw.line(points, fill=_LINE, width=2)
    if len(points) <= 200:
        for across, down in points:
            draw.ellipse([across - 3, down - 3, across + 3, down + 3], fill=_LINE)


def _grey(image: object, curve: Curve) -> None:
    from PIL import Image

    lines = curve.y
    finite = lines[np.isfinite(lines)]
    if not finite.size:
        raise InvalidInput(f"{curve.title} has no points to plot.")
    span = float(np.ptp(finite)) or 1.0
    levels = np.nan_to_num((lines - finite.min()) / span * 255).astype(np.uint8)
    small = Image.fromarray(levels).resize((WIDTH - _LEFT - _RIGHT, HEIGHT - _TOP - _BOTTOM), Image.Resampling.NEAREST)
    assert isinstance(image, Image.Image)
    image.paste(small.convert("RGB"), (_LEFT, _TOP))


def _range(low: float, high: float) -> tuple[float, float]:
    if low == high:
        margin = abs(low) * 0.1 or 1.0
        return low - margin, high + margin
    return low, high


def ticks(low: float, high: float, about: int = 6) -> list[float]:
    """Round numbers between two numbers."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [float(f"{index * step:.12g}") for index in range(first, last + 1)]


def _text(draw: ImageDraw, across: float, down: float, text: str, size: int, *, anchor: str = "mm") -> None:
    from PIL import ImageFont

    draw.text((across, down), text, fill=_INK, font=ImageFont.load_default(size), anchor=anchor)
