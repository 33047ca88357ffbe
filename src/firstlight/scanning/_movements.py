"""What an engine moves: to places, until it is stopped, onto switches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from firstlight.model import Clock, RunAborted
from firstlight.scanning._conduct import Settings, supervise
from firstlight.scanning._devices import Devices
from firstlight.scanning._gate import Motion, MotionKind
from firstlight.scanning._info import as_error
from firstlight.scanning._jobs import Job, Sort
from firstlight.scanning._joint import arriving_together
from firstlight.scanning._travel import Target, jogging, proposed, searching, travel
from firstlight.scanning._waits import Waits

_T = TypeVar("_T")


class Movements(ABC):
    """The part of an engine that moves axes; each motion is a job."""

    clock: Clock
    _ready: Callable[[Any], None]

    @property
    @abstractmethod
    def devices(self) -> Devices:
        """What can be moved."""

    def move(
        self,
        targets: Mapping[str, Target],
        *,
        relative: bool = False,
        velocity: float | None = None,
        together: bool = False,
        origin: str = "prompt",
        queue: bool = False,
    ) -> None:
        """Move axes to user positions, all at once, and return when they are at rest; Ctrl-C stops them.

        :param targets: numbers in the axis' unit, or texts with a unit.
        :param relative: the targets are distances from where each axis was last sent.
        :param velocity: of all of them (unit/s); None for each one's own.
        :param together: all but the slowest are slowed down, so that all arrive at the same time.
        :param queue: wait for axes that something else uses, in place of being refused.
        :raises LimitError: before anything moves.
        :raises Conflict: one of them would move another's motors.
        :raises Busy: somebody else uses an axis.
        :raises RunAborted: stopped by the user.
        """
        options: Any = {
            "relative": relative, "velocity": velocity, "together": together, "origin": origin, "queue": queue,
        }  # fmt: skip
        self._uninterrupted(lambda: self.launch_move(targets, **options))

    def launch_move(
        self,
        targets: Mapping[str, Target],
        *,
        relative: bool = False,
        velocity: float | None = None,
        together: bool = False,
        origin: str = "prompt",
        queue: bool = False,
    ) -> Job[None]:
        """Start to move, and return at once."""

        def propose() -> list[Motion]:
            return proposed(self.devices, targets, relative, velocity, origin)

        words = " ".join(
            f"{name} {target if isinstance(target, str) else f'{target:g}'}" for name, target in targets.items()
        )
        return self._set_out(list(targets), f"{'mvr' if relative else 'mv'} {words}", propose, together, queue)

    def jog(self, axis: str, velocity: Target, *, origin: str = "prompt", queue: bool = False) -> Job[None]:
        """Let an axis run, and return at once; aborting the job or stopping the axis ends it, or its limit.

        :param velocity: signed, unit/s, or a text with a unit.
        """

        def propose() -> list[Motion]:
            return [jogging(self.devices, axis, velocity, origin)]

        return self._set_out([axis], f"jog {axis} {velocity}", propose, False, queue)

    def home(self, axis: str, direction: int = 1, *, origin: str = "prompt", queue: bool = False) -> None:
        """Search the home switch of an axis, and return when it is at rest; Ctrl-C stops it.

        :param direction: where to search first, 1 or -1, user direction.
        """
        self._uninterrupted(lambda: self._search(MotionKind.HOME, axis, direction, origin, queue))

    def search_limit(self, axis: str, direction: int, *, origin: str = "prompt", queue: bool = False) -> None:
        """Move an axis onto its limit switch, and return when it is at rest; Ctrl-C stops it.

        :param direction: 1 or -1, user direction.
        """
        self._uninterrupted(lambda: self._search(MotionKind.LIMIT, axis, direction, origin, queue))

    def _search(self, kind: MotionKind, axis: str, direction: int, origin: str, queue: bool) -> Job[None]:
        def propose() -> list[Motion]:
            return [searching(self.devices, axis, kind, direction, origin)]

        return self._set_out([axis], f"{kind.value} {axis} {direction}", propose, False, queue)

    def _set_out(
        self, names: Sequence[str], doing: str, propose: Callable[[], list[Motion]], together: bool, queue: bool
    ) -> Job[None]:
        self._not_inside("run")
        self._ready(None)
        return self._launch("move", doing, lambda job: self._travel(names, propose, together, job, queue))

    async def _travel(
        self, names: Sequence[str], propose: Callable[[], list[Motion]], together: bool, job: Job[None], queue: bool
    ) -> None:
        settings = self._settings()
        gate = settings.gate
        waits = Waits(self.clock, self.devices)
        axes = [self.devices.axis(name).name for name in names]
        with await self._claim(job, axes, axes, queue):
            motions = gate.admit(propose())
            if together:
                motions = arriving_together(self.devices, motions)
            body = waits.together(*(travel(gate, waits, motion) for motion in motions))
            cause = await supervise(body, waits, settings, job.interrupt, None)
            if cause is not None:
                await gate.stop()
                # A jog is meant to be stopped.
                if not isinstance(cause, RunAborted):
                    raise as_error(cause)
                if any(m.kind is not MotionKind.JOG for m in motions):
                    raise RunAborted(f"{job.doing} was stopped by the user.")

    # -- given by the engine

    @abstractmethod
    def _settings(self, devices: Devices | None = None) -> Settings: ...

    @abstractmethod
    def _launch(
        self, sort: Sort, doing: str, body: Callable[[Job[_T]], Coroutine[Any, Any, _T]], *, queue: bool = False
    ) -> Job[_T]: ...

    @abstractmethod
    def _uninterrupted(self, launch: Callable[[], Job[_T]]) -> _T: ...

    @abstractmethod
    async def _claim(
        self, job: Job[Any], names: Iterable[str], axes: Iterable[str], queue: bool
    ) -> AbstractContextManager[None]: ...

    @abstractmethod
    def _not_inside(self, what: str) -> None: ...
