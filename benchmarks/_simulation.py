"""How long a simulated sample takes to be seen: one frame, one spectrum, after what is computed once."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count

import numpy as np

from benchmarks._harness import PAIRS, Row, alternate, row
from firstlight.simulation import (
    AreaImager,
    DarkField,
    Detector,
    FluorescentPlate,
    Geometry,
    Part,
    Powder,
    PulseDetector,
    Scene,
    SingleCrystal,
    crystal_structure,
    poissons,
    standard_structure,
)

SHAPE = (1024, 1024)
_QUIET = {
    "offset": 0.0, "offset_spread": 0.0, "dark_current": 0.0, "read_noise": 0.0, "point_spread": 0.0,
    "nonuniformity": 0.0, "scratches": 0,
}  # fmt: skip


def _frames(scene: Scene, part: Callable[[int], Part]) -> list[float]:
    imager = AreaImager(scene, Detector(SHAPE, "<u4", **_QUIET))  # type: ignore[arg-type]
    frame = np.empty(SHAPE, "<u4")
    numbers = count()

    def once() -> float:
        index = next(numbers)
        start = time.perf_counter()
        imager.render([part(index)], 0.1, 1, index, frame)
        return time.perf_counter() - start

    return alternate(once, pairs=3 * PAIRS)[0]


def frames() -> list[Row]:
    """A megapixel of each technique."""
    geometry = Geometry(SHAPE, (0.075, 0.075), 150.0, (500.0, 510.0), (3.0, -2.0, 0.0))
    powder = _frames(Powder(standard_structure("CeO2"), geometry), lambda _: Part(1e8, 30.0))
    crystal = _frames(
        SingleCrystal(crystal_structure("lysozyme"), geometry),
        lambda k: Part(1e9, 12.4, {"omega": 0.1 * k}, {"omega": 0.1 * (k + 1)}),
    )
    field = _frames(DarkField(SHAPE), lambda k: Part(1e10, 17.0, {"phi": 0.02 * k - 0.2}))
    return [
        row("simulation.powder", "s", powder),
        row("simulation.crystal", "s", crystal),
        row("simulation.darkfield", "s", field),
    ]


def spectrum() -> list[Row]:
    """A spectrum of 2048 bins of a plate with ten elements, with pile-up and counting noise."""
    masses = dict.fromkeys(("Si", "O", "K", "Ca", "Ti", "Fe", "Cu", "Zn", "As", "Pb"), 20.0)
    plate, detector = FluorescentPlate(masses), PulseDetector()
    response = detector.response(plate.lines(17.0)[1])
    numbers = count()

    def once() -> float:
        number = next(numbers)
        start = time.perf_counter()
        poissons(detector.record(1e9 * plate.emission(17.0, 1e-3 * number) @ response).counts, number)
        return time.perf_counter() - start

    return [row("simulation.spectrum", "s", alternate(once, pairs=10 * PAIRS)[0])]
