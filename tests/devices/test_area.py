from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.devices import Arc, Rectangle, area_region, configuration
from firstlight.model import InvalidInput

SHAPE = (40, 60)


def mask(region: Rectangle | Arc, shape: tuple[int, int] = SHAPE) -> Any:
    found = np.zeros(shape, int)
    for row, first, last in region.spans(shape):
        found[row, first:last] += 1
    assert found.max() == 1
    return found.astype(bool)


def test_a_region_is_numbers_or_a_mapping() -> None:
    assert area_region("cam", "spot", (1, 2, 3, 4), SHAPE) == Rectangle(x=1, y=2, width=3, height=4)
    assert area_region("cam", "spot", [30, 20, 5, 9, 0, 90], SHAPE) == Arc(
        x=30, y=20, inner=5, outer=9, start=0, stop=90
    )
    given_mapping = {"x": 1, "y": 2, "width": 3, "height": 4, "statistics": ["sum"], "profiles": ["vertical"]}
    region = area_region("cam", "spot", given_mapping, SHAPE)
    assert region.statistics == ("sum",)
    assert region.profiles == ("vertical",)
    assert area_region("cam", "spot", region, SHAPE) is region
    assert area_region("cam", "spot", region.model_dump(mode="json"), SHAPE) == region


def test_a_rectangle_covers_its_pixels() -> None:
    found = mask(Rectangle(x=1, y=2, width=3, height=4))
    assert found.sum() == 12
    assert found[2:6, 1:4].all()


@given(
    st.floats(-10, 70), st.floats(-10, 50), st.floats(0, 20), st.floats(0.5, 25), st.floats(-360, 360),
    st.floats(1, 360),
)  # fmt: skip
def test_an_arc_covers_the_pixels_whose_middle_lies_in_it(
    x: float, y: float, inner: float, width: float, start: float, extent: float
) -> None:
    arc = Arc(x=x, y=y, inner=inner, outer=inner + width, start=start, stop=start + extent)
    rows, columns = np.indices(SHAPE)
    radius = np.hypot(columns - x, rows - y)
    angle = np.degrees(np.arctan2(rows - y, columns - x))
    turned = np.mod(angle - start, 360.0) < (arc.stop - arc.start)
    expected = (radius >= inner) & (radius < inner + width) & (turned | (arc.stop - arc.start >= 360))
    if not expected.any():
        with pytest.raises(InvalidInput, match="holds no pixel"):
            arc.spans(SHAPE)
        return
    np.testing.assert_array_equal(mask(arc), expected)


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ((1, 2, 3), "a region is (x, y, width, height)"),
        ((50, 2, 11, 3), "columns 50 to 60 and rows 2 to 4 leave the frame of 60 × 40 pixels"),
        ((0, 38, 1, 3), "leave the frame"),
        ((-1, 2, 3, 4), "x: Input should be greater than or equal to 0"),
        ((1, 2, 0, 4), "width: Input should be greater than or equal to 1"),
        ((1.5, 2, 3, 4), "x: Input should be a valid integer"),
        ((500, 500, 3, 4, 0, 90), "holds no pixel"),
        ("spot", "Input should be"),
        ({"x": 1, "y": 2, "width": 3, "height": 4, "colour": 1}, "Extra inputs are not permitted"),
        ({"x": 1, "y": 2, "width": 3, "height": 4, "statistics": ["median"]}, "Input should be 'sum'"),
    ],
)
def test_a_region_that_does_not_fit_is_refused(region: Any, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        area_region("cam", "spot", region, SHAPE)
    assert words in str(caught.value)
    assert str(caught.value).startswith("cam: region spot: ")


@pytest.mark.parametrize("kind", ["sim.camera", "sim.area_detector", "replay"])
def test_all_cameras_take_regions_from_their_configuration(kind: str) -> None:
    field = configuration(kind).model_fields["rois"]
    assert field.description
