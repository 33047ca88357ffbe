"""What the room costs before it works."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_room_imports_nothing_slow() -> None:
    slow = {"numba", "scipy", "finufft", "h5py", "algotom", "PIL", "pint"}
    code = f"import sys, firstlight.tasks.tomography; print(*({slow!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert found == []
