"""A prompt on the simulated beamline, without a terminal: lines go in, what is printed comes out."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from firstlight.session import Layout, Session, simulated
from firstlight.shell._ipython import Attached
from firstlight.shell._notebook import attach, detach

SMALL = Layout(shape=(8, 64), axis_offset=2.5)
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(scope="session")
def beamline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A simulated beamline with a small camera; starting its processes is worth sharing."""
    root = Path(tempfile.mkdtemp(prefix="firstlight-test-", dir="/dev/shm"))
    try:
        with simulated(tmp_path_factory.mktemp("data"), name="shelltest", layout=SMALL, buffer=root) as made:
            yield made
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def ipython(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """IPython as a notebook has it."""
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    shell: Any = InteractiveShell.instance(config=config, ipython_dir=str(tmp_path_factory.mktemp("ipython")))
    yield shell
    InteractiveShell.clear_instance()


class Prompt:
    """Lines go in, what is printed comes out."""

    def __init__(self, shell: Any, attached: Attached, capture: pytest.CaptureFixture[str]) -> None:
        self.shell = shell
        self.desk = attached.desk
        self.session: Any = attached.desk.session
        self._capture = capture

    def __call__(self, line: str) -> str:
        """What a line prints."""
        self._capture.readouterr()
        self.shell.run_cell(line, store_history=True)
        return _COLOURS.sub("", self._capture.readouterr().out)

    def __getitem__(self, name: str) -> Any:
        """What the user has under a name."""
        return self.shell.user_ns[name]


@pytest.fixture
def prompt(
    beamline: Session, ipython: Any, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> Iterator[Prompt]:
    """A prompt with the sample in the beam and a dataset of the test's own."""
    beamline.newproposal("hc1234")
    beamline.newsample("tooth")
    beamline.newdataset(re.sub(r"\W+", "_", request.node.name)[:60].strip("_"))
    beamline.move({"sx": 0.0, "rot": 0.0, "sz": 0.0})
    attached = attach(ipython, beamline)
    yield Prompt(ipython, attached, capsys)
    detach(ipython)
    for name in [name for name in ipython.user_ns if not name.startswith("_") and name not in ("In", "Out")]:
        del ipython.user_ns[name]
