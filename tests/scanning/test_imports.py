from __future__ import annotations

import subprocess
import sys


def test_scanning_starts_without_what_is_slow_to_import() -> None:
    code = (
        "import sys, firstlight.scanning;"
        "print(sorted({'scanspec', 'pint', 'scipy', 'numba', 'h5py'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
