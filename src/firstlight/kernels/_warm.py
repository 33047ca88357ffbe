"""Compile ahead of the first experiment."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from firstlight.kernels._correct import attenuation, reduce_stack
from firstlight.kernels._gridrec import Gridrec
from firstlight.kernels._region import region_profile, region_statistics, regions_statistics


def warm_up(progress: Callable[[str, int, int], None] | None = None) -> None:
    """Compile every kernel for the types that detectors give, and keep the machine code on disk.

    The first time this takes some seconds; later calls, in any process, only load what is there.

    :param progress: called with what comes next, how many steps are done, and how many there are.
    """
    angles = np.arange(8) * 22.5

    def corrected(dtype: str) -> None:
        frames = np.full((8, 2, 16), 50, dtype)
        flat = reduce_stack(frames[:3] * 2).frame
        attenuation(frames, np.zeros((2, 16)), flat, workers=1)

    def counted(dtype: str) -> None:
        frame = np.ones((4, 4), dtype)
        frame.flags.writeable = False
        spans = np.array([[0, 0, 2]])
        region_statistics(frame, spans)
        region_profile(frame, spans, horizontal=True)
        regions_statistics(frame, spans, np.array([1]))

    def reconstructed(axes: float | tuple[float, float]) -> None:
        Gridrec(angles, 16, 7.5, workers=1)(np.zeros((8, 16), np.float32), axes=axes)

    steps: list[tuple[str, Callable[[], None]]] = [
        *((f"flat field of {name}", partial(corrected, name)) for name in ("uint16", "float32", "uint8", "uint32")),
        *((f"regions of {name}", partial(counted, name)) for name in ("uint16", "float32", "uint8", "uint32")),
        ("slices", partial(reconstructed, 7.5)),
        ("tilted axes", partial(reconstructed, (7.0, 7.5))),
    ]
    for done, (name, step) in enumerate(steps):
        if progress is not None:
            progress(name, done, len(steps))
        step()
    if progress is not None:
        progress("compiled", len(steps), len(steps))
