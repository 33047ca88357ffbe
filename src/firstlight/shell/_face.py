"""What the shell asks of a session and of its devices; a local session and a remote one offer the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from firstlight.data import Run
from firstlight.scanning import Progress


class AxisFace(Protocol):
    """An axis as the shell sees it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def unit(self) -> str:
        """Unit of its positions."""

    @property
    def position(self) -> float:
        """User position now."""

    @property
    def dial(self) -> float:
        """Dial position now."""

    @property
    def limits(self) -> tuple[float, float]:
        """(low, high) in user units."""

    @property
    def velocity(self) -> float:
        """unit/s."""

    @property
    def acceleration(self) -> float:
        """unit/s²."""

    @property
    def offset(self) -> float:
        """User position at dial zero."""

    @property
    def sign(self) -> int:
        """1 or -1."""

    @property
    def moving(self) -> bool:
        """Whether it moves now."""


class SessionFace(Protocol):
    """A session as the shell sees it."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def axes(self) -> Mapping[str, Any]:
        """Axes by name; the same for the others."""

    @property
    def counters(self) -> Mapping[str, Any]:
        """Counters by name."""

    @property
    def cameras(self) -> Mapping[str, Any]:
        """Cameras by name."""

    @property
    def shutters(self) -> Mapping[str, Any]:
        """Shutters by name."""

    @property
    def devices(self) -> Mapping[str, Any]:
        """All devices by name, those that failed too."""

    @property
    def groups(self) -> Any:
        """The measurement groups."""

    @property
    def commands(self) -> Mapping[str, Any]:
        """Scan commands by name."""

    @property
    def current(self) -> Any:
        """Proposal, sample and dataset."""

    @property
    def runs(self) -> Sequence[Run]:
        """The last runs, oldest first."""

    @property
    def last(self) -> Run | None:
        """The last run, however it ended."""

    def move(self, targets: Mapping[Any, float], /, *, relative: bool = False, wait: bool = True) -> Any:
        """Move axes to user positions, all at once."""

    def stop(self, *axes: Any) -> Any:
        """Stop axes; all when none is named."""

    def pause(self, why: str = "") -> None:
        """Let the scan that runs wait; the same for the others."""

    def resume(self, *, anyway: bool = False) -> None:
        """Let it go on."""

    def stop_scan(self, why: str = "") -> None:
        """End it, as if it were complete."""

    def skip(self, why: str = "") -> None:
        """End one scan of a sequence."""

    def abort(self, *, mine: bool = False) -> bool:
        """Stop what runs, or only what this client has started; whether anything did."""

    def newproposal(self, name: str = "") -> None:
        """Go to a proposal."""

    def newsample(self, name: str, description: str = "") -> None:
        """Go to a sample."""

    def newdataset(self, name: str = "") -> None:
        """Go to a new dataset."""

    def enddataset(self) -> None:
        """End the dataset."""

    def endproposal(self) -> None:
        """End the proposal."""

    def listen(self, callback: Callable[[Progress], None]) -> Callable[[], None]:
        """Hear of the progress of runs, until the answer is called."""

    @property
    def dataset(self) -> Any:
        """The folder of the current dataset."""

    @property
    def elog(self) -> Any:
        """Its electronic log."""

    def open(self, run: str) -> Run:
        """The run of that key."""

    def close(self) -> None:
        """Leave."""


Word: TypeAlias = Any
"""A device or its name."""
Number: TypeAlias = Any
"""A number, or a text with a unit such as ``"10 deg"``."""
Names: TypeAlias = Sequence[str]
