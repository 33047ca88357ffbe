"""The pages in daily use: kept layouts, keys, phones, dialogs, silence; a real browser before a real session."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from firstlight.model import FirstlightError
from firstlight.session import Session
from tests.web.conftest import Site
from tests.web.test_pages import CHROMIUM, DRAWN, Open, at, browser, open_page, plot, scanned

__all__ = ["browser", "open_page", "scanned"]  # fixtures

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed: ./run ci-setup installs it")

COUNTED = """
window.heard = {};
window.WebSocket = class extends WebSocket {
  constructor(...how) {
    super(...how);
    this.addEventListener("message", ({data}) => {
      const kind = typeof data === "string" ? JSON.parse(data).ev : "binary";
      window.heard[kind] = (window.heard[kind] ?? 0) + 1;
    });
  }
};
"""
"""Counts what comes through the websocket, by kind."""

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


def drawn(page: Page) -> Any:
    curve = plot(page, "curve").locator(f".curve{DRAWN}")
    expect(curve).to_be_visible()
    return curve


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options=RULES)
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found.response["violations"]]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_dialog_is_for_everybody(
    open_page: Open, site: Site, beamline: Session, scanned: str, theme: str, wait_for: Callable[..., None]
) -> None:
    page = open_page(at(site, f"run={scanned}&intro=1"), color_scheme=theme, bypass_csp=True)
    over = drawn(page).locator(".u-over")
    assert violations(page) == []
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog", name="Go to")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    place = over.bounding_box()
    assert place is not None
    page.mouse.click(place["x"] + 100, place["y"] + 60)
    expect(page.get_by_role("dialog", name="Move sx?")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    job = beamline.engine.launch(beamline.loopscan.scan(2000, 0.05, "diode"))
    page.keyboard.press("g")
    page.keyboard.press("l")
    page.get_by_role("button", name="Abort scan").click()
    dialog = page.get_by_role("dialog", name="Abort this scan?")
    expect(dialog.get_by_text(re.compile("are measured, and kept"))).to_be_visible()
    assert violations(page) == []
    dialog.get_by_role("button", name="Abort scan").click()
    wait_for(lambda: job.done)
    expect(page.get_by_text("stopped by the user").first).to_be_visible()


def test_stopping_by_key_takes_two_presses(
    open_page: Open, site: Site, beamline: Session, wait_for: Callable[..., None]
) -> None:
    page = open_page()
    expect(page.get_by_role("status").first).to_have_text("live")
    job = beamline.engine.launch(beamline.loopscan.scan(2000, 0.05, "diode"))
    expect(page.locator('main[data-state="RUNNING"]')).to_be_visible()
    try:
        page.keyboard.press("s")
        page.keyboard.press("l")
        expect(page).to_have_url(re.compile("log=1"))
        assert not job.done
        page.keyboard.press("s")
        page.keyboard.press("s")
        wait_for(lambda: job.done)
    finally:
        job.abort()
        wait_for(lambda: job.done)


def test_derivative_and_monitor_are_those_of_the_data(
    open_page: Open, site: Site, beamline: Session, scanned: str
) -> None:
    page = open_page(at(site, f"run={scanned}&y=diode&norm=ring"))
    curve = drawn(page)
    run = beamline.open(scanned)
    values = run["diode"][:] / run["ring"][:]
    page.get_by_role("checkbox", name="derivative").check()
    expect(page).to_have_url(re.compile("diff=1"))
    page.get_by_role("checkbox", name="derivative").uncheck()
    expect(page).not_to_have_url(re.compile("diff=1"))
    box = curve.locator(".u-over").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    # The cursor snaps to a point; the legend says its value.
    said = page.locator(".u-legend .u-series").nth(1).locator(".u-value")
    expect(said).to_have_text(re.compile(r"[\d.]+"))
    assert min(abs(float(said.inner_text()) - values)) < 1e-3 * abs(values).max()


def test_a_kind_of_scan_keeps_its_layout(open_page: Open, site: Site, beamline: Session, scanned: str) -> None:
    page = open_page(at(site, f"run={scanned}"))
    drawn(page)
    page.get_by_label("logarithmic").check()
    loop = beamline.loopscan(5, 0.005, "diode")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="What to do, or which run").fill(loop.title)
    # The server may not have told of it yet; until then Enter would choose nothing.
    expect(page.get_by_role("option").filter(has_text=loop.title).first).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=loop.title)).to_be_visible()
    expect(page.get_by_label("logarithmic")).not_to_be_checked()
    beamline.ascan("sx", -0.1, 0.1, 5, 0.005, "diode")
    page.keyboard.press("g")
    page.keyboard.press("l")
    expect(page.get_by_role("heading", name="ascan sx -0.1 0.1 5 0.005 diode")).to_be_visible()
    expect(page.get_by_label("logarithmic")).to_be_checked()


def test_what_goes_wrong_in_the_shell_is_read_in_the_page(open_page: Open, site: Site, beamline: Session) -> None:
    page = open_page()
    expect(page.get_by_role("status").first).to_have_text("live")
    job = beamline.engine.launch(beamline.ascan.scan("sx", -1e6, 1e6, 5, 0.005, "diode"))
    with pytest.raises(FirstlightError) as refused:
        job.result()
    line = page.get_by_label("Console").locator("li.error").last
    expect(line).to_contain_text(str(refused.value).splitlines()[0])


def test_a_page_that_nothing_happens_to_asks_and_draws_nothing(
    open_page: Open, site: Site, beamline: Session, scanned: str
) -> None:
    page = open_page(at(site, f"run={scanned}"), bypass_csp=True)
    page.add_init_script(COUNTED)
    page.reload()
    drawn(page)
    expect(plot(page, "image").locator(f"canvas{DRAWN}")).to_be_visible()
    page.wait_for_load_state("networkidle")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.evaluate(
        """() => { window.heard = {}; window.changes = 0;
        new MutationObserver(all => { window.changes += all.length; })
        .observe(document.querySelector("main"), {subtree: true, childList: true, characterData: true,
          attributeFilter: ["data-frame", "data-count", "data-state", "width", "height"]}); }"""
    )
    page.wait_for_function("() => window.heard.beat >= 3")
    assert requests == []
    heard = page.evaluate("() => window.heard")
    # The current in the simulated ring lives on, and is told above; nothing else may come, or be drawn.
    assert set(heard) <= {"beat", "session"}
    assert page.evaluate("() => window.changes") == 0


def test_a_sequence_lists_its_parts(open_page: Open, site: Site, beamline: Session) -> None:
    page = open_page()
    expect(page.get_by_role("status").first).to_have_text("live")
    run = beamline.tomo(
        "rot", 0, 180, 60, 0.04, "tomo", darks=2, flats=2, flat_axis="sx", flat_position=beamline["sx"].position
    )
    page.goto(f"{site.base}?run={run.key}")
    parts = page.get_by_label("Parts of this run")
    expect(parts.get_by_role("row", name=re.compile("dark images.*2 of 2.*done"))).to_be_visible()
    parts.get_by_role("button", name=re.compile("^projections")).click()
    expect(page.get_by_text(re.compile("rot from 0 to 180 deg without a stop: 60 exposures of 40 ms"))).to_be_visible()


def test_a_phone_shows_all_within_its_width(open_page: Open, site: Site, scanned: str) -> None:
    page = open_page(at(site, f"run={scanned}"), viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    drawn(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    page.evaluate("() => window.scrollTo(0, 1500)")
    expect(page.get_by_role("button", name="Stop all")).to_be_in_viewport()
