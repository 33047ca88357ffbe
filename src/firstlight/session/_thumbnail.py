"""A picture in the terminal: two pixels a character, for terminals with 24-bit colour."""

from __future__ import annotations

from pathlib import Path

from rich.color import Color
from rich.console import Console
from rich.style import Style
from rich.text import Text


def show(console: Console, picture: Path, width: int = 64) -> None:
    """Draw a picture, ``width`` characters wide at most."""
    from PIL import Image

    with Image.open(picture) as opened:
        columns = min(width, console.width - 4)
        rows = max(2, round(opened.height * columns / opened.width) // 2 * 2)
        image = opened.convert("RGB").resize((columns, rows), Image.Resampling.LANCZOS)
    for y in range(0, rows, 2):
        line = Text("   ")
        for x in range(columns):
            upper, lower = image.getpixel((x, y)), image.getpixel((x, y + 1))
            assert isinstance(upper, tuple)
            assert isinstance(lower, tuple)
            style = Style(color=Color.from_rgb(*upper[:3]), bgcolor=Color.from_rgb(*lower[:3]))
            line.append("▀", style=style)
        console.print(line, no_wrap=True)
