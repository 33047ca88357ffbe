"""What simulated devices publish of themselves, so that simulated detectors can see them, in any process.

A *board* holds the history of every axis (rows of ``model.motion``, dial) and shutter (rows of moment and 1 open or
0 closed). Rows are published before the moment from which they hold; a later row that begins earlier replaces what
was known in advance. In the buffer each history is a log of the run named ``devices``: ``<axis>.motion`` and
``<shutter>.state``; the moments at which the guard ordered a stop are logs of their own, ``<name>.guard``, because
every channel has one writer (``<name>.guard2`` and so on when the guard was started again). After a guard's stop
the device does not move any more in that run.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from firstlight.devices._track import Rows, Track, cut, halted
from firstlight.devices.sim._faults import Active, Fault, from_row
from firstlight.model import ChannelRole, ChannelSpec, NotFound
from firstlight.model.motion import START, Segments

if TYPE_CHECKING:
    from firstlight.buffer import Buffer, ChannelReader, LogWriter, RunMember, RunReader

DEVICES_RUN = "devices"
"""Name of the run that holds the states of simulated devices."""

FAULTS = "faults"
"""Part of a device that is published: rows of what is set to go wrong with it."""

LOOK = 0.02
"""Seconds between looks at the faults of a device in another process."""

MOST_GUARDS = 8
"""Guards that one session can wear out."""


_END = b"\0"
"""After each description."""

_NO_FAULTS: Mapping[Fault, Active] = {}


class Board(Protocol):
    """The history of axes and shutters as detectors read it."""

    def motion(self, axis: str, since: float) -> Segments:
        """Motion of an axis from ``since`` on, dial units.

        :raises NotFound: when no such axis publishes.
        """

    def shutter(self, name: str, since: float) -> Rows:
        """Rows (moment, 1 open or 0 closed) from ``since`` on; the first one holds at ``since``.

        :raises NotFound: when no such shutter publishes.
        """

    def unit(self, axis: str) -> str:
        """Unit of an axis.

        :raises NotFound: when no such axis publishes.
        """

    def values(self, device: str, part: str, since: float) -> Rows:
        """Rows (moment, values...) of a device's part from ``since`` on; the first one holds at ``since``.

        :raises NotFound: when nothing of that name is published.
        """

    def text(self, device: str, part: str) -> str:
        """The description of itself that a device published last.

        :raises NotFound: when nothing of that name is published.
        """

    def version(self, device: str, part: str) -> int:
        """A number that grows when a device publishes another description; 0 before the first."""

    def faults(self, device: str) -> Mapping[Fault, Active]:
        """What is set to go wrong with a device; the values keep count of what happened in this process."""


class MemoryBoard:
    """A board within one process, where its devices publish."""

    def __init__(self) -> None:
        self._axes: dict[str, Track] = {}
        self._units: dict[str, str] = {}
        self._shutters: dict[str, Track] = {}
        self._values: dict[str, Track] = {}
        self._texts: dict[str, list[str]] = {}
        self._faults: dict[str, dict[Fault, Active]] = {}
        self._listeners: dict[str, Callable[[], None]] = {}

    def post_motion(self, axis: str, rows: Segments, unit: str = "") -> None:
        """Add motion of an axis; the first call introduces it."""
        track = self._axes.get(axis)
        if track is None:
            track = self._axes[axis] = Track(5)
            self._units[axis] = unit
        track.append(rows)

    def post_shutter(self, name: str, moment: float, is_open: bool) -> None:
        """A shutter is in this state from ``moment`` on; the first call introduces it."""
        self._shutters.setdefault(name, Track(2)).append(np.array([[moment, float(is_open)]]))

    def post_values(self, device: str, part: str, rows: Rows) -> None:
        """Add rows (moment, values...) of a device's part; the first call introduces it."""
        self._values.setdefault(f"{device}.{part}", Track(rows.shape[1])).append(rows)

    def post_text(self, device: str, part: str, text: str) -> None:
        """Publish a description of a device, in place of an earlier one."""
        self._texts.setdefault(f"{device}.{part}", []).append(text)

    def post_fault(self, device: str, what: Fault, fault: Active | None) -> None:
        """Set a fault of a device, or end it."""
        there = dict(self._faults.get(device, {}))
        there.pop(what, None)
        if fault is not None:
            there[what] = fault
        self._faults[device] = there
        listener = self._listeners.get(device)
        if listener is not None:
            listener()

    def on_fault(self, device: str, listener: Callable[[], None]) -> None:
        """Have a function called, in any thread, when a fault of a device is set or ended."""
        self._listeners[device] = listener

    def faults(self, device: str) -> Mapping[Fault, Active]:
        """What is set to go wrong with a device."""
        return self._faults.get(device, _NO_FAULTS)

    def unit(self, axis: str) -> str:
        """Unit of an axis."""
        _find(self._axes, axis, "axis")
        return self._units[axis]

    def values(self, device: str, part: str, since: float) -> Rows:
        """Rows of a device's part from ``since`` on."""
        return _find(self._values, f"{device}.{part}", "state").since(since)

    def text(self, device: str, part: str) -> str:
        """The description that a device published last."""
        texts = self._texts.get(f"{device}.{part}")
        if texts is None:
            raise _unknown(f"{device}.{part}", "description", self._texts)
        return texts[-1]

    def version(self, device: str, part: str) -> int:
        """A number that grows with each description."""
        return len(self._texts.get(f"{device}.{part}", ()))

    def motion(self, axis: str, since: float) -> Segments:
        """Motion of an axis from ``since`` on."""
        return _find(self._axes, axis, "axis").motion(since)

    def shutter(self, name: str, since: float) -> Rows:
        """States of a shutter from ``since`` on."""
        return _find(self._shutters, name, "shutter").since(since)


class SharedBoard(MemoryBoard):
    """A board that also publishes into a run of the buffer, for the other processes.

    :param member: the run named ``devices``, or this process's part of it.
    :param root: of the buffer, for processes that have to find it.
    """

    def __init__(self, member: RunMember, root: Path) -> None:
        super().__init__()
        self.member = member
        self.root = root
        self._logs: dict[str, LogWriter] = {}

    def post_motion(self, axis: str, rows: Segments, unit: str = "") -> None:
        """Add motion of an axis, for others first."""
        self._log(axis, "motion", (5,), unit).append(rows)
        super().post_motion(axis, rows, unit)

    def post_shutter(self, name: str, moment: float, is_open: bool) -> None:
        """Add a state of a shutter, for others first."""
        self._log(name, "state", (2,), "").append(np.array([[moment, float(is_open)]]))
        super().post_shutter(name, moment, is_open)

    def post_values(self, device: str, part: str, rows: Rows) -> None:
        """Add rows of a device's part, for others first."""
        self._log(device, part, (rows.shape[1],), "").append(rows)
        super().post_values(device, part, rows)

    def post_text(self, device: str, part: str, text: str) -> None:
        """Publish a description of a device, for others first."""
        name = f"{device}.{part}"
        log = self._logs.get(name)
        if log is None:
            spec = ChannelSpec(name, "|u1", source=device, role=ChannelRole.STATUS)
            log = self._logs[name] = self.member.create_log(spec)
        log.append(np.frombuffer(text.encode() + _END, dtype=np.uint8))
        super().post_text(device, part, text)

    def post_fault(self, device: str, what: Fault, fault: Active | None) -> None:
        """Set a fault of a device, or end it, for others first."""
        row = (fault if fault is not None else Active(0.0, 0.0, 0.0)).row(what)
        self._log(device, FAULTS, (len(row),), "").append(np.array([row]))
        super().post_fault(device, what, fault)

    def _log(self, device: str, part: str, shape: tuple[int, ...], unit: str) -> LogWriter:
        log = self._logs.get(f"{device}.{part}")
        if log is None:
            spec = state_channel(device, part, shape, unit)
            log = self._logs[spec.name] = self.member.create_log(spec)
        return log


class BufferBoard:
    """The board of another process, read from the buffer.

    :param buffer: the buffer, or its root.
    :param run: key of the run that the devices publish in; None for the newest one named ``devices``.
    """

    def __init__(self, buffer: Buffer | Path | str, run: str | None = None) -> None:
        from firstlight.buffer import Buffer

        found = buffer if isinstance(buffer, Buffer) else Buffer(Path(buffer))
        self._run: RunReader = found.run(run if run is not None else newest_devices_run(found))
        self._followers: dict[str, _Follower] = {}
        self._faults: dict[str, _FaultLog] = {}
        self._texts: dict[str, ChannelReader] = {}
        self._lock = threading.Lock()

    @property
    def run(self) -> str:
        """Key of the run."""
        return str(self._run.key)

    def motion(self, axis: str, since: float) -> Segments:
        """Motion of an axis from ``since`` on, as the guard's stops leave it."""
        with self._lock:
            track, stop = self._follower(axis, "motion").refresh()
        rows = track.since(min(since, stop))
        if stop < np.inf:
            rows = halted(rows, stop)
            rows = rows[max(0, int(np.searchsorted(rows[:, START], since, side="right")) - 1) :]
        return cut(rows, since)

    def shutter(self, name: str, since: float) -> Rows:
        """States of a shutter from ``since`` on, as the guard's stops leave it."""
        with self._lock:
            track, stop = self._follower(name, "state").refresh()
        if since >= stop:
            return np.array([[stop, 0.0]])
        rows = track.since(since)
        if stop < np.inf:
            rows = np.concatenate([rows[rows[:, START] < stop], [[stop, 0.0]]])
        return rows

    def unit(self, axis: str) -> str:
        """Unit of an axis."""
        with self._lock:
            return self._follower(axis, "motion").unit

    def values(self, device: str, part: str, since: float) -> Rows:
        """Rows of a device's part from ``since`` on."""
        with self._lock:
            track, _ = self._follower(device, part).refresh()
        return track.since(since)

    def text(self, device: str, part: str) -> str:
        """The description that a device published last."""
        channel = self._text_channel(device, part)
        # Each was appended at once.
        texts = np.asarray(channel.read(0, channel.count)).tobytes()
        return texts.removesuffix(_END).rpartition(_END)[2].decode()

    def version(self, device: str, part: str) -> int:
        """A number that grows with each description."""
        return int(self._text_channel(device, part).count)

    def _text_channel(self, device: str, part: str) -> ChannelReader:
        name = f"{device}.{part}"
        channel = self._texts.get(name)
        if channel is None:
            try:
                channel = self._texts[name] = self._run.channel(name)
            except NotFound as error:
                known = [n for n in self._run.channels if n.endswith(f".{part}")]
                raise _unknown(name, "description", known) from error
        return channel

    def faults(self, device: str) -> Mapping[Fault, Active]:
        """What is set to go wrong with a device, as it was at most :data:`LOOK` seconds ago."""
        with self._lock:
            log = self._faults.setdefault(device, _FaultLog(self._run, f"{device}.{FAULTS}"))
            return log.refresh()

    def _follower(self, device: str, part: str) -> _Follower:
        follower = self._followers.get(f"{device}.{part}")
        if follower is None:
            try:
                follower = self._followers[f"{device}.{part}"] = _Follower(self._run, device, part)
            except NotFound as error:
                known = [n.removesuffix(f".{part}") for n in self._run.channels if n.endswith(f".{part}")]
                raise _unknown(device, {"motion": "axis", "state": "shutter"}.get(part, part), known) from error
        return follower


class _Follower:
    """One device's logs, read from where the last call ended."""

    def __init__(self, run: RunReader, device: str, part: str) -> None:
        self._channel = run.channel(f"{device}.{part}")
        self.unit = self._channel.spec.unit
        self._run = run
        self._device = device
        self._guards: list[ChannelReader] = []
        self._track = Track(self._channel.spec.shape[0])
        self._taken = 0
        self._stop = np.inf

    def refresh(self) -> tuple[Track, float]:
        """The history up to now, and the moment of the guard's stop (infinite when there is none)."""
        count = self._channel.count
        if count > self._taken:
            # A row may replace those before it, so each part that is sorted is added by itself.
            for rows in _sorted_parts(np.asarray(self._channel.read(self._taken, count))):
                self._track.append(rows)
            self._taken = count
        if not len(self._track):
            raise NotFound(f"{self._channel.spec.name} holds no state yet.")
        if self._stop == np.inf:
            self._stop = min(
                (float(np.asarray(g.read(0, 1))[0]) for g in self._all_guards() if g.count), default=np.inf
            )
        return self._track, self._stop

    def _all_guards(self) -> list[ChannelReader]:
        while len(self._guards) < MOST_GUARDS:
            try:
                guard = self._run.channel(guard_channel(self._device, len(self._guards) + 1).name)
            except NotFound:
                break
            self._guards.append(guard)
        return self._guards


class _FaultLog:
    """The faults of one device, read from where the last call ended."""

    def __init__(self, run: RunReader, name: str) -> None:
        self._run = run
        self._name = name
        self._channel: ChannelReader | None = None
        self._taken = 0
        self._next_look = -math.inf
        self._active: dict[Fault, Active] = {}

    def refresh(self) -> Mapping[Fault, Active]:
        now = time.monotonic()
        if now < self._next_look:
            return self._active
        self._next_look = now + LOOK
        if self._channel is None:
            try:
                self._channel = self._run.channel(self._name)
            except NotFound:
                return self._active
        count = self._channel.count
        for row in np.asarray(self._channel.read(self._taken, count)).tolist() if count > self._taken else ():
            what, fault = from_row(row)
            self._active = {known: value for known, value in self._active.items() if known != what}
            if fault.probability > 0.0:
                self._active[what] = fault
        self._taken = count
        return self._active


def _sorted_parts(rows: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    breaks = np.flatnonzero(np.diff(rows[:, START]) <= 0) + 1
    return np.split(rows, breaks)


def state_channel(device: str, part: str, shape: tuple[int, ...], unit: str = "") -> ChannelSpec:
    """Description of a state log in the devices run: ``<device>.<part>``."""
    return ChannelSpec(f"{device}.{part}", "<f8", shape, unit, device, role=ChannelRole.STATUS)


def guard_channel(device: str, number: int) -> ChannelSpec:
    """Description of the log of the moments at which guard ``number`` (1, 2, ...) ordered a device to stop."""
    return ChannelSpec(f"{device}.guard{number if number > 1 else ''}", unit="s", source=device, role=ChannelRole.TIME)


def newest_devices_run(buffer: Buffer) -> str:
    """Key of the newest run named ``devices``.

    :raises NotFound: when no session published any.
    """
    keys = [entry.key for entry in buffer.runs() if entry.name == DEVICES_RUN]
    if not keys:
        raise NotFound(
            f"No session publishes simulated devices in {buffer.root}.", hint="Start the session before its cameras."
        )
    return keys[-1]


def _find(tracks: Mapping[str, Track], name: str, what: str) -> Track:
    track = tracks.get(name)
    if track is None:
        raise _unknown(name, what, tracks)
    return track


def _unknown(name: str, what: str, known: Iterable[str]) -> NotFound:
    words = ", ".join(sorted(known)) or "none"
    return NotFound(f"No simulated {what} is named {name!r}.", hint=f"Known: {words}.")
