"""The same names in Jupyter."""

from __future__ import annotations

from typing import Any

import pytest

from firstlight.model import Conflict
from firstlight.session import Session
from firstlight.shell import notebook
from firstlight.shell._notebook import detach


def test_a_notebook_gets_the_names_of_a_session(
    beamline: Session, ipython: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook(beamline, log=False)
    try:
        ipython.run_cell("mv rot 2\nmv rot 0")
        assert "rot: 0 → 2 deg" in capsys.readouterr().out
        assert ipython.user_ns["rot"].name == "rot"
    finally:
        detach(ipython)
    assert "rot" not in ipython.user_ns
    assert "mv" not in ipython.user_ns


def test_the_extension_takes_the_session_that_the_notebook_made(beamline: Session, ipython: Any) -> None:
    ipython.user_ns["mine"] = beamline
    ipython.run_line_magic("load_ext", "firstlight.shell")
    assert ipython.run_cell("wu rot").success
    ipython.run_line_magic("unload_ext", "firstlight.shell")
    del ipython.user_ns["mine"]
    assert "wu" not in ipython.user_ns


def test_another_session_takes_the_place_of_the_one_before(beamline: Session, ipython: Any) -> None:
    before = list(ipython.input_transformers_cleanup)
    notebook(beamline, log=False)
    notebook(beamline, log=False)
    assert len(ipython.input_transformers_cleanup) == len(before) + 1
    detach(ipython)
    assert ipython.input_transformers_cleanup == before


def test_outside_of_a_notebook_it_is_refused(beamline: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    with pytest.raises(Conflict, match="This is no notebook"):
        notebook(beamline)
