"""The demo as a newcomer sees it: from the command line, undisturbed, and with its processes killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import pytest

import firstlight
from firstlight.buffer import Buffer
from firstlight.model import FirstlightError

COMMAND = [sys.executable, "-m", "firstlight"]


def test_the_demo_acquires_saves_reads_back_and_reconstructs(tmp_path: Path, buffer_root: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "demo", "--fast", "--headless", "--data", str(tmp_path), "--seed", "3"],
        env=_environment(buffer_root), capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "264 frames acquired, every one in its file" in done.stdout
    found = re.search(r"Rotation axis at ([\d.]+) px .*in truth it is at ([\d.]+) px", done.stdout)
    assert found is not None, done.stdout
    assert float(found[1]) == pytest.approx(float(found[2]), abs=0.3)
    made = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert {"tooth_overview.h5", "tooth_overview_scan0001.nx", "tooth_overview_scan0001.png"} <= made
    assert not [name for name in made if name.startswith(".") or name.endswith((".part", ".journal"))]


@pytest.mark.parametrize(("victim", "goes_on"), [("saver", True), ("guard", True), ("cam", False), ("session", False)])
def test_every_acknowledged_frame_is_in_the_file_whichever_process_is_killed(
    victim: str, goes_on: bool, tmp_path: Path, buffer_root: Path, wait_for: Callable[..., None]
) -> None:
    buffer = Buffer(buffer_root)
    with _demo(tmp_path, buffer_root) as process:
        wait_for(lambda: process.poll() is not None or _projections(buffer) > 40, timeout=60)
        assert process.poll() is None
        os.kill(process.pid if victim == "session" else _pid_of(process, victim), signal.SIGKILL)
        status = process.wait(90)
    output = (tmp_path / "output").read_text()
    assert (status == 0) is goes_on, output
    assert "Traceback" not in output
    acknowledged = {
        entry.key: {name: channel.count for name, channel in buffer.run(entry.key).channels.items()}
        for entry in buffer.runs()
        if entry.saved
    }
    assert acknowledged
    recovered = subprocess.run(
        [*COMMAND, "recover"], env=_environment(buffer_root), capture_output=True, text=True, timeout=60, check=False
    )
    assert recovered.returncode == 0, recovered.stdout + recovered.stderr
    for key, counts in acknowledged.items():
        saving = buffer.run(key).info.saving
        assert saving is not None
        with firstlight.open(saving.dataset_file, scan=saving.number) as run:
            assert {name: len(run[name]) for name in counts} == counts
    for file in tmp_path.rglob("*.h5"):
        h5py.File(file, "r", locking=False).close()


@contextmanager
def _demo(folder: Path, buffer: Path) -> Iterator[subprocess.Popen[bytes]]:
    arguments = [*COMMAND, "demo", "--fast", "--headless", "--data", str(folder / "data")]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(arguments, env=_environment(buffer), stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _environment(buffer: Path) -> dict[str, str]:
    return {**os.environ, "FIRSTLIGHT_BUFFER": str(buffer), "COLUMNS": "200"}


def _projections(buffer: Buffer) -> int:
    for entry in buffer.runs():
        if entry.name == "tomo:projections":
            try:
                return buffer.run(entry.key).channel("cam").count
            except FirstlightError:
                return 0
    return 0


def _pid_of(process: subprocess.Popen[bytes], child: str) -> int:
    """Process number of a child, by the name that it carries on its command line."""
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").parent.parent.glob("*/children")
    for number in {pid for children in listed for pid in children.read_text().split()}:
        words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
        if words[-2:-1] == [child.encode()]:
            return int(number)
    pytest.fail(f"the demo has no process {child}")
