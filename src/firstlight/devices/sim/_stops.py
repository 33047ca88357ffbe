"""Stopping simulated devices from outside of their session, as the guard does when that died.

The moment of the order is written to the device's guard log in the devices run; whoever reads the device from the
buffer sees it stop there.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from firstlight.devices.sim._published import MOST_GUARDS, guard_channel
from firstlight.model import Conflict

if TYPE_CHECKING:
    from firstlight.buffer import LogWriter, RunMember


class Stop:
    """An order to one device, called by keyword with the arguments of its ``OutOfBand``.

    A log has one writer, so each guard has its own, which should exist before it is needed: call :meth:`prepare` with
    the same arguments while all is well. An order that was not prepared tries to make the log when it is given, and
    fails if the dead session's run has been ended by then.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._members: dict[tuple[str, str], RunMember] = {}
        self._logs: dict[tuple[str, str, str], LogWriter] = {}

    def __call__(self, *, buffer: str, run: str, device: str) -> None:
        """Order the device to stop now.

        :param buffer: root of the buffer.
        :param run: key of the devices run.
        """
        self._log(buffer, run, device).append_one(time.monotonic())

    def prepare(self, *, buffer: str, run: str, device: str) -> None:
        """Make the log of this process's orders to the device; idempotent.

        :raises Conflict: when the run has ended.
        """
        self._log(buffer, run, device)

    def _log(self, buffer: str, run: str, device: str) -> LogWriter:
        with self._lock:
            log = self._logs.get((buffer, run, device))
            if log is None:
                member = self._members.get((buffer, run))
                if member is None:
                    from firstlight.buffer import Buffer

                    member = self._members[buffer, run] = Buffer(Path(buffer)).join(run)
                log = self._logs[buffer, run, device] = _new_log(member, device)
            return log


stop_axis = Stop()
"""A simulated axis decelerates and never moves again in that run."""

close_shutter = Stop()
"""A simulated shutter closes for good."""


def _new_log(member: RunMember, device: str) -> LogWriter:
    for number in range(1, MOST_GUARDS):
        try:
            return member.create_log(guard_channel(device, number), capacity=16)
        except Conflict:
            # The log of a guard that died and was started again cannot be written any more (or the run has ended).
            continue
    return member.create_log(guard_channel(device, MOST_GUARDS), capacity=16)
