"""The rotation axis of the simulated tomograph is put upright and in the middle, whichever way its stages move."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firstlight.model import FirstlightError
from firstlight.session import Layout, Session, align_rotation
from firstlight.session._simulated import devices

LAYOUT = Layout(shape=(96, 160), axis_offset=4.2, axis_roll=1.1)
OUT = 2.5


def beamline(folder: Path, root: Path, **changes: dict[str, Any]) -> Session:
    """The simulated beamline with other settings of some devices."""
    configurations = [
        one | changes.get(one["name"], {}) | ({"position": 0.0} if one["name"] == "sx" else {})
        for one in devices(LAYOUT, seed=1)
    ]
    return Session("fl01", configurations, data=folder / "data", buffer=root, state=folder / "state", default=["ring"])


@pytest.mark.parametrize("sign", [1, -1])
def test_the_axis_is_upright_and_in_the_middle_afterwards(tmp_path: Path, buffer_root: Path, sign: int) -> None:
    told: list[str] = []
    with beamline(tmp_path, buffer_root, sx={"sign": sign}, tilt={"sign": sign}) as session:
        aligned = align_rotation(session, "rot", "cam", "sx", OUT, roll="tilt", count_time=0.01, tell=told.append)
        stands = LAYOUT.axis_offset + session["sx"].dial / LAYOUT.pixel_size
        leans = LAYOUT.axis_roll + session["tilt"].dial
    assert abs(stands) < 0.4
    assert abs(leans) < 0.3
    assert abs(aligned.off) <= 0.25
    assert len(told) == len(aligned.steps) >= 2


def test_a_stage_that_does_not_move_the_axis_is_told(tmp_path: Path, buffer_root: Path) -> None:
    with (
        beamline(tmp_path, buffer_root) as session,
        pytest.raises(FirstlightError, match="Does sz move the rotation along the columns"),
    ):
        align_rotation(session, "rot", "cam", "sz", 4.9, count_time=0.01)
