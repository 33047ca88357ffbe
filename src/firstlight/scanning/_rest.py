"""A safe point of a scan: here it ends, or rests until nobody wants it to wait any more."""

from __future__ import annotations

from firstlight.model import Clock, Shutter
from firstlight.scanning._acquisition import Acquisition
from firstlight.scanning._progress import Reporter
from firstlight.scanning._steering import Steering


async def safe_point(a: Acquisition, point: int) -> None:
    """Between two points, when something is asked of the scan.

    While it rests, what was acquired is acknowledged, and a fast shutter that the scan opened is closed: no sample is
    exposed for nothing.

    :param point: index of the next point.
    :raises EndScan: when the scan is to end here.
    """
    steering = a.steering
    steering.check()
    if not steering.holds:
        return
    a.recorder.flush()
    closed = await _shut(a)
    await a.hook("scan_pause", steering.why)
    await rest(steering, a.reporter, a.clock, point)
    await a.hook("scan_resume")
    for shutter in closed:
        await a.waits.answer(shutter.name, "to open", shutter.open)


async def rest(steering: Steering, reporter: Reporter, clock: Clock, point: int, *, part: bool = True) -> None:
    """Wait as long as anybody wants that, tell it, and keep the record of it.

    :param part: of a scan; False between the parts of a sequence.
    :raises EndScan: when the scan is to end here.
    """
    steering.check(part=part)
    if not steering.holds:
        return
    began, why = clock.now(), steering.why
    reporter.rest(why)
    try:
        while steering.holds:
            if steering.why != why:
                why = steering.why
                reporter.rest(why)
            await steering.change()
            steering.check(part=part)
    finally:
        steering.took(clock, began, point, why)
    reporter.awake(clock.now() - began)


async def _shut(a: Acquisition) -> list[Shutter]:
    if a.plan.scan.shutter != "open":
        return []
    opened = [shutter for shutter in a.devices.shutters.values() if shutter.is_open]
    for shutter in opened:
        await a.waits.answer(shutter.name, "to close", shutter.close)
    return opened
