"""How figures are taken: turns alternate, medians and ranges are reported, a peer that is absent gives no ratio."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks._harness import Promise, against_reference, alternate, quantity, row
from benchmarks._registry import BENCHMARKS, chosen, promises

ROOT = Path(__file__).parents[2]


def test_turns_alternate_and_each_side_begins_as_often() -> None:
    order: list[str] = []

    def turn(name: str) -> float:
        order.append(name)
        return 1.0

    alternate(lambda: turn("ours"), lambda: turn("peer"), pairs=8)
    assert order[:2] == ["ours", "peer"]
    pairs = [tuple(order[i : i + 2]) for i in range(2, len(order), 2)]
    assert pairs == [("ours", "peer"), ("peer", "ours")] * 4


def test_fewer_than_seven_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="At least 7 pairs"):
        alternate(lambda: 1.0, pairs=3)


def test_a_row_holds_median_range_and_the_ratio_of_the_pairs() -> None:
    rate = row("x", "1/s", [10.0, 30.0, 20.0], "peer", [5.0, 10.0, 20.0])
    assert (rate.value, rate.low, rate.high, rate.peer_value, rate.ratio) == (20.0, 10.0, 30.0, 10.0, 2.0)
    time = row("x", "s", [1.0, 1.0, 1.0], "peer", [2.0, 4.0, 6.0])
    assert time.ratio == 4.0


def test_a_reference_gives_no_ratio() -> None:
    measured = against_reference("x", "s", [1.0], "BLISS", 2.0)
    assert (measured.peer, measured.peer_value, measured.ratio) == ("reference: BLISS", 2.0, None)


@pytest.mark.parametrize(
    ("promise", "verdict"),
    [
        (Promise(most=2.0), True),
        (Promise(most=1.0), False),
        (Promise(least=1.0), True),
        (Promise(least=2.0), False),
        (Promise(ratio=2.0), True),
        (Promise(ratio=3.0), False),
        (Promise(least=1.0, ratio=3.0), False),
    ],
)
def test_a_promise_is_kept_or_not(promise: Promise, verdict: bool) -> None:
    assert promise.kept(row("x", "s", [1.5], "peer", [3.0])) is verdict


def test_a_ratio_that_was_not_measured_is_not_judged() -> None:
    assert Promise(ratio=2.0).kept(row("x", "s", [1.5])) is None


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (12.34e-6, "s", "12.3 µs"),
        (3.1e9, "B/s", "3.1 GB/s"),
        (12345.0, "1/s", "12.3 k/s"),
        (0.0, "s", "0 ns"),
        (0.0155, "", "0.0155"),
    ],
)
def test_figures_are_printed_for_people(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


def test_every_benchmark_exists_and_no_row_has_two_promises() -> None:
    names = [name for benchmark in BENCHMARKS for name in benchmark.promises]
    assert len(set(names)) == len(names)
    for benchmark in BENCHMARKS:
        module, _, function = benchmark.function.partition(":")
        source = (ROOT / "benchmarks" / f"{module}.py").read_text()
        assert f"def {function}(" in source


def test_a_name_chooses_a_row_or_a_family() -> None:
    assert [list(b.promises) for b in chosen(["start.cli"])] == [["start.cli"]]
    assert len(chosen(["start"])) == 2
    assert len(chosen([])) == len(BENCHMARKS)
    with pytest.raises(LookupError, match=r"There is no benchmark 'start.clo'. There is start.cli"):
        chosen(["start.clo"])


def test_the_command_writes_rows_with_the_agreed_keys(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    command = [sys.executable, "-m", "benchmarks", "start.import", "--json", str(file)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "start.import" in result.stdout
    (measured,) = json.loads(file.read_text())
    assert list(measured) == ["name", "value", "unit", "peer", "peer_value", "ratio", "low", "high", "machine"]
    assert measured["name"] == "start.import"
    assert measured["name"] in promises()
    assert measured["low"] <= measured["value"] <= measured["high"]


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "start.import", "--json", str(tmp_path / "absent" / "rows.json")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "measuring" not in result.stdout
    assert "cannot be written" in result.stderr
