"""A counter of your own: a class that reads a number, used in scans like every other device.

Here the number is the pressure in a vessel that leaks; put a socket, a serial line or a library call in its place.
To have it in a configuration, for everybody and with settings, see "Add a kind of device" in the documentation.
"""

import math
import time
from pathlib import Path

import firstlight
from firstlight.devices import SamplingCounter, SoftCounter


class Gauge(SamplingCounter):
    """A pressure gauge. Modes (mean, statistics, all samples), retries and scans in time come with the base class."""

    def __init__(self, name: str, leak: float = 0.5) -> None:
        # For a read that blocks, say threaded=True; for one that waits, write "async def sample".
        super().__init__(name, unit="mbar", interval=0.002)
        self._leak = leak
        self._began = time.monotonic()

    def sample(self) -> float:
        """One reading; raise any error when it fails, it is tried again."""
        return 1013.0 * (1.0 - math.exp(-self._leak * (time.monotonic() - self._began)))


with firstlight.load(Path(__file__).parent / "beamline.yml") as beamline:
    beamline.newproposal("hc1234")
    beamline.newsample("vessel")
    beamline.newdataset("leak")

    # It is in the session until that ends: in scans, in groups, in the file, on the pages.
    gauge = beamline.add(Gauge("gauge"))
    gauge.mode = "stats"
    # A plain function is enough for what is read once a point.
    beamline.add(SoftCounter("elapsed", time.process_time, unit="s"))

    run = beamline.loopscan(10, 0.02, "gauge", "elapsed", "ring")
    for pressure, spread, samples in zip(run["gauge"][:], run["gauge:std"][:], run["gauge:n"][:], strict=True):
        print(f"{pressure:7.2f} ± {spread:.2f} {run['gauge'].unit} ({samples:.0f} samples)")

    # It also follows an axis: any scan takes it.
    run = beamline.ascan("sx", 0, 1, 5, 0.02, "gauge")
    print(run.title, "is saved as", run.path)
