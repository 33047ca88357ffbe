"""A shared memory of 16 MiB that really fills up: errors and disk, never a bus error.

The memory is a file system of its own, mounted where no other process sees it. Where that is not permitted the same
script runs with a budget of that size.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import gc
import sys
from pathlib import Path

import numpy as np

from firstlight.buffer import Buffer
from firstlight.model import ChannelKind, ChannelSpec, EndReason, RunEnd, RunInfo, RunState, StorageFull

root, spill, budget = Path(sys.argv[1]) / "root", Path(sys.argv[2]), int(sys.argv[3])
buffer = Buffer(root, spill=spill, budget=budget)
info = RunInfo(name="full", title="full", start_epoch=0.0)
run = buffer.create_run(info, readers=["saver"])


def refused(action):
    try:
        action()
    except StorageFull as error:
        assert error.hint
        return True
    return False


# A log goes on on disk.
log = run.create_log(ChannelSpec("x"))
assert log.append(np.arange(8_000_000.0)) == 8_000_000
assert buffer.usage().memory < 16 << 20
assert buffer.usage().spilled > 40 << 20
reader = Buffer(root, spill=spill).run(run.key)
assert (reader.channel("x").read(0, 8_000_000) == np.arange(8_000_000.0)).all()

# A ring must be in memory.
large = ChannelSpec("cam", dtype="<u2", shape=(2048, 2048), kind=ChannelKind.RING)
assert refused(lambda: run.create_ring(large, 8))
assert "cam" not in reader.channels

# There is still room for small channels, until that is used up, too; each is whole or absent.
made = []
while not refused(lambda: made.append(run.create_log(ChannelSpec(f"c{len(made)}")))):
    made[-1].append_one(1.0)
assert len(made) > 20
assert len(reader.channels) == len(made) + 1
assert all(channel.count >= 1 for channel in reader.channels.values())
assert refused(lambda: buffer.create_run(info))

# The run can end all the same, and makes room once it is in a file and nobody looks at it.
run.stop(RunEnd(reason=EndReason.SUCCESS, epoch=1.0))
run.close()
assert reader.state is RunState.STOPPED
assert refused(lambda: buffer.create_run(info))
reader.mark_closed()
key = run.key
del run, reader, made, log
gc.collect()
following = buffer.create_run(info)
assert [entry.key for entry in buffer.runs()] == [following.key]
assert following.create_log(ChannelSpec("x")).append(np.arange(50_000.0)) == 50_000
following.close()
print("survived")
"""


def mounted(folder: Path) -> list[str] | None:
    """Command that runs another one with 16 MiB of its own memory at ``folder``; None where that is not permitted."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return None
    shell = f'mount -t tmpfs -o size=16M tmpfs {folder} && exec "$@"'
    command = [unshare, "--mount", "--map-root-user", "sh", "-c", shell, "sh"]
    probe = subprocess.run([*command, "true"], capture_output=True, check=False)
    return command if probe.returncode == 0 else None


@pytest.mark.parametrize("kind", ["file system", "budget"])
def test_a_full_memory_ends_in_errors_and_disk_but_never_in_a_crash(kind: str, buffer_root: Path, spill: Path) -> None:
    command = mounted(buffer_root) if kind == "file system" else None
    budget = 16 << 20 if command is None else 1 << 30
    done = subprocess.run(
        [*(command or []), sys.executable, "-c", SCRIPT, str(buffer_root), str(spill), str(budget)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "survived\n", "")
