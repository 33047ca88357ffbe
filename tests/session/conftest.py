from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstlight.session import Layout, Session, simulated

SMALL = Layout(shape=(8, 64), axis_offset=2.5)


@pytest.fixture(scope="module")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A simulated beamline with a small camera; starting its processes is worth sharing."""
    root = Path(tempfile.mkdtemp(prefix="firstlight-test-", dir="/dev/shm"))
    try:
        with simulated(tmp_path_factory.mktemp("data"), layout=SMALL, buffer=root) as made:
            yield made
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def session(beamline: Session, request: pytest.FixtureRequest) -> Session:
    """The beamline, with the sample in the beam and a dataset of the test's own."""
    beamline.newproposal("hc1234")
    beamline.newsample("tooth")
    beamline.newdataset(request.node.name[:60])
    beamline.move(sx=0.0, rot=0.0)
    return beamline
