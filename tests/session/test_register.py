"""What a session saves is in the catalogues, without anybody waiting for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firstlight.configuration import IcatSettings
from firstlight.data import Catalogue
from firstlight.session import Session


def small(folder: Path, root: Path, icat: IcatSettings | None = None) -> Session:
    devices: list[dict[str, Any]] = [
        {"name": "ring", "kind": "sim.ring"},
        {"name": "sx", "kind": "sim.axis", "unit": "mm", "instant": True},
    ]
    return Session(
        "fl01", devices, data=folder / "data", buffer=root, state=folder / "state", default=["ring"], icat=icat
    )


def test_runs_are_in_the_catalogue_when_the_session_has_ended(tmp_path: Path, buffer_root: Path) -> None:
    with small(tmp_path, buffer_root) as session:
        session.newproposal("hc1234")
        session.newsample("tooth")
        session.ascan("sx", 0, 1, 2, 0, "ring")
        session.loopscan(3, 0)
        session.ct(0)
    with Catalogue(tmp_path / "state" / "catalogue.sqlite") as catalogue:
        found = catalogue.search("proposal:hc1234 sample:tooth")
    assert [(entry.name, entry.number, entry.axes) for entry in found] == [
        ("loopscan", 2, ()), ("ascan", 1, ("sx",)),
    ]  # fmt: skip
    assert all(entry.path.is_file() for entry in found)


def test_a_dataset_that_ends_has_its_record_for_icat(
    tmp_path: Path, buffer_root: Path, wait_for: Callable[..., None]
) -> None:
    pytest.importorskip("pyicat_plus")
    with small(tmp_path, buffer_root, IcatSettings()) as session:
        session.newproposal("hc1234")
        session.newsample("tooth")
        session.loopscan(3, 0)
        record = session.dataset.icat_file
        session.enddataset()
        wait_for(record.is_file, timeout=60)
    assert b"tooth" in record.read_bytes()


def test_nothing_is_written_for_icat_unasked(tmp_path: Path, buffer_root: Path) -> None:
    with small(tmp_path, buffer_root) as session:
        session.loopscan(3, 0)
        session.enddataset()
    assert not list(tmp_path.rglob("*.xml"))
    assert not (tmp_path / "state" / "icat").exists()
