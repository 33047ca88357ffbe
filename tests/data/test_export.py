"""Exporters: by name, beside and renamed, never over an existing file unasked."""

from __future__ import annotations

import csv
import errno
from pathlib import Path

import numpy as np
import pytest

from firstlight.data import Exported, Exporter, Run, export, exporters
from firstlight.data._export import beside
from firstlight.model import Conflict, InvalidInput, NotFound, StorageFull
from tests.data.conftest import ArraySource


def test_formats_are_listed_by_name() -> None:
    known = exporters()
    assert {"nxtomo", "csv", "text"} <= set(known)
    assert all(e.summary and e.suffix.startswith(".") for e in known.values())


def test_an_unknown_format_names_the_nearest(run: Run, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="Did you mean csv"):
        export("cvs", run, tmp_path / "a")


def test_a_package_may_bring_a_format(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(runs: list[Run], path: Path, *, overwrite: bool) -> Exported:
        path.write_text(runs[0].title)
        return Exported(path, 1)

    class Point:
        @staticmethod
        def load() -> Exporter:
            return Exporter("note", ".note", "the title", write)

    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [Point])
    assert "note" in exporters()
    assert export("note", run, tmp_path / "a").path.read_text() == run.title


def test_csv_has_one_column_for_each_scalar(run: Run, tmp_path: Path) -> None:
    done = export("csv", run, tmp_path / "scan")
    assert done == Exported(tmp_path / "scan.csv", 10, ("cam", "mca", "peaks"))
    with done.path.open(newline="") as lines:
        header, *rows = csv.reader(lines)
    assert header == ["rot (deg)", "counts", "diode (A)"]
    values = np.array(rows, dtype=float)
    np.testing.assert_array_equal(values[:, 0], run["rot"][:])
    np.testing.assert_array_equal(values[:, 1], run["counts"][:])
    np.testing.assert_array_equal(values[:, 2], run["diode"][:])


def test_text_is_what_numpy_loads(run: Run, tmp_path: Path) -> None:
    done = export("text", run, tmp_path / "scan.dat")
    text = done.path.read_text()
    assert text.startswith("# title ascan rot 0 180 9 0.1 diode\n# date 2025-11-13T")
    assert "# columns rot[deg] counts diode[A]\n" in text
    np.testing.assert_array_equal(np.loadtxt(done.path)[:, 2], run["diode"][:])


def test_points_that_were_not_measured_are_empty(run: Run, source: ArraySource, tmp_path: Path) -> None:
    source.made["rot"].append([200.0])
    assert export("csv", run, tmp_path / "a").path.read_text().splitlines()[-1] == "200.0,,"
    assert export("text", run, tmp_path / "a").path.read_text().splitlines()[-1] == "200.0 nan nan"


def test_long_runs_are_written_in_portions(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = export("csv", run, tmp_path / "whole").path.read_text()
    monkeypatch.setattr("firstlight.data._columns.ROWS", 3)
    assert export("csv", run, tmp_path / "parts").path.read_text() == whole


def test_a_run_without_curves_can_not_become_columns(run: Run, source: ArraySource, tmp_path: Path) -> None:
    for name in ("rot", "diode", "counts"):
        del source.made[name]
    with pytest.raises(InvalidInput, match="no channel of plain numbers"):
        export("csv", run, tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_a_format_for_one_run_refuses_several(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="holds one run"):
        export("csv", [run, run], tmp_path / "a")
    with pytest.raises(InvalidInput, match="no run"):
        export("csv", [], tmp_path / "a")


def test_an_existing_file_is_replaced_only_when_asked(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "scan.csv"
    path.write_text("mine")
    with pytest.raises(Conflict, match="exists already"):
        export("csv", run, path)
    assert path.read_text() == "mine"
    export("csv", run, path, overwrite=True)
    assert path.read_text().startswith("rot (deg),")
    assert [p.name for p in tmp_path.iterdir()] == ["scan.csv"]


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> None:
        with beside(tmp_path / "a.csv", overwrite=False) as part:
            part.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not list(tmp_path.iterdir())


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"

    def write() -> None:
        with beside(path, overwrite=False) as part:
            part.write_text("mine")
            path.write_text("theirs")

    with pytest.raises(Conflict, match="meanwhile"):
        write()
    assert path.read_text() == "theirs"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_bad_places_give_one_clear_error(run: Run, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        export("csv", run, tmp_path / "none" / "a.csv")
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(InvalidInput, match="is a folder"):
        export("csv", run, tmp_path / "a.csv", overwrite=True)
    with pytest.raises(StorageFull, match="disk is full"), beside(tmp_path / "b.csv", overwrite=False):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(InvalidInput, match="can not be written"), beside(tmp_path / "b.csv", overwrite=False):
        raise PermissionError(errno.EACCES, "Permission denied")
