"""Make the pictures of the pages that the docs show, from a real session on the simulated beamline.

``python docs/_screenshots.py`` makes all of them, in both themes, into ``docs/_static/pages``; ``--only NAME``,
``--theme light`` and ``--into DIR`` make fewer, elsewhere. It needs Chromium (``./run ci-setup`` installs it).

The same seed gives the same beamline, noise and frames, and what depends on the moment (clock times, the current in
the ring) is written over, so that a picture changes when the pages do.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page, expect, sync_playwright

from firstlight.session import Layout, Session, reconstruct, simulated
from firstlight.web import WebSettings, free_port, spec

HERE = Path(__file__).resolve().parent
LAYOUT = Layout(shape=(96, 160), axis_offset=-3.0)
WIDE, PHONE = (1440, 900), (390, 844)
SLOW = 60_000.0
Theme = Literal["light", "dark"]

STILL = r"""() => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walk.nextNode(); text !== null; text = walk.nextNode())
    text.data = text.data.replace(/\d\d:\d\d:\d\d/g, "12:00:00").replace(/\b1[89]\d\.\d\b|\b200\b/g, "199.0")
      .replace(/took [\d.]+ m?s/g, "took 3 s");
}"""
"""What depends on the moment, written over."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture.

    :param run: which of the runs it shows.
    :param query: the rest of the address.
    :param prepare: what is done in the page first.
    """

    name: str
    run: str
    query: str = ""
    size: tuple[int, int] = WIDE
    prepare: Callable[[Page], None] | None = None


def _palette(page: Page) -> None:
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="What to do, or which run").fill("scan")


def _keys(page: Page) -> None:
    page.keyboard.press("?")


def _move(page: Page) -> None:
    page.get_by_label("Axes").get_by_role("button", name=re.compile("^sx")).click()
    page.get_by_role("dialog").get_by_role("textbox").fill("0.25")


PICTURES = (
    Picture("empty", ""),
    Picture("mesh", "mesh", "&intro=1"),
    Picture("align", "align", "&intro=0&y=diode&marks=cen,fwhm"),
    Picture("image", "projections", "&intro=0&plot=image&ch=cam&i=20"),
    Picture("sequence", "tomo", "&intro=0"),
    Picture("result", "slices", "&intro=0"),
    Picture("move", "align", "&intro=0", prepare=_move),
    Picture("palette", "mesh", "&intro=0", prepare=_palette),
    Picture("keys", "mesh", "&intro=0", prepare=_keys),
    Picture("phone", "mesh", "&intro=0", size=PHONE),
)


def measure(session: Session) -> dict[str, str]:
    """The runs that the pictures show, by name."""
    session.newproposal("hc1234")
    session.newsample("tooth")
    session.newdataset("alignment")
    align = session.dscan("sx", -0.6, 1.4, 40, 0.005, "diode")
    session.move(sx=float(align.cen("diode")))
    mesh = session.amesh("sx", -0.6, 0.6, 16, "sz", -0.4, 0.4, 10, 0.005, "diode", "cam")
    session.move(sx=float(align.cen("diode")), sz=0.0)
    session.newdataset("overview")
    tomo = session.tomo("rot", 0, 180, 120, 0.015, "tomo", darks=4, flats=4, flat_axis="sx", flat_position=3.2)
    reconstruct(session, tomo)
    parts = {part.name: part.key for part in tomo.parts()}
    slices = next(entry.key for entry in reversed(session.buffer.runs()) if "reconstruction" in entry.key)
    return {
        "align": align.key,
        "mesh": mesh.key,
        "tomo": tomo.key,
        "projections": parts["tomo:projections"],
        "slices": slices,
    }


@contextmanager
def _beamline() -> Iterator[tuple[Session, str]]:
    """A session and the link to its pages, in folders that are removed at the end."""
    shared = Path("/dev/shm")
    buffer = Path(tempfile.mkdtemp(prefix="firstlight-docs-", dir=shared if shared.is_dir() else None))
    data = Path(tempfile.mkdtemp(prefix="firstlight-docs-"))
    try:
        with simulated(data, layout=LAYOUT, buffer=buffer) as session:
            settings = WebSettings(port=free_port(), roots=(str(data),), buffer=str(buffer))
            child = session.supervisor.spawn(spec(settings))
            yield session, str(child.wait_ready(60.0)["operate"])
    finally:
        shutil.rmtree(buffer, ignore_errors=True)
        shutil.rmtree(data, ignore_errors=True)


def take(browser: Browser, link: str, picture: Picture, runs: dict[str, str], theme: Theme, into: Path) -> Path:
    """Take one picture.

    :raises AssertionError: the page complained, or did not draw.
    """
    width, height = picture.size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, timezone_id="UTC", locale="en-GB"
    )
    complaints: list[str] = []
    try:
        page = context.new_page()
        page.set_default_timeout(SLOW)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(link + (f"&run={runs[picture.run]}" if picture.run else "") + picture.query)
        expect(page.get_by_role("status").first).to_have_text("live")
        if picture.run:
            expect(page.locator('main[data-state="CLOSED"]')).to_be_visible()
            for plot in page.locator("[data-plot]").all():
                expect(plot.locator('[data-state="drawn"]').first).to_be_visible()
        else:
            expect(page.get_by_text("No run yet")).to_be_visible()
        page.wait_for_load_state("networkidle")
        if picture.prepare is not None:
            picture.prepare(page)
        page.evaluate(STILL)
        path = into / f"{picture.name}-{theme}.png"
        page.screenshot(path=path, caret="hide", animations="disabled")
    finally:
        context.close()
    assert complaints == [], complaints
    return path


def make(into: Path, only: Sequence[str] = (), themes: Sequence[Theme] = ("light", "dark")) -> list[Path]:
    """Make the pictures.

    :param only: names of pictures; all when empty.
    """
    into.mkdir(parents=True, exist_ok=True)
    wanted = [picture for picture in PICTURES if not only or picture.name in only]
    chromium = next((f for n in ("chromium", "chromium-browser", "google-chrome") if (f := shutil.which(n))), None)
    found: list[Path] = []
    with _beamline() as (session, link), sync_playwright() as playwright:
        expect.set_options(timeout=SLOW)
        flags = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader", "--font-render-hinting=none"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)

        def these(pictures: list[Picture], runs: dict[str, str]) -> None:
            for picture in pictures:
                found.extend(take(browser, link, picture, runs, theme, into) for theme in themes)

        # Before anything was measured, the page has something to say, too.
        these([picture for picture in wanted if not picture.run], {})
        later = [picture for picture in wanted if picture.run]
        if later:
            these(later, measure(session))
        browser.close()
    return found


def _main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Make the pictures of the pages that the docs show.")
    parser.add_argument("--into", type=Path, default=HERE / "_static" / "pages", metavar="DIR")
    parser.add_argument("--only", action="append", default=[], choices=[picture.name for picture in PICTURES])
    parser.add_argument("--theme", action="append", default=[], choices=["light", "dark"])
    chosen: Any = parser.parse_args(arguments)
    for path in make(chosen.into, chosen.only, chosen.theme or ("light", "dark")):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
