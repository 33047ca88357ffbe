"""The channels that a receiver publishes, known before any run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from firstlight.devices import AnyRegion, Collection, Grid, Rectangle
from firstlight.model import CameraInfo, ChannelKind, ChannelRole, ChannelSpec, TriggerPlan

START, STOP, STATUS = ":start", ":stop", ":status"


def channels(name: str, info: CameraInfo, plan: TriggerPlan | None = None) -> tuple[ChannelSpec, ...]:
    """The frames, and per frame when its exposure started and ended (s, monotonic) and whether it is good.

    :param name: of the camera, and of the channel of its frames.
    :param plan: adds what is known of the exposures of one run.
    """
    details: dict[str, object] = {"dead_time": info.dead_time, "pixel_size": list(info.pixel_size)}
    if plan is not None:
        details |= {"exposure": plan.exposure, "period": plan.period, "mode": plan.mode.value}
    return (
        ChannelSpec(name, info.dtype, info.shape, info.unit, name, ChannelKind.RING, ChannelRole.FRAME, details),
        ChannelSpec(name + START, "<f8", (), "s", name, role=ChannelRole.TIME),
        ChannelSpec(name + STOP, "<f8", (), "s", name, role=ChannelRole.TIME),
        ChannelSpec(name + STATUS, "|u1", (), "", name, role=ChannelRole.STATUS),
    )


def region_channels(frame: ChannelSpec, regions: Mapping[str, AnyRegion]) -> tuple[ChannelSpec, ...]:
    """What regions of a camera's frames publish: ``cam:spot_sum`` ..., ``cam:spot_horizontal``. A grid and a
    collection give an array of each.

    Sums of integers are 64-bit integers; a frame that is missing gives -1 or NaN.
    """
    integers = np.dtype(frame.dtype).kind in "iub" and np.dtype(frame.dtype) != np.uint64
    total = "<i8" if integers else "<f8"
    made = []
    for name, region in regions.items():

        def channel(
            part: str, dtype: str, shape: tuple[int, ...] = (), name: str = name, region: AnyRegion = region
        ) -> ChannelSpec:
            info = {"region": name, "part": part, "selection": region.selection}
            return ChannelSpec(
                f"{frame.name}:{name}_{part}", dtype, shape, frame.unit, frame.source or frame.name,
                role=ChannelRole.COUNTER, info=info,
            )  # fmt: skip

        shape = region.shape if isinstance(region, (Grid, Collection)) else ()
        made += [channel(part, total if part == "sum" else "<f8", shape) for part in region.statistics]
        if isinstance(region, Rectangle):
            sizes = {"horizontal": region.width, "vertical": region.height}
            made += [channel(part, total, (sizes[part],)) for part in region.profiles]
    return tuple(made)
