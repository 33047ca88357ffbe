"""Align a sample: scan across it, go to the middle of what is seen there, and check that it got better.

This is the loop that people type all day. In the shell it is ``dscan sx -2 2 40 0.01 diode`` and ``goto_cen``.
"""

from pathlib import Path

import firstlight
from firstlight.data import NoPeak

with firstlight.load(Path(__file__).parent / "beamline.yml") as beamline:
    beamline.newproposal("hc1234")
    beamline.newsample("tooth")
    beamline.newdataset("alignment")

    before = beamline.ct(0.1, "diode")["diode"][0]
    # Wide first, then fine. A dscan is relative to where the axis is, and returns there.
    for width, intervals in ((2.0, 40), (0.8, 40)):
        run = beamline.dscan("sx", -width, width, intervals, 0.01, "diode")
        try:
            middle = run.cen("diode")
        except NoPeak as error:
            # Nothing but noise was seen: better to stay than to go to a random place.
            raise SystemExit(f"There is no peak within {width} mm: {error}") from error
        print(f"centre {middle:+.3f} mm, width {run.fwhm('diode'):.3f} mm, centre of mass {run.com('diode'):+.3f} mm")
        # A motion passes the same gate as one that is typed: limits, interlocks, who uses the axis.
        beamline.move(sx=middle)

    after = beamline.ct(0.1, "diode")["diode"][0]
    print(f"{before:.0f} counts before, {after:.0f} after, at sx = {beamline.sx.position:.3f} mm")
    # Call this place zero from now on; the limits stay where they are, at the motor.
    beamline.sx.set_position(0.0)
    print(f"now sx = {beamline.sx.position:.3f} mm, limits {beamline.sx.limits}")
