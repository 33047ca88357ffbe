"""A map: a mesh over two axes, where regions of the camera's frames are counted at each point.

Of the frames only those numbers are stored: name ``cam`` as well to keep them.
"""

from pathlib import Path

import numpy as np

import firstlight

COLUMNS, ROWS = 8, 6

with firstlight.load(Path(__file__).parent / "beamline.yml") as beamline:
    beamline.newproposal("hc1234")
    beamline.newsample("tooth")
    beamline.newdataset("map")

    # x, y, width, height in pixels; they stay until they are taken out, also after a restart.
    beamline.cam.rois["middle"] = (60, 44, 8, 8)
    beamline.cam.rois["corner"] = {"x": 0, "y": 0, "width": 16, "height": 16, "statistics": ["mean"]}

    # The first axis is the fast one; back and forth saves the way home of every row.
    run = beamline.amesh(
        *("sx", -0.7, 0.7, COLUMNS), *("sz", -0.7, 0.7, ROWS), 0.01,
        "cam:middle_sum", "cam:corner_mean", backnforth=True,
    )  # fmt: skip

    # Points come in the order in which they were visited; positions say where each of them is.
    x, z, light = run["sx"][:], run["sz"][:], run["cam:middle_sum"][:] / run["cam:corner_mean"][:]
    picture = np.zeros((ROWS + 1, COLUMNS + 1))
    picture[np.rint((z + 0.7) / 1.4 * ROWS).astype(int), np.rint((x + 0.7) / 1.4 * COLUMNS).astype(int)] = light
    shades = " .:-=+*#%@"
    dark = (picture.max() - picture) / np.ptp(picture)
    for row in dark[::-1]:
        print("".join(shades[int(value * 9.99)] * 2 for value in row))
    darkest = int(light.argmin())
    print(f"The sample absorbs most at sx = {x[darkest]:.2f}, sz = {z[darkest]:.2f} mm.")
    beamline.cam.rois.clear()
