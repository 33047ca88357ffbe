"""The run in which the devices of a session publish their states, for cameras in other processes and the guard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from firstlight.buffer import Buffer, RunMember
from firstlight.model import Clock, EndReason, RunEnd, RunInfo


@contextmanager
def devices_run(buffer: Buffer, session: str, clock: Clock) -> Iterator[RunMember]:
    """A run that lasts as long as the block."""
    info = RunInfo(
        name="devices", title=f"devices of session {session}", start_epoch=clock.epoch(clock.now()),
        clock=clock.name, clock_offset=clock.epoch(0.0), session=session,
    )  # fmt: skip
    run = buffer.create_run(info)
    try:
        run.prepared()
        run.running()
        yield run
        run.stop(RunEnd(reason=EndReason.SUCCESS, epoch=clock.epoch(clock.now())))
    finally:
        run.close()
