"""The one step protocol: detector pipelines and streaming tasks are lists of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from firstlight.model._channel import Block, ChannelSpec


class Step(Protocol):
    """Turns frames into channels, one frame a call, in a fixed order."""

    name: str

    def prepare(self, frame: ChannelSpec) -> Sequence[ChannelSpec]:
        """Learn the input, return the channels that the step publishes."""

    def process(self, index: int, frame: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        """One value per published channel for frame ``index`` (which is read-only)."""

    def finish(self) -> Sequence[Block]:
        """What is left when the run ends."""
