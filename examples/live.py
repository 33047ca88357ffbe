"""Read data from another process, while they are acquired.

One process measures, another one follows: an analysis, a display, a colleague. It needs no connection to the session,
only the name of a run; acquisition waits for no reader. Here this script starts both, so that one command shows it.
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import firstlight
from firstlight.data import runs
from firstlight.model import RunState

HERE = Path(__file__).parent


def measure() -> None:
    """What happens at the beamline: an ordinary session, which knows of no reader."""
    with firstlight.load(HERE / "beamline.yml") as beamline:
        beamline.newproposal("hc1234")
        beamline.newsample("tooth")
        beamline.newdataset("live")
        beamline.loopscan(100, 0.02, "diode", "cam", title="something to watch")


def newest() -> str:
    """The key of the run that is being acquired; ``firstlight buffer ls`` lists them, too."""
    while session.poll() is None:
        for entry in reversed(runs()):
            if entry.title == "something to watch" and entry.state <= RunState.RUNNING:
                return entry.key
        time.sleep(0.05)
    raise SystemExit("The session ended before it measured anything.")


if "measure" in sys.argv:
    measure()
    raise SystemExit

session = subprocess.Popen([sys.executable, __file__, "measure"])
with firstlight.open(newest()) as run:
    # Every point, in blocks as they come, until the channel ends: nothing is left out, however slow this is.
    total, count = 0.0, 0
    for block in run["diode"].follow():
        total, count = total + float(np.asarray(block.values).sum()), count + len(block)
        print(f"points {block.first} to {block.first + len(block) - 1}, mean so far {total / count:.0f} counts")
    # The same calls read what is there, live or in a file for years.
    print("middle of the last frame:", run["cam"][-1][48, 64], "of", len(run["cam"]), "frames")
    run.wait(RunState.CLOSED, timeout=60)
    print("saved as", run.path)
raise SystemExit(session.wait())
