"""A first scan: open a beamline, say where data go, ask what a scan would take, run it, and read it again.

Run it with ``python first_scan.py``; everything is simulated, and saved into the folder ``data`` beside it.
"""

from pathlib import Path

import firstlight

HERE = Path(__file__).parent

with firstlight.load(HERE / "beamline.yml") as beamline:
    # A proposal, a sample, a dataset: they decide the folder, as everywhere at the ESRF.
    beamline.newproposal("hc1234")
    beamline.newsample("tooth")
    beamline.newdataset("first")

    # Every command can say what it would take, and whether it may run; nothing moves.
    print(beamline.ascan.estimate("sx", -2, 2, 40, 0.01, "diode", "ring"))

    # 40 intervals are 41 points. It returns once everything is in its file.
    run = beamline.ascan("sx", -2, 2, 40, 0.01, "diode", "ring")
    print(f"{run.title}: {len(run['diode'])} points, the highest at sx = {run.peak('diode'):.3f} {beamline.sx.unit}")

    # Numbers may have a unit; a scan without names measures the active group, here i0, i1 and the ring.
    beamline.move(sx="120 um")
    print(beamline.ct(0.1)["i0"][0], beamline.ct(0.1)["i0"].unit)

# Later, in another program, without the beamline: the last run of that dataset. It reads like arrays.
with firstlight.open("hc1234/tooth/first", root=HERE / "data") as run:
    for name, channel in run.items():
        print(f"{name:12} {channel.dtype} {channel.shape} {channel.unit}")
    print("mean of the first ten points:", run["diode"][:10].mean())
