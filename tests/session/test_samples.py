"""Simulated samples in a session: what is measured and what is true end up in one file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from firstlight.session import Session

DEVICES: list[dict[str, Any]] = [
    {"name": "sx", "kind": "sim.axis", "unit": "mm", "velocity": 10.0, "acceleration": 100.0},
    {"name": "mono", "kind": "sim.axis", "unit": "keV", "velocity": 10.0, "acceleration": 100.0, "position": 8.9},
    {
        "name": "mca", "kind": "sim.mca", "inputs": {"x": "sx"}, "energy": 17.0, "flux": 1e10,
        "rois": {"fe": ["6.2 keV", "6.6 keV"]},
        "sample": {"discs": [{"x": 0.1, "z": 0.0, "radius": 0.05, "masses": {"Fe": 50.0}}]},
    },
    {
        "name": "i1", "kind": "sim.point_detector", "inputs": {"energy": "mono"},
        "sample": {"technique": "absorption", "shift": 2.0},
    },
    {
        "name": "eiger", "kind": "sim.area_detector", "shape": [40, 48], "pixel_size": "2 mm", "tilt": ["1 deg", 0, 0],
        "sample": {"technique": "powder", "material": "LaB6"},
    },
]  # fmt: skip


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    root = tmp_path_factory.mktemp("buffer")
    with Session("x", DEVICES, data=tmp_path_factory.mktemp("data"), buffer=root) as made:
        made.newproposal("hc1234")
        made.newsample("foil")
        made.newdataset("truth")
        yield made


def saved(run: Any) -> dict[str, Any]:
    """Everything under ``truth`` of each instrument of a run's file."""
    found: dict[str, Any] = {}
    with h5py.File(Path(run.path), "r", locking=False) as file:
        (entry,) = [group for group in file.values() if isinstance(group, h5py.Group)]

        def visit(name: str, node: Any) -> None:
            if "/truth/" in name and isinstance(node, h5py.Dataset):
                found[name.removeprefix("instrument/")] = node[()]
                found[f"{name.removeprefix('instrument/')}@units"] = node.attrs.get("units")

        entry.visititems(visit)
    return found


def test_the_truth_of_every_sample_is_in_the_file_beside_what_was_measured(session: Session) -> None:
    run = session.ascan("sx", 0, 0.2, 2, 0.05, "mca", "i1", "eiger")
    iron = np.asarray(run["mca:fe"][:])
    assert iron[1] > 10 * max(1, iron[0], iron[2])
    assert np.asarray(run["eiger"][:]).max() > 0
    truth = saved(run)
    assert truth["mca/truth/discs/disc0/masses/Fe"] == 50.0
    assert truth["mca/truth/discs/disc0/masses/Fe@units"] == "ug/cm^2"
    assert truth["i1/truth/e0"] == pytest.approx(8.981)
    assert truth["i1/truth/shells/distance"][0] == 2.556
    assert truth["eiger/truth/lattice/a"] == 4.156826
    assert truth["eiger/truth/poni/rot1"] == pytest.approx(np.radians(1.0))
    assert truth["eiger/truth/poni/dist@units"] == "m"
