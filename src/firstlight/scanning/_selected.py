"""A counter of which only some channels are wanted."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Collection, Sequence
from typing import Any

from firstlight.model import Block, ChannelSpec, CounterDriver, TriggerPlan


class Selected:
    """Another counter, without the channels that are switched off.

    :param off: names of those channels; at least one remains.
    """

    def __init__(self, counter: CounterDriver, off: Collection[str]) -> None:
        self._counter = counter
        self._wanted = [index for index, spec in enumerate(counter.channels) if spec.name not in off]
        self.name = counter.name
        self.channels: Sequence[ChannelSpec] = tuple(counter.channels[index] for index in self._wanted)
        self._names = frozenset(spec.name for spec in self.channels)
        self.modes = counter.modes
        self.blocking = bool(getattr(counter, "blocking", False))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._counter, name)

    def prepare(self, plan: TriggerPlan) -> Awaitable[None] | None:
        """Get ready for a run."""
        return self._counter.prepare(plan)

    def start(self, moment: float) -> Awaitable[None] | None:
        """Begin to integrate."""
        return self._counter.start(moment)

    def read(self) -> Sequence[Any] | Awaitable[Sequence[Any]]:
        """The values of the wanted channels."""
        values = self._counter.read()
        if inspect.isawaitable(values):
            return self._later(values)
        return [values[index] for index in self._wanted]

    def collect(self) -> Sequence[Block] | Awaitable[Sequence[Block]]:
        """The blocks of the wanted channels."""
        blocks = self._counter.collect()
        return self._collected(blocks) if inspect.isawaitable(blocks) else self._of(blocks)

    def stop(self) -> Awaitable[None] | None:
        """End of the run."""
        return self._counter.stop()

    async def _later(self, values: Awaitable[Sequence[Any]]) -> Sequence[Any]:
        given = await values
        return [given[index] for index in self._wanted]

    async def _collected(self, blocks: Awaitable[Sequence[Block]]) -> Sequence[Block]:
        return self._of(await blocks)

    def _of(self, blocks: Sequence[Block]) -> Sequence[Block]:
        return [block for block in blocks if block.channel in self._names]
