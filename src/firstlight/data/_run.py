"""One execution of a scan, live or in a file, behind one face."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from firstlight.data import _align
from firstlight.data._channel import Channel
from firstlight.data._file import StoredRun
from firstlight.data._resolver import Resolver
from firstlight.model import ChannelSpec, Pause, RunEnd, RunInfo, RunState

if TYPE_CHECKING:
    import xarray

    from firstlight.data._open import Origin
    from firstlight.data._tree import Blueprint, Group


class Run(Mapping[str, Channel]):
    """A run: its description, and its channels by name.

    ``run["diode"][10:20]`` reads, ``for block in run["diode"].follow()`` follows, ``run.cen("diode")`` finds a centre.
    The same calls serve a run that is being acquired, one that is being saved and one that was saved years ago.

    Runs are made by :func:`firstlight.data.open`.
    """

    def __init__(self, resolver: Resolver, origin: Origin | None = None) -> None:
        self._resolver = resolver
        self._origin = origin
        self._blueprint: Blueprint | None = None

    # -- description

    @property
    def info(self) -> RunInfo:
        """The description written when the run was created."""
        return self._resolver.info

    @property
    def state(self) -> RunState:
        """How far the run is."""
        return self._resolver.state

    @property
    def end(self) -> RunEnd | None:
        """How and when it ended; None while it goes on."""
        return self._resolver.end

    @property
    def title(self) -> str:
        """The command as it was typed."""
        return self.info.title

    @property
    def name(self) -> str:
        """Name of the command."""
        return self.info.name

    @property
    def number(self) -> int | None:
        """Number of the run in its dataset; None when it is not saved."""
        saving = self.info.saving
        if saving is not None:
            return saving.number
        file = self._resolver.file_source
        number = file.entry.partition(".")[0] if isinstance(file, StoredRun) else ""
        return int(number) if number.isdigit() else None

    @property
    def live(self) -> bool:
        """Whether the run is (still) in the buffer."""
        return self._resolver.live

    @property
    def where(self) -> str:
        """Where it is read from, for messages."""
        return self._resolver.where

    @property
    def key(self) -> str:
        """Key of the run in the buffer, now or then; empty for a file of another program."""
        return self._resolver.key

    @property
    def path(self) -> Path | None:
        """The file that holds the run, or where it will be saved; None when it is not saved."""
        file = self._resolver.file_source
        if isinstance(file, StoredRun):
            return file.path
        saving = self.info.saving
        return Path(saving.file) if saving is not None else None

    @property
    def npoints(self) -> int:
        """Points acquired so far: items that every acquired channel has."""
        counts = [len(c) for c in self.values() if c.name not in self.info.online]
        return min(counts, default=0)

    # -- channels

    def __getitem__(self, name: str) -> Channel:
        return self.channel(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._resolver.names())

    def __len__(self) -> int:
        return len(self._resolver.names())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._resolver.has(name)

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def channel(self, name: str, *, timeout: float = 0.0) -> Channel:
        """The channel of that name.

        :param timeout: seconds to wait for it to appear.
        :raises NotFound: when it does not exist; the hint names the closest ones.
        """
        resolver = self._resolver
        if not resolver.has(name):
            if timeout > 0:
                self.wait_for(lambda: resolver.has(name) or resolver.state >= RunState.CLOSED, timeout)
            if not resolver.has(name):
                raise resolver.missing(name)
        return Channel(self, name, resolver)

    def specs(self) -> dict[str, ChannelSpec]:
        """Descriptions of all channels that exist now."""
        return {name: self._resolver.spec(name) for name in self}

    # -- waiting

    def wait(self, state: RunState = RunState.STOPPED, timeout: float | None = None) -> bool:
        """Block until the run has reached a state.

        :param state: by default STOPPED: everything is acquired; CLOSED: it is also in its file.
        :param timeout: seconds; None waits for ever.
        :return: whether it has; false when the time is over.
        """
        return self._resolver.wait(lambda: self._resolver.state >= state, timeout)

    async def wait_async(self, state: RunState = RunState.STOPPED, timeout: float | None = None) -> bool:
        """:meth:`wait` for coroutines."""
        return await self._resolver.wait_async(lambda: self._resolver.state >= state, timeout)

    def wait_for(self, condition: Callable[[], bool], timeout: float | None = None) -> bool:
        """Block until a condition about this run holds; it is asked whenever the run has changed."""
        return self._resolver.wait(condition, timeout)

    async def wait_for_async(self, condition: Callable[[], bool], timeout: float | None = None) -> bool:
        """:meth:`wait_for` for coroutines."""
        return await self._resolver.wait_async(condition, timeout)

    def reload(self) -> Self:
        """Look again at a file that may have grown; live runs do so by themselves."""
        self._resolver.refresh()
        return self

    def close(self) -> None:
        """Release files and mappings."""
        self._resolver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- views

    @property
    def tree(self) -> Group:
        """The run as the tree of its file, with the interface of h5py: ``run.tree["measurement/diode"][3:5]``; also
        while there is no file."""
        from firstlight.data._tree import Blueprint, Group

        file = None if self._resolver.live else self._resolver.file_source
        if isinstance(file, StoredRun):
            return Group(self, file, "")
        self._blueprint = self._blueprint or Blueprint(self)
        return Group(self, self._blueprint, "")

    def parts(self) -> list[Run]:
        """The runs of a sequence, in the order in which they were made; empty for a run that is no sequence."""
        return self._origin.parts(self) if self._origin is not None else []

    def sequence(self) -> Run | None:
        """The run of the sequence that this one is part of; None when it is part of none, or that is not there."""
        return self._origin.sequence(self) if self._origin is not None else None

    def to_xarray(self) -> xarray.Dataset:
        """The run as an :class:`xarray.Dataset`: one variable a channel, with dimensions from the axes; frames are
        dask arrays that read when they are computed.

        :raises MissingExtra: when xarray or dask is not installed.
        """
        from firstlight.data._xarray import to_xarray

        return to_xarray(self)

    # -- alignment

    def cen(self, counter: str | None = None, axis: str | None = None) -> _align.Position:
        """Centre of the width at half height of a peak or dip, or the half-height point of an edge.

        :param counter: channel with the heights; by default the one that the run was made for.
        :param axis: channel with the positions; by default the axis that moves.
        :raises NoPeak: when the curve is flat, only noise, or cut by an end of the scan.
        """
        return _align.cen(self, counter, axis)

    def com(self, counter: str | None = None, axis: str | None = None) -> _align.Position:
        """Centre of mass above the base line."""
        return _align.com(self, counter, axis)

    def peak(self, counter: str | None = None, axis: str | None = None) -> _align.Position:
        """Position of the highest point."""
        return _align.peak(self, counter, axis)

    def trough(self, counter: str | None = None, axis: str | None = None) -> _align.Position:
        """Position of the lowest point."""
        return _align.trough(self, counter, axis)

    def fwhm(self, counter: str | None = None, axis: str | None = None) -> _align.Position:
        """Full width at half height of a peak or dip."""
        return _align.fwhm(self, counter, axis)

    # -- for people

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens it anew."""
        from firstlight.data._open import reopen

        file = self._resolver.file_source
        stored = (str(file.path), file.entry) if isinstance(file, StoredRun) else None
        return reopen, (self.key, self._origin.root if self._origin is not None else None, stored)

    def __repr__(self) -> str:
        end = self.end
        status = end.reason.value if end is not None else self.state.name
        number = f" {self.number}.1" if self.number is not None else ""
        return f"<Run{number} {self.title!r}: {len(self)} channels, {status}>"

    def __info__(self) -> str:
        """A summary for people."""
        info, end = self.info, self.end
        started = datetime.fromtimestamp(info.start_epoch).astimezone().isoformat(sep=" ", timespec="seconds")
        lines = [info.title, f"  started {started}"]
        if end is not None:
            ended = f"  {end.reason.value} after {end.epoch - info.start_epoch:.1f} s"
            lines.append(ended + (f": {end.message}" if end.message else ""))
        else:
            lines.append(f"  {self.state.name}")
        lines.append(f"  {self.where}")
        lines += [_told(pause) for pause in (end.pauses if end is not None else ())]
        asked = "" if info.npoints is None else f" of {info.npoints}"
        lines.append(f"  {self.npoints}{asked} points")
        width = max((len(name) for name in self), default=0)
        for name, spec in self.specs().items():
            shape = "×".join(str(n) for n in spec.shape)
            what = " ".join(part for part in (shape, spec.dtype, spec.unit) if part)
            lines.append(f"    {name:<{width}}  {len(self[name]):>8}  {what}")
        return "\n".join(lines)


def _told(pause: Pause) -> str:
    """A pause in words, for a summary."""
    waited = "waited" if pause.waited else "should have waited"
    return f"  {waited} {pause.stop - pause.start:.1f} s before point {pause.point}: {pause.reason}"
