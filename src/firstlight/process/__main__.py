"""Where every child process begins: ``python -m firstlight.process NAME``, with its description on standard input."""

from __future__ import annotations

import sys

from firstlight.process._boot import main

if __name__ == "__main__":
    sys.exit(main())
