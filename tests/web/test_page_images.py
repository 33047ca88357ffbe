"""Images in the pages: regions, levels, masks and fingers, in a real browser before a real session."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from firstlight.buffer import Buffer
from firstlight.model import ChannelKind, ChannelRole, ChannelSpec, EndReason, RunEnd, RunInfo
from firstlight.session import Session
from tests.web.conftest import Site
from tests.web.test_pages import CHROMIUM, DRAWN, Open, at, browser, open_page, plot, scanned

__all__ = ["browser", "open_page", "scanned"]  # fixtures

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed: ./run ci-setup installs it")


class Picture:
    """The image of a page: where its pixels are on the screen."""

    def __init__(self, page: Page, full: tuple[int, int] = (64, 48)) -> None:
        self.page = page
        self.full = full
        expect(plot(page, "image").locator(f"canvas{DRAWN}")).to_be_visible()
        self.over: Locator = plot(page, "image").locator("canvas.image-over")
        # The introduction and the words about a run may leave it below the fold: scrolled to, at rest, under nothing.
        self.over.hover(trial=True)

    @property
    def box(self) -> list[float]:
        """The part that is seen, in pixels of the frame."""
        return [float(edge) for edge in (self.over.get_attribute("data-box") or "").split(",")]

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a place of the frame is on the screen."""
        rim = self.over.bounding_box()
        assert rim is not None
        x0, y0, x1, y1 = self.box
        scale = min(rim["width"] / (x1 - x0), rim["height"] / (y1 - y0))
        left, top = (rim["width"] - scale * (x1 - x0)) / 2, (rim["height"] - scale * (y1 - y0)) / 2
        return rim["x"] + left + (x - x0) * scale, rim["y"] + top + (y - y0) * scale

    def drag(self, start: tuple[float, float], stop: tuple[float, float]) -> None:
        mouse = self.page.mouse
        mouse.move(*self.place(*start))
        mouse.down()
        mouse.move(*self.place((start[0] + stop[0]) / 2, (start[1] + stop[1]) / 2))
        mouse.move(*self.place(*stop))
        mouse.up()

    def click(self, x: float, y: float) -> None:
        self.page.mouse.click(*self.place(x, y))

    def colour(self, x: float, y: float, which: str = "canvas[data-state]") -> tuple[int, ...]:
        """Of the pixel at a place of the frame: red, green, blue."""
        rim = self.over.bounding_box()
        assert rim is not None
        px, py = self.place(x, y)
        found: list[int] = (
            plot(self.page, "image")
            .locator(which)
            .evaluate(
                """(canvas, at) => { const c = document.createElement("canvas"); c.width = canvas.width;
                c.height = canvas.height; const d = c.getContext("2d"); d.drawImage(canvas, 0, 0);
                return [...d.getImageData(canvas.width * at[0], canvas.height * at[1], 1, 1).data.slice(0, 3)]; }""",
                [(px - rim["x"]) / rim["width"], (py - rim["y"]) / rim["height"]],
            )
        )
        return tuple(found)


def words(number: float) -> str:
    """As the pages write sums: seven digits."""
    if number < 1e6:
        return f"{number:.7g}"
    mantissa, _, exponent = f"{number:.5e}".partition("e")
    return f"{mantissa}e{int(exponent):+d}"


Image = Callable[..., Picture]


@pytest.fixture
def image(open_page: Open, site: Site, beamline: Session, scanned: str) -> Iterator[Image]:
    """Opens the camera's image of a scan that is over; at the end there are no regions, and nobody is in control."""
    beamline["cam"].rois.clear()
    pages = []

    def opened(more: str = "", link: str = "", run: str = "", **options: Any) -> Picture:
        page = open_page(at(site, f"run={run or scanned}&plot=image&ch=cam{more}", link), **options)
        pages.append(page)
        return Picture(page)

    yield opened
    for page in pages:
        if (release := page.get_by_role("button", name="release")).count():
            release.click()
    beamline["cam"].rois.clear()


def named(page: Page, name: str) -> None:
    """Answer the question for the name of a region that was drawn."""
    dialog = page.get_by_role("dialog", name="Count in this region?")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_role("button", name="Count here").click()
    expect(dialog).to_have_count(0)


def test_regions_are_drawn_chosen_moved_sized_renamed_undone_and_removed(
    image: Image, beamline: Session, scanned: str, wait_for: Callable[..., None]
) -> None:
    rois = beamline["cam"].rois
    shown = image()
    page = shown.page
    page.get_by_label("Mouse").select_option("rectangle")
    shown.drag((10.4, 10.4), (29.6, 19.6))
    named(page, "spot")
    wait_for(lambda: (rois["spot"].x, rois["spot"].y, rois["spot"].width, rois["spot"].height) == (10, 10, 20, 10))
    expect(shown.over).to_have_attribute("data-chosen", "spot")

    shown.drag((20, 15), (25, 18))  # its middle: moved
    wait_for(lambda: (rois["spot"].x, rois["spot"].y, rois["spot"].width) == (15, 13, 20))
    shown.drag((35, 23), (40, 30))  # its corner: sized
    wait_for(lambda: (rois["spot"].x, rois["spot"].width, rois["spot"].height) == (15, 25, 17))
    shown.over.focus()
    for key in ("ArrowLeft", "ArrowLeft", "ArrowDown", "Shift+ArrowRight", "Shift+ArrowUp"):
        page.keyboard.press(key)
    wait_for(lambda: (rois["spot"].x, rois["spot"].y, rois["spot"].width, rois["spot"].height) == (13, 14, 26, 16))
    # What the table says is of all pixels of the frame, where the region is now.
    frame = beamline.open(scanned)["cam"][40]
    expect(page.locator('[data-region="spot"]')).to_have_text(words(frame[14:30, 13:39].sum()))

    page.keyboard.press("Enter")
    field = page.get_by_label("New name of spot")
    field.fill("peak 1")
    expect(page.get_by_role("alert")).to_have_text(" Use letters, digits and underscores.")
    field.fill("peak1")
    field.press("Enter")
    wait_for(lambda: list(rois) == ["peak1"])
    expect(shown.over).to_have_attribute("data-chosen", "peak1")
    shown.over.focus()
    page.keyboard.press("Delete")
    wait_for(lambda: not rois)
    page.keyboard.press("Control+z")
    wait_for(lambda: list(rois) == ["peak1"])
    page.keyboard.press("Control+z")
    wait_for(lambda: list(rois) == ["spot"] and rois["spot"].x == 13)
    for _ in range(4):
        page.keyboard.press("Control+z")
    wait_for(lambda: not rois)
    for _ in range(4):
        page.keyboard.press("Control+y")
    wait_for(lambda: list(rois) == ["spot"] and (rois["spot"].x, rois["spot"].width) == (13, 26))
    run = beamline.loopscan(1, 0.005, "cam")
    assert run["cam:spot_sum"][0] == run["cam"][0][14:30, 13:39].sum()


def test_a_ring_is_drawn_from_its_centre_and_opened_to_an_arc_that_counts(
    image: Image, beamline: Session, scanned: str, wait_for: Callable[..., None]
) -> None:
    rois = beamline["cam"].rois
    shown = image()
    page = shown.page
    page.get_by_label("Mouse").select_option("arc")
    shown.drag((32.5, 24.5), (52.5, 24.5))
    named(page, "ring")
    wait_for(lambda: "ring" in rois and rois["ring"].outer == pytest.approx(20, abs=0.3))
    assert (rois["ring"].x, rois["ring"].y) == pytest.approx((32, 24), abs=0.2)
    middle = (rois["ring"].inner + rois["ring"].outer) / 2
    assert shown.colour(32.5 + rois["ring"].outer, 24.5, ".image-over") != (0, 0, 0)
    inner, thick = rois["ring"].inner, rois["ring"].outer - rois["ring"].inner
    shown.drag((32.5 + inner + 0.7 * thick, 24.5), (32.5, 24.5 + middle))  # its end, to 90°
    wait_for(lambda: (rois["ring"].start, rois["ring"].stop) == (0, 90))
    shown.over.focus()
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("ArrowLeft")
    wait_for(lambda: rois["ring"].x == pytest.approx(31, abs=0.2) and rois["ring"].outer == pytest.approx(21, abs=0.3))
    run = beamline.loopscan(1, 0.005, "cam")
    region = rois["ring"]
    total = sum(int(run["cam"][0][row, a:b].sum()) for row, a, b in region.spans((48, 64)))
    assert run["cam:ring_sum"][0] == total
    expect(page.locator('[data-region="ring"]')).not_to_have_text("–")


def test_an_observer_sees_the_regions_and_cannot_change_them(image: Image, site: Site, beamline: Session) -> None:
    rois = beamline["cam"].rois
    rois["spot"] = (10, 10, 20, 10)
    shown = image(link=site.view)
    page = shown.page
    expect(page.locator('[data-region="spot"]')).not_to_have_text("–")
    shown.drag((20, 15), (25, 18))
    shown.over.focus()
    page.keyboard.press("Delete")
    expect(page.get_by_role("button", name="Remove spot")).to_have_count(0)
    expect(shown.over).to_have_attribute("data-chosen", "")
    assert (rois["spot"].x, rois["spot"].y) == (10, 10)


def test_without_a_mouse_a_region_comes_into_the_middle(
    image: Image, beamline: Session, scanned: str, wait_for: Callable[..., None]
) -> None:
    rois = beamline["cam"].rois
    shown = image()
    page = shown.page
    page.get_by_label("Mouse").select_option("rectangle")
    shown.over.focus()
    page.keyboard.press("Enter")
    named(page, "middle")
    wait_for(lambda: "middle" in rois)
    region = rois["middle"]
    assert (region.x, region.y, region.width, region.height) == (24, 18, 16, 12)


def test_two_fingers_zoom_and_one_moves(image: Image) -> None:
    shown = image(has_touch=True, viewport={"width": 800, "height": 900})
    page = shown.page
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    a, b = shown.place(28, 24), shown.place(36, 24)
    apart = b[0] - a[0]
    fingers("touchStart", a)
    fingers("touchStart", a, b)
    for k in range(1, 6):
        fingers("touchMove", (a[0] - apart * k / 10, a[1]), (b[0] + apart * k / 10, b[1]))
    fingers("touchEnd")
    expect(page).to_have_url(re.compile("box="))
    x0, _, x1, _ = shown.box
    assert x1 - x0 == pytest.approx(32, rel=0.1)  # twice as far apart: half as much is seen
    assert (x0 + x1) / 2 == pytest.approx(32, abs=1.5)
    c, d = shown.place(32, 24), shown.place(28, 24)
    fingers("touchStart", c)
    for k in range(1, 5):
        fingers("touchMove", (c[0] + (d[0] - c[0]) * k / 4, c[1]))
    fingers("touchEnd")
    moved = shown.box
    assert moved[0] == pytest.approx(x0 + 4, abs=1)
    assert moved[2] - moved[0] == pytest.approx(x1 - x0, abs=0.1)


def test_levels_are_dragged_in_the_histogram_and_set_by_quantiles(
    image: Image, beamline: Session, scanned: str
) -> None:
    frame = beamline.open(scanned)["cam"][7]
    shown = image("&i=7&levels=0,60000")
    page = shown.page
    bright = np.unravel_index(frame.argmax(), frame.shape)
    place = float(bright[1]) + 0.5, float(bright[0]) + 0.5
    dark = shown.colour(*place)
    high = page.get_by_role("slider", name="Highest level")
    bar = page.locator(".histogram").bounding_box()
    handle = high.bounding_box()
    assert bar is not None
    assert handle is not None
    page.mouse.move(handle["x"] + 30, handle["y"] + handle["height"] / 2)
    page.mouse.down()
    page.mouse.move(bar["x"] + 30, bar["y"] + bar["height"] * 0.9, steps=5)
    page.mouse.up()
    expect(page).not_to_have_url(re.compile("levels=0,60000"))
    level = float(high.get_attribute("aria-valuenow") or "nan")
    assert 0 < level < 60000
    assert sum(shown.colour(*place)) > sum(dark)
    high.focus()
    page.keyboard.press("PageUp")
    expect(high).not_to_have_attribute("aria-valuenow", str(level))
    page.get_by_label("Automatic, of the pixels").select_option("5 to 95 %")
    expect(page).to_have_url(re.compile(r"auto=0\.05,0\.95"))
    assert "levels=" not in page.url
    low, top = np.quantile(frame, [0.05, 0.95])
    expect(page.get_by_role("slider", name="Lowest level")).to_have_attribute("aria-valuenow", f"{low:g}")
    expect(high).to_have_attribute("aria-valuenow", f"{top:g}")
    # What is at the higher level or above has the last colour of viridis.
    assert shown.colour(*place) == pytest.approx((253, 231, 36), abs=2)


def test_saturated_pixels_are_pink_and_masked_ones_striped(
    open_page: Open, site: Site, beamline: Session, places: Path
) -> None:
    for dtype, text, word in (
        ("<u2", "pink pixels are saturated", "saturated"),
        ("<u4", "striped pixels are masked or missing", "masked or missing"),
    ):
        frame = np.full((48, 64), 5, dtype)
        frame[:, :32] = np.iinfo(dtype).max
        run = Buffer(places).create_run(RunInfo(name="ct", title="a frame", start_epoch=time.time()))
        ring = run.create_ring(ChannelSpec("cam", dtype, (48, 64), kind=ChannelKind.RING, role=ChannelRole.FRAME), 4)
        ring.slot()[...] = frame
        ring.commit()
        run.prepared()
        run.running()
        page = open_page(at(site, f"run={run.key}&plot=image&ch=cam&map=grey"))
        shown = Picture(page)
        expect(page.get_by_text(text)).to_be_visible()
        seen = {shown.colour(10 + k / 10, 24) for k in range(20)}
        if word == "saturated":
            assert seen == {(217, 28, 97)}
        else:
            assert len(seen) == 2
        x, y = shown.place(10.5, 24.5)
        page.mouse.move(x, y)
        expect(page.locator(".readout")).to_have_text(f"x 10, y 24: {word}")
        run.stop(RunEnd(reason=EndReason.SUCCESS, epoch=time.time()))
        run.close()


def test_whoever_saves_data_gets_jpeg_and_true_values_on_demand(
    open_page: Open, site: Site, beamline: Session, scanned: str, browser: Browser
) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script("Object.defineProperty(navigator, 'connection', {value: {saveData: true}})")
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(at(site, f"run={scanned}&plot=image&ch=cam&i=7"))
    shown = Picture(page)
    expect(page.get_by_text("as JPEG, not true values")).to_be_visible()
    frames = [url for url in asked if "/frame/cam/" in url]
    assert frames
    assert all("type=jpeg" in url for url in frames)
    frame = beamline.open(scanned)["cam"][7]
    row, column = np.unravel_index(frame.argmax(), frame.shape)
    bright = float(column) + 0.5, float(row) + 0.5
    assert sum(shown.colour(*bright)) > 400  # the bright end of viridis
    page.mouse.move(*shown.place(*bright))
    expect(page.locator(".readout")).to_contain_text(": about ")
    page.get_by_label("Values").select_option("true values")
    expect(page.get_by_text("as JPEG, not true values")).to_have_count(0)
    page.mouse.move(*shown.place(bright[0], bright[1] + 0.1))
    text = page.locator(".readout").inner_text()
    found = re.search(r": ([\d.e+]+) count", text)
    assert found is not None, text
    assert float(found[1]) == frame[int(row), int(column)]
    page.get_by_label("Values").select_option("grey levels")
    expect(page.get_by_text("as 256 grey levels, not true values")).to_be_visible()
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_everybody_can_use_regions_and_levels(image: Image, beamline: Session, theme: Any) -> None:
    beamline["cam"].rois["spot"] = (10, 10, 20, 10)
    # axe itself is put into the page
    shown = image(color_scheme=theme, bypass_csp=True)
    page = shown.page
    expect(page.locator('[data-region="spot"]')).not_to_have_text("–")
    page.get_by_role("button", name="Rename spot").click()
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    found = Axe().run(page, options=rules)
    assert found.response["violations"] == [], found.generate_report()
