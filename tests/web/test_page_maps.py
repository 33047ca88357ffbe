"""Maps in the pages: points where they were measured, planes of meshes, slices; in a real browser."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from firstlight.buffer import Buffer
from firstlight.model import ChannelKind, ChannelRole, ChannelSpec, EndReason, RunEnd, RunInfo
from firstlight.session import Session
from tests.web.conftest import Site
from tests.web.test_pages import CHROMIUM, DRAWN, Open, at, browser, open_page, plot

__all__ = ["browser", "open_page"]  # fixtures

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="Chromium is not installed: ./run ci-setup installs it")

COLOUR = """(canvas, at) => { const c = document.createElement("canvas"); c.width = canvas.width;
    c.height = canvas.height; const d = c.getContext("2d"); d.drawImage(canvas, 0, 0);
    return [...d.getImageData(canvas.width * at[0], canvas.height * at[1], 1, 1).data]; }"""


@contextmanager
def run_of(places: Path, info: RunInfo, **logs: NDArray[np.float64]) -> Iterator[str]:
    """A run that is over, with these numbers; its key."""
    run = Buffer(places).create_run(info)
    for name, values in logs.items():
        role = ChannelRole.AXIS if name in info.axes else ChannelRole.COUNTER
        run.create_log(ChannelSpec(name, role=role)).append(values)
    run.prepared()
    run.running()
    run.stop(RunEnd(reason=EndReason.SUCCESS, epoch=time.time()))
    try:
        yield run.key
    finally:
        run.close()


def colour(page: Page, x: float, y: float) -> list[int]:
    """Of the map at a share of its width and height."""
    found: list[int] = plot(page, "map").locator("canvas[data-state]").evaluate(COLOUR, [x, y])
    return found


def test_scattered_points_are_drawn_where_they_are_and_picked(
    open_page: Open, site: Site, beamline: Session, places: Path
) -> None:
    x = np.array([0.0, 1.0, 0.25, 0.5])
    y = np.array([0.0, 1.0, 0.75, np.nan])
    z = np.array([0.0, 10.0, 5.0, 7.0])
    y[3], z[3] = 0.5, np.nan
    info = RunInfo(name="spiral", title="a spiral", start_epoch=time.time(), axes=("sz", "sx"), npoints=4)
    with run_of(places, info, sx=x, sz=y, fluo=z) as key:
        page = open_page(at(site, f"run={key}&plot=map"))
        expect(plot(page, "map").locator(f'canvas[data-frame="4"]{DRAWN}')).to_be_visible()

        def place(px: float, py: float) -> tuple[float, float]:
            return (px + 0.04) / 1.08, 1 - (py + 0.04) / 1.08

        assert colour(page, *place(0, 0))[:3] == pytest.approx((68, 1, 84), abs=3)
        assert colour(page, *place(1, 1))[:3] == pytest.approx((253, 231, 36), abs=3)
        assert colour(page, *place(0.75, 0.25))[3] == 0
        missing = colour(page, *place(0.5, 0.5))
        assert max(missing[:3]) - min(missing[:3]) < 20
        over = plot(page, "map").locator("canvas.image-over").bounding_box()
        assert over is not None
        u, v = place(0.25, 0.75)
        spot = over["x"] + over["width"] * u + 4, over["y"] + over["height"] * v - 4
        page.mouse.move(*spot)
        expect(plot(page, "map").locator(".readout")).to_have_text("sx 0.25, sz 0.75: 5  (point 3)")
        page.mouse.click(*spot)
        dialog = page.get_by_role("dialog", name="Move sx and sz?")
        expect(dialog.get_by_text("umv sx 0.25 sz 0.75")).to_be_visible()
        dialog.get_by_role("button", name="Cancel").click()
        # Zoomed about the point, it stays there.
        page.mouse.move(*spot)
        page.mouse.wheel(0, -400)
        expect(plot(page, "map").locator("canvas.image-over")).not_to_have_attribute("data-box", "0,0,1000,1000")
        assert colour(page, u, v)[:3] == pytest.approx((32, 144, 140), abs=12)


def test_a_hundred_thousand_points_are_drawn_one_by_one(open_page: Open, site: Site, places: Path) -> None:
    generator = np.random.default_rng(4)
    x, y = generator.uniform(-1, 1, (2, 100_000))
    info = RunInfo(name="fly", title="a flight", start_epoch=time.time(), axes=("sz", "sx"), npoints=x.size)
    with run_of(places, info, sx=x, sz=y, fluo=np.hypot(x, y)) as key:
        page = open_page(at(site, f"run={key}&plot=map"))
        expect(plot(page, "map").locator(f'canvas[data-frame="100000"]{DRAWN}')).to_be_visible()
        expect(page.get_by_text("100000 points where they were measured")).to_be_visible()
        assert sum(colour(page, 0.5, 0.5)[:3]) < sum(colour(page, 0.06, 0.06)[:3])


def test_planes_of_a_mesh_of_three_axes_are_chosen(open_page: Open, site: Site, places: Path) -> None:
    shape = (3, 4, 5)
    axes = np.meshgrid(np.linspace(0, 2, 3), np.linspace(0, 3, 4), np.linspace(0, 4, 5), indexing="ij")
    # The plane 1 alone is bright.
    bright = (axes[0] == 1).astype(float)
    info = RunInfo(
        name="mesh3", title="three axes", start_epoch=time.time(), axes=("c", "b", "a"), shape=shape, npoints=60
    )
    logs = dict(zip("cba", (axis.ravel() for axis in axes), strict=True))
    with run_of(places, info, **logs, fluo=bright.ravel()) as key:
        page = open_page(at(site, f"run={key}&plot=map&levels=0,1"))
        expect(plot(page, "map").locator(f'canvas[data-frame="60"]{DRAWN}')).to_be_visible()
        slider = page.get_by_role("slider", name="c")
        expect(slider).to_have_value("2")  # where the newest point is
        assert colour(page, 0.5, 0.5)[:3] == pytest.approx((68, 1, 84), abs=3)
        slider.focus()
        page.keyboard.press("ArrowLeft")
        expect(page).to_have_url(re.compile("at=1"))
        expect(page.get_by_text("1 , 2 of 3")).to_be_visible()
        assert colour(page, 0.5, 0.5)[:3] == pytest.approx((253, 231, 36), abs=3)
        page.get_by_label("Axis up").select_option("c")
        expect(page.get_by_role("heading", name="fluo over c, a")).to_be_visible()
        expect(page.get_by_role("slider", name="b")).to_have_value("3")
        assert colour(page, 0.5, 0.5)[:3] == pytest.approx((253, 231, 36), abs=3)
        assert colour(page, 0.5, 0.1)[:3] == pytest.approx((68, 1, 84), abs=3)


def test_slices_of_volumes_are_chosen(open_page: Open, site: Site, places: Path) -> None:
    volume = np.zeros((5, 20, 30), np.uint16)
    volume[3] = 100
    run = Buffer(places).create_run(RunInfo(name="volume", title="a volume", start_epoch=time.time()))
    ring = run.create_ring(ChannelSpec("vol", "<u2", volume.shape, kind=ChannelKind.RING, role=ChannelRole.FRAME), 4)
    ring.slot()[...] = volume
    ring.commit()
    run.prepared()
    run.running()
    page = open_page(at(site, f"run={run.key}&plot=image&ch=vol&levels=0,100"))
    canvas = plot(page, "image").locator(f"canvas{DRAWN}")
    expect(canvas).to_be_visible()
    slider = page.get_by_role("slider", name="Slice")
    expect(slider).to_have_value("2")
    assert canvas.evaluate(COLOUR, [0.5, 0.5])[:3] == pytest.approx((68, 1, 84), abs=3)
    slider.focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("4 of 5")).to_be_visible()
    assert canvas.evaluate(COLOUR, [0.5, 0.5])[:3] == pytest.approx((253, 231, 36), abs=3)
    page.get_by_label("across").select_option("dimension 2 (20)")
    expect(page.get_by_text("11 of 20")).to_be_visible()
    expect(page.get_by_text("30 × 5")).to_be_visible()
    run.stop(RunEnd(reason=EndReason.SUCCESS, epoch=time.time()))
    run.close()
