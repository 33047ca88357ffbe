"""The step that counts in regions of frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.detectors._channels import region_channels
from firstlight.devices import AnyRegion, Arc, Collection, Grid, Rectangle, area_region
from firstlight.kernels import region_profile, region_statistics, regions_statistics
from firstlight.model import Block, ChannelSpec

_ATTRIBUTES = {"sum": "total", "mean": "mean", "std": "std", "min": "least", "max": "most"}


class RegionStep:
    """Counts in regions of each frame.

    :param regions: by name, as a configuration writes them.
    """

    name = "regions"

    def __init__(self, regions: Mapping[str, Any]) -> None:
        self._given = dict(regions)
        self._work: list[Callable[[NDArray[Any]], dict[str, NDArray[Any]]]] = []

    def prepare(self, frame: ChannelSpec) -> Sequence[ChannelSpec]:
        """Learn the frames' shape; compiles, so that the first frame is not late."""
        height, width = frame.shape
        regions = {name: area_region(frame.name, name, r, (height, width)) for name, r in self._given.items()}
        channels = region_channels(frame, regions)
        self._work = [
            self._counting(f"{frame.name}:{name}_", region, (height, width)) for name, region in regions.items()
        ]
        example = np.zeros((height, width), frame.dtype)
        example.flags.writeable = False
        self.process(0, example)
        return channels

    def process(self, index: int, frame: NDArray[Any]) -> Mapping[str, NDArray[Any]]:
        """What each region counts in this frame."""
        values: dict[str, NDArray[Any]] = {}
        for count in self._work:
            values |= count(frame)
        return values

    def finish(self) -> Sequence[Block]:
        """Nothing is left."""
        return ()

    def _counting(
        self, prefix: str, region: AnyRegion, shape: tuple[int, int]
    ) -> Callable[[NDArray[Any]], dict[str, NDArray[Any]]]:
        if isinstance(region, (Grid, Collection)):
            return self._counting_many(prefix, region, region.each(shape))
        return self._counting_one(prefix, region, region.spans(shape))

    @staticmethod
    def _counting_many(
        prefix: str, region: Grid | Collection, each: Sequence[NDArray[np.int64]]
    ) -> Callable[[NDArray[Any]], dict[str, NDArray[Any]]]:
        spans, ends = np.concatenate(each), np.cumsum([len(part) for part in each])

        def count(frame: NDArray[Any]) -> dict[str, NDArray[Any]]:
            found = regions_statistics(frame, spans, ends)
            return {
                prefix + part: getattr(found, _ATTRIBUTES[part]).reshape(region.shape) for part in region.statistics
            }

        return count

    @staticmethod
    def _counting_one(
        prefix: str, region: Rectangle | Arc, spans: NDArray[np.int64]
    ) -> Callable[[NDArray[Any]], dict[str, NDArray[Any]]]:
        def count(frame: NDArray[Any]) -> dict[str, NDArray[Any]]:
            values: dict[str, NDArray[Any]] = {}
            if region.statistics:
                found = region_statistics(frame, spans)
                for part in region.statistics:
                    dtype = np.int64 if part == "sum" and isinstance(found.total, (int, np.integer)) else np.float64
                    values[prefix + part] = np.asarray(getattr(found, _ATTRIBUTES[part]), dtype=dtype)
            for along in region.profiles:
                values[prefix + along] = region_profile(frame, spans, horizontal=along == "horizontal")
            return values

        return count


def step(regions: Mapping[str, Any]) -> RegionStep:
    """Target of the step's description."""
    return RegionStep(regions)
