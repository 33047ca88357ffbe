"""XANES: scan the energy across an absorption edge, with steps that are fine where it matters, and find the edge.

The energy is a calculated axis: behind it the monochromator turns, and the gap of the undulator follows.
"""

from pathlib import Path

import numpy as np

import firstlight
from firstlight.data import export

HERE = Path(__file__).parent
EDGE = 8.979  # keV, of copper

with firstlight.load(HERE / "beamline.yml") as beamline:
    beamline.newproposal("hc1234")
    beamline.newsample("copper")
    beamline.newdataset("xanes")

    # Coarse before the edge, 0.5 eV across it, coarser again behind: any list of positions can be scanned.
    energies = np.concatenate(
        [np.arange(-0.060, -0.012, 0.006), np.arange(-0.012, 0.020, 0.0005), np.arange(0.020, 0.100, 0.004)]
    )
    # Naming the calculated counter measures what it needs, too: i0 and i1 are in the file.
    run = beamline.lookupscan([("energy", (EDGE + energies).tolist())], 0.02, "absorbance")

    energy, mu = run["energy"][:], run["absorbance"][:]
    before, behind = mu[energy < EDGE - 0.02].mean(), mu[energy > EDGE + 0.05].mean()
    slope = np.gradient(mu, energy)
    found = energy[slope.argmax()]
    print(f"edge at {1e3 * found:.1f} eV, jump {behind - before:.2f}, bragg went to {beamline.bragg.position:.3f} deg")

    # Text for other programs; NeXus is what was saved anyway.
    done = export("csv", run, HERE / "xanes.csv", overwrite=True)
    print(f"{done.points} points in {done.path.name}")
