"""``kill -9`` of the saver, wherever it is: nothing lost, nothing twice, earlier runs untouched."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firstlight.buffer import Buffer
from firstlight.model import DataError, FirstlightError
from firstlight.storage import DatasetFolder, list_entries, open_scan, recover
from tests.storage.conftest import QUICK, Producer, closed

Make = Callable[..., Producer]

WRITING = [
    ("journal", "before"),
    ("journal", "half"),
    ("journal", "after"),
    ("payload", "before"),
    ("payload", "half"),
    ("payload", "after"),
    ("flush", "before"),
    ("flush", "inside"),
    ("flush", "after"),
    ("release", "before"),
    ("release", "after"),
    ("link", "before"),
    ("link", "inside"),
    ("create", "after"),
    ("rename", "before"),
    ("rename", "after"),
]
"""Reached while the run goes on."""

ENDING = [
    ("close", "before"),
    ("close", "inside"),
    ("close", "after"),
    ("finish", "before"),
    ("finish", "inside"),
    ("finish", "after"),
    ("flush", "inside"),
    ("verify", "before"),
    ("verify", "inside"),
    ("mark", "before"),
    ("mark", "after"),
    ("rename", "before"),
    ("rename", "after"),
    ("unlink", "after"),
    ("salvage", "before"),
    ("salvage", "inside"),
    ("salvage", "after"),
]
"""Reached when it has ended."""


class Range:
    """Starts savers that die."""

    def __init__(self, buffer: Buffer, socket: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("under_fire.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._buffer = buffer
        self._socket = socket
        self.there = 0

    def shoot(
        self, point: tuple[str, str], nth: int, meanwhile: Callable[[], object], *, seed: int, patience: float = 1.0
    ) -> None:
        """Let one saver live until it reaches the point, and do something meanwhile, again and again."""
        order = {
            "root": str(self._buffer.root),
            "socket": str(self._socket),
            "options": QUICK.model_dump(),
            "point": point[0],
            "when": point[1],
            "nth": nth,
            "patience": patience,
            "spread": 0.001,
            "seed": seed,
        }
        self._say(order)
        assert self._hear() == "born"
        answer: list[str] = []
        waiting = threading.Thread(target=lambda: answer.append(self._hear()))
        waiting.start()
        while waiting.is_alive():
            meanwhile()
            waiting.join(0.002)
        self.there += answer[0] == "there"

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(20) == 0
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _say(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def _hear(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@pytest.fixture
def firing(buffer: Buffer, tmp_path: Path) -> Iterator[Range]:
    made = Range(buffer, tmp_path / "s")
    yield made
    made.close()


def contents(folder: Path) -> dict[str, tuple[int, str]]:
    """Every file below a folder with its inode and what is in it."""
    return {
        str(p.relative_to(folder)): (p.stat().st_ino, hashlib.sha256(p.read_bytes()).hexdigest())
        for p in folder.rglob("*")
        if p.is_file()
    }


def one_run(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, firing: Range, dice: random.Random, shots: int
) -> tuple[Producer, int]:
    """A run during and after which savers die; then it is recovered, and compared."""
    compression = dice.choice(["none", "bitshuffle-lz4"])
    number = dataset.reserve()
    run = producer(dataset.saving(number, frames_per_file=dice.choice([5, 50, 500]), compression=compression))
    run.start()
    run.produce(dice.randrange(3))
    for _ in range(shots - shots // 2):
        firing.shoot(
            dice.choice(WRITING),
            dice.randrange(1, 8),
            lambda: run.produce(dice.randrange(1, 4)) if run.count < 600 else None,
            seed=dice.randrange(2**30),
        )
    run.stop()
    for _ in range(shots // 2):
        if not closed(buffer, run.key):
            firing.shoot(dice.choice(ENDING), dice.randrange(1, 4), lambda: None, seed=dice.randrange(2**30))
    outcomes = recover(buffer, QUICK)
    assert closed(buffer, run.key), outcomes
    with open_scan(dataset.scan_file(number)) as scan:
        run.check(scan)
    return run, number


def many_runs(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, firing: Range, *, runs: int, shots: int, seed: int
) -> None:
    dice = random.Random(seed)
    earlier: dict[int, dict[str, tuple[int, str]]] = {}
    for _ in range(runs):
        run, number = one_run(buffer, dataset, producer, firing, dice, shots)
        for before, files in earlier.items():
            assert contents(dataset.scan_folder(before)) == files, f"run {before} was touched"
        # A saver that dies after it closed a run may leave journals; the next one removes them.
        for path in dataset.scan_folder(number).glob("*.journal"):
            path.unlink()
        earlier[number] = contents(dataset.scan_folder(number))
        buffer.remove(run.key, force=True)
    assert list_entries(dataset.file) == [f"{n}.1" for n in earlier]


def test_savers_that_are_killed_lose_nothing(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, firing: Range
) -> None:
    many_runs(buffer, dataset, producer, firing, runs=4, shots=6, seed=1)


@pytest.mark.parametrize("point", WRITING, ids="-".join)
def test_a_saver_that_is_killed_while_it_writes_leaves_a_run_that_goes_on(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, firing: Range, point: tuple[str, str]
) -> None:
    run = producer(dataset.saving(frames_per_file=10))
    run.start()
    firing.shoot(point, 1, lambda: run.produce(1) if run.count < 300 else None, seed=0, patience=20)
    assert firing.there == 1
    run.produce(5)
    run.stop()
    recover(buffer, QUICK)
    with open_scan(dataset.scan_file(1)) as scan:
        run.check(scan)


@pytest.mark.parametrize("point", ENDING, ids="-".join)
def test_a_saver_that_is_killed_at_the_end_leaves_a_run_that_can_be_recovered(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, firing: Range, point: tuple[str, str]
) -> None:
    run = producer()
    run.start()
    if point[0] == "salvage":  # needs something broken
        firing.shoot(("journal", "after"), 3, lambda: run.produce(2) if run.count < 300 else None, seed=0, patience=20)
    run.produce(20)
    run.stop()
    before = firing.there
    firing.shoot(point, 1, lambda: None, seed=0, patience=20)
    assert firing.there == before + 1
    recover(buffer, QUICK)
    with open_scan(dataset.scan_file(1)) as scan:
        run.check(scan)
    assert closed(buffer, run.key)


def test_readers_of_the_file_never_see_it_go_back(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, firing: Range
) -> None:
    """A rebuilt file takes the old one's place only with all that the old one had... and more."""
    dice = random.Random(7)
    run = producer()
    run.start()
    seen: dict[str, int] = {}
    problems: list[str] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            if not dataset.scan_file(1).exists():
                time.sleep(0.005)
                continue
            try:
                with open_scan(dataset.scan_file(1)) as scan:
                    counts = {name: channel.count for name, channel in scan.channels.items()}
            except DataError:
                # A saver that is killed while HDF5 writes leaves a broken file, until the next one has rebuilt it.
                continue
            except FirstlightError as error:
                problems.append(str(error))
                return
            problems.extend(f"{n} went from {c} to {counts.get(n)}" for n, c in seen.items() if counts.get(n, -1) < c)
            seen.update(counts)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(6):
            firing.shoot(dice.choice(WRITING), dice.randrange(2, 9), lambda: run.produce(2), seed=dice.randrange(2**30))
    finally:
        over.set()
        reader.join()
    run.stop()
    recover(buffer, QUICK)
    with open_scan(dataset.scan_file(1)) as scan:
        run.check(scan)
    assert problems == []


@pytest.mark.long
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("seed", range(10))
def test_thousands_of_savers_that_are_killed_lose_nothing(
    buffer: Buffer, dataset: DatasetFolder, producer: Make, firing: Range, seed: int
) -> None:
    many_runs(buffer, dataset, producer, firing, runs=60, shots=8, seed=1000 + seed)
