"""The pages as people use them: a real browser, a real server, a real session."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

import firstlight.web
from firstlight.process import Supervisor
from firstlight.session import Session
from firstlight.web import WebSettings, free_port, spec
from tests.web.conftest import Site

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
SLOW = 30_000.0
"""Milliseconds that a busy machine may take."""
DRAWN = '[data-state="drawn"]'

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed: ./run ci-setup installs it")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]
        # What the fixtures of browsers wait for, everything else waits for, too: machines may be busy.
        expect.set_options(timeout=SLOW)
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield made
        made.close()


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, site: Site, beamline: Session) -> Iterator[Open]:
    """Opens a link in a browser of its own; at the end no page may have complained."""
    contexts, complaints = [], []

    def opened(link: str = "", **options: Any) -> Page:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SLOW)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(link or site.operate)
        return page

    opened.complaints = complaints  # type: ignore[attr-defined]
    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def scanned(beamline: Session) -> str:
    """A scan that is over; its key."""
    beamline.fshut.open()
    key: str = beamline.ascan("sx", -0.6, 0.6, 40, 0.005, "diode", "ring", "cam").key
    return key


def at(site: Site, query: str, link: str = "") -> str:
    return f"{link or site.operate}&{query}"


def plot(page: Page, kind: str) -> Any:
    return page.locator(f'[data-plot="{kind}"]')


def test_a_newcomer_sees_the_running_scan(open_page: Open, site: Site, beamline: Session) -> None:
    page = open_page()
    expect(page.get_by_role("status").first).to_have_text("live")
    assert "token" not in page.url
    expect(page.get_by_label("Axes").get_by_text("rot")).to_be_visible()
    expect(page.get_by_text("hc1234 / tooth / pages")).to_be_visible()
    job = beamline.engine.launch(beamline.ascan.scan("sx", -0.5, 0.5, 100, 0.02, "diode", "cam"))
    expect(page.get_by_role("heading", name="ascan sx -0.5 0.5 100 0.02 diode cam")).to_be_visible()
    expect(page.locator('main[data-state="RUNNING"]')).to_be_visible()
    expect(plot(page, "curve").locator(f".curve{DRAWN}")).to_be_visible()
    expect(plot(page, "image").locator(f"canvas{DRAWN}")).to_be_visible()
    expect(page.get_by_text(re.compile(r"\d+ of 101, .* left"))).to_be_visible()
    expect(page.get_by_label("Console").get_by_text("ascan sx -0.5 0.5 100 0.02 diode cam")).to_be_visible()
    expect(
        page.get_by_text("sx from -0.5 to 0.5 mm in 101 points, 20 ms at each. Measured: cam and diode.")
    ).to_be_visible()
    guide = page.get_by_label("Introduction")
    expect(guide.get_by_text(re.compile(r"dscan\(sx, -0.5, 0.5, 40, 0.05, diode\)"))).to_be_visible()
    guide.get_by_role("button", name="Got it").click()
    expect(guide).to_have_count(0)
    job.result()
    expect(page.locator('main[data-state="CLOSED"]')).to_be_visible()
    expect(plot(page, "curve").locator('.curve[data-count="101"]')).to_be_visible()
    expect(plot(page, "image").locator('canvas[data-frame="100"]')).to_be_visible()


def test_a_mesh_grows_as_a_map(open_page: Open, site: Site, beamline: Session) -> None:
    page = open_page()
    expect(page.get_by_role("status").first).to_have_text("live")
    beamline.amesh("sx", -0.4, 0.4, 4, "sz", 0.0, 1.0, 2, 0.005, "diode")
    drawn = plot(page, "map").locator('canvas[data-frame="15"]')
    expect(drawn).to_be_visible()
    # The middle of the beam is brighter than its rim.
    levels = drawn.evaluate(
        """canvas => { const c = document.createElement("canvas"); c.width = canvas.width; c.height = canvas.height;
        const d = c.getContext("2d"); d.drawImage(canvas, 0, 0);
        return [0.1, 0.5].map(x => d.getImageData(canvas.width * x, canvas.height / 2, 1, 1).data.slice(0, 3))
        .map(p => p[0] + p[1] + p[2]); }"""
    )
    assert levels[1] > levels[0]


def test_an_image_has_its_true_values_under_the_cursor(
    open_page: Open, site: Site, beamline: Session, scanned: str
) -> None:
    page = open_page(at(site, f"run={scanned}&plot=image&ch=cam&i=7&box=10,10,18,16"))
    canvas = plot(page, "image").locator(f'canvas[data-frame="7"]{DRAWN}')
    expect(canvas).to_be_visible()
    over = plot(page, "image").locator("canvas.image-over")
    place = over.bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    text = page.locator(".readout").inner_text()
    found = re.match(r"x (\d+), y (\d+): ([\d.e+]+) count", text)
    assert found is not None, text
    x, y = int(found[1]), int(found[2])
    assert float(found[3]) == beamline.open(scanned)["cam"][7][y, x]


def test_what_is_chosen_is_in_the_address_and_comes_back(open_page: Open, site: Site, scanned: str) -> None:
    page = open_page(at(site, f"run={scanned}"))
    expect(plot(page, "curve").locator(f".curve{DRAWN}")).to_be_visible()
    page.get_by_label("logarithmic").check()
    page.get_by_role("checkbox", name="ring", exact=True).uncheck()
    page.get_by_label("cen").check()
    expect(page).to_have_url(re.compile(r"y=diode&log=1&marks=cen"))
    again = open_page(page.url + f"&token={site.token(site.view)}")
    expect(again.get_by_label("logarithmic")).to_be_checked()
    expect(again.get_by_role("checkbox", name="ring", exact=True)).not_to_be_checked()


def test_zooming_asks_for_that_part_and_goes_back(open_page: Open, site: Site, scanned: str) -> None:
    page = open_page(at(site, f"run={scanned}"))
    curve = plot(page, "curve").locator(f".curve{DRAWN}")
    expect(curve).to_be_visible()
    over = curve.locator(".u-over")
    place = over.bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + place["width"] * 0.4, place["y"] + 40)
    page.mouse.down()
    page.mouse.move(place["x"] + place["width"] * 0.6, place["y"] + 60, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"range=-0\.1\d*,0\.1\d*"))
    page.keyboard.press("0")
    expect(page).not_to_have_url(re.compile("range="))


def test_a_region_drawn_by_mouse_counts_in_the_next_scan(
    open_page: Open, site: Site, beamline: Session, scanned: str
) -> None:
    page = open_page(at(site, f"run={scanned}&plot=image&ch=cam"))
    expect(plot(page, "image").locator(f"canvas{DRAWN}")).to_be_visible()
    page.get_by_label("Mouse").select_option("rectangle")
    place = plot(page, "image").locator("canvas.image-over").bounding_box()
    assert place is not None
    middle = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    page.mouse.move(middle[0] - 60, middle[1] - 40)
    page.mouse.down()
    page.mouse.move(middle[0] + 60, middle[1] + 40, steps=5)
    page.mouse.up()
    dialog = page.get_by_role("dialog", name="Count in this region?")
    expect(dialog.get_by_text("sum")).to_be_visible()
    dialog.get_by_label("Name").fill("spot")
    dialog.get_by_role("button", name="Count here").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_text("it counts from the next scan on")).to_be_visible()
    region = beamline["cam"].rois["spot"]
    run = beamline.loopscan(1, 0.005, "cam")
    part = run["cam"][0][region.y : region.y + region.height, region.x : region.x + region.width]
    assert run["cam:spot_sum"][0] == part.sum()
    beamline["cam"].rois.clear()
    page.get_by_role("button", name="release").click()


def test_a_click_on_a_curve_moves_the_axis_once_it_is_confirmed(
    open_page: Open, site: Site, beamline: Session, scanned: str, wait_for: Callable[..., None]
) -> None:
    beamline.move(sx=0.5)
    page = open_page(at(site, f"run={scanned}"))
    expect(plot(page, "curve").locator(f".curve{DRAWN}")).to_be_visible()
    over = plot(page, "curve").locator(".u-over")
    place = over.bounding_box()
    assert place is not None
    page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    dialog = page.get_by_role("dialog", name="Move sx?")
    expect(dialog.get_by_text("umv sx")).to_be_visible()
    dialog.get_by_label(re.compile("sx, now 0.5 mm")).fill("0.125")
    dialog.get_by_role("button", name="Move").click()
    expect(dialog).to_have_count(0)
    wait_for(lambda: beamline["sx"].position == pytest.approx(0.125))
    expect(page.get_by_label("Axes").get_by_text("0.125 mm")).to_be_visible()
    expect(page.get_by_text("you have control")).to_be_visible()
    # What the gate refuses is said where it was asked.
    page.get_by_label("Axes").get_by_role("button", name=re.compile("^sx")).click()
    dialog.get_by_role("textbox").fill("1e6")
    dialog.get_by_role("button", name="Move").click()
    expect(dialog.get_by_role("alert")).to_contain_text("its limits are")
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="release").click()
    complaints: list[str] = open_page.complaints  # type: ignore[attr-defined]
    # The browser itself notes every refused request; it is the only complaint here.
    assert [text for text in complaints if "409" not in text] == []
    complaints.clear()


def test_an_observer_can_look_and_stop_but_not_move(
    open_page: Open, site: Site, beamline: Session, scanned: str, wait_for: Callable[..., None]
) -> None:
    page = open_page(at(site, f"run={scanned}", site.view))
    expect(page.get_by_text("you look on")).to_be_visible()
    expect(page.get_by_role("button", name="Take control")).to_have_count(0)
    for button in page.get_by_label("Axes").get_by_role("button").all():
        expect(button).to_be_disabled()
    expect(plot(page, "curve").locator(f".curve{DRAWN}")).to_be_visible()
    place = plot(page, "curve").locator(".u-over").bounding_box()
    assert place is not None
    page.mouse.click(place["x"] + 100, place["y"] + 100)
    dialog = page.get_by_role("dialog", name="Move sx?")
    expect(dialog.get_by_role("button", name="Move")).to_be_disabled()
    page.keyboard.press("Escape")
    job = beamline.engine.launch(beamline.loopscan.scan(1000, 0.05, "diode"))
    wait_for(lambda: not job.done)
    page.get_by_role("button", name="Stop all").click()
    wait_for(lambda: job.done, 20.0)


def test_keys_do_what_the_list_says(open_page: Open, site: Site, scanned: str) -> None:
    page = open_page(at(site, f"run={scanned}"))
    expect(plot(page, "curve").locator(f".curve{DRAWN}")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys").get_by_text("Freeze the view")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("l")
    expect(page).to_have_url(re.compile("log=1"))
    page.keyboard.press("Space")
    expect(page.get_by_text("view frozen")).to_be_visible()
    page.keyboard.press("Space")
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name="What to do, or which run")
    box.fill("follow")
    page.keyboard.press("Enter")
    expect(page).not_to_have_url(re.compile("run="))


def test_runs_of_before_are_found_and_compared(open_page: Open, site: Site, beamline: Session, scanned: str) -> None:
    other = beamline.ascan("sx", -0.6, 0.6, 30, 0.003, "diode")
    page = open_page(at(site, f"run={other.key}"))
    expect(plot(page, "curve").locator(f".curve{DRAWN}")).to_be_visible()
    page.get_by_role("searchbox").fill("ascan sx")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Compare with ascan sx -0.6 0.6 40 0.005 diode ring cam").first.click()
    number = beamline.open(scanned).number
    expect(page.locator(".u-legend").get_by_text(f"diode (#{number})")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1440, 900), (393, 851)])
def test_everybody_can_use_it(open_page: Open, site: Site, scanned: str, theme: Any, size: tuple[int, int]) -> None:
    page = open_page(
        at(site, f"run={scanned}"),
        color_scheme=theme,
        viewport={"width": size[0], "height": size[1]},
        bypass_csp=True,  # axe itself is put into the page
    )
    expect(plot(page, "curve").locator(f".curve{DRAWN}")).to_be_visible()
    expect(plot(page, "image").locator(f"canvas{DRAWN}")).to_be_visible()
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
    found = Axe().run(page, options=rules)
    assert found.response["violations"] == [], found.generate_report()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    found = Axe().run(page, options=rules)
    assert found.response["violations"] == [], found.generate_report()


def test_the_page_survives_a_killed_web_server(
    browser: Browser, beamline: Session, places: Path, scanned: str, tmp_path: Path
) -> None:
    supervisor = Supervisor("a server to be killed", tmp_path)
    child = supervisor.spawn(spec(WebSettings(port=free_port(), buffer=str(places))))
    info = child.wait_ready(60.0)
    context = browser.new_context()
    try:
        page = context.new_page()
        page.set_default_timeout(SLOW)
        page.goto(f"{info['operate']}&run={scanned}&log=1")
        expect(page.get_by_role("status").first).to_have_text("live")
        pid = child.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        expect(page.get_by_role("alert").get_by_text("The web server is gone")).to_be_visible(timeout=SLOW)
        expect(page.get_by_role("status").first).to_have_text("live", timeout=2 * SLOW)
        expect(page.get_by_label("logarithmic")).to_be_checked()
        expect(plot(page, "curve").locator(f".curve{DRAWN}")).to_be_visible()
    finally:
        context.close()
        supervisor.stop()


def test_a_page_without_a_login_says_how_to_get_one(open_page: Open, site: Site) -> None:
    page = open_page(site.base)
    expect(page.get_by_role("heading", name="You are not logged in.")).to_be_visible()
    complaints: list[str] = open_page.complaints  # type: ignore[attr-defined]
    assert all("401" in text for text in complaints)
    complaints.clear()


def test_the_first_load_is_small() -> None:
    pages = Path(firstlight.web.__file__).parent / "static"
    files = [*pages.glob("*.html"), *pages.glob("assets/*")]
    assert files
    assert sum(len(gzip.compress(file.read_bytes())) for file in files) < 200_000
