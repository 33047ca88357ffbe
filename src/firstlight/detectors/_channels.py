"""The channels that every receiver publishes, known before any run."""

from __future__ import annotations

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
