from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from firstlight.devices import IntegratingCounter
from firstlight.model import CounterDriver, DeviceError, FakeClock, InvalidInput, TriggerMode, TriggerPlan


class Card(IntegratingCounter):
    """Two inputs; reading fails as often as it is told."""

    def __init__(self, **options: Any) -> None:
        modes = frozenset({TriggerMode.SOFTWARE, TriggerMode.TIME})
        super().__init__("ct2", inputs={"a": "count", "b": "V"}, modes=modes, clock=FakeClock(), **options)
        self.fail = 0
        self.waits = False
        self.points = 0
        self.memory: list[list[float]] = []

    def arm(self, plan: TriggerPlan) -> None:
        self.points = 0

    def start(self, moment: float) -> None:
        self.points += 1

    def counts(self) -> Any:
        return self._late() if self.waits else self._now()

    def buffered(self) -> Any:
        self._may_fail()
        points, self.memory = self.memory, []
        return self._points(np.array(points)) if self.waits else np.array(points)

    def stop(self) -> None:
        pass

    def _may_fail(self) -> None:
        if self.fail:
            self.fail -= 1
            raise TimeoutError("bus")

    def _now(self) -> Sequence[float]:
        self._may_fail()
        return [float(self.points), 0.5]

    async def _late(self) -> Sequence[float]:
        return self._now()

    async def _points(self, points: Any) -> Any:
        return points


def plan(mode: TriggerMode = TriggerMode.SOFTWARE) -> TriggerPlan:
    return TriggerPlan(mode=mode, points=4, exposure=0.1, period=0.1)


def reading(card: Card, method: str = "read") -> Any:
    async def run() -> Any:
        result = getattr(card, method)()
        return await result if inspect.isawaitable(result) else result

    return asyncio.run(run())


@pytest.mark.parametrize("waits", [False, True])
def test_inputs_are_channels_with_units_and_a_read_is_tried_again(waits: bool) -> None:
    card = Card()
    card.waits = waits
    assert isinstance(card, CounterDriver)
    assert [(spec.name, spec.unit) for spec in card.channels] == [("ct2:a", "count"), ("ct2:b", "V")]
    card.prepare(plan())
    for fail in (0, 1, 2):
        card.start(0.0)
        card.fail = fail
        assert list(reading(card)) == [float(card.points), 0.5]
    card.fail = 3
    with pytest.raises(DeviceError, match="ct2: could not be read in 3 tries, the last failed with TimeoutError: bus"):
        reading(card)


@pytest.mark.parametrize("waits", [False, True])
def test_a_lost_point_is_nan_with_its_status(waits: bool) -> None:
    card = Card(missing="nan")
    card.waits = waits
    assert card.channels[-1].name == "ct2:status"
    card.prepare(plan())
    card.start(0.0)
    assert list(reading(card)) == [1.0, 0.5, 0]
    card.fail = 3
    a, b, status = reading(card)
    assert math.isnan(a)
    assert math.isnan(b)
    assert status == 1


@pytest.mark.parametrize("waits", [False, True])
def test_points_made_by_hardware_come_in_blocks(waits: bool) -> None:
    card = Card(missing="nan")
    card.waits = waits
    card.prepare(plan(TriggerMode.TIME))
    card.memory = [[1, 2], [3, math.nan]]
    first = reading(card, "collect")
    card.memory = [[5, 6]]
    second = reading(card, "collect")
    assert [(b.channel, b.first, np.asarray(b.values).tolist()) for b in second] == [
        ("ct2:a", 2, [5.0]), ("ct2:b", 2, [6.0]), ("ct2:status", 2, [0]),
    ]  # fmt: skip
    assert first[2].values.tolist() == [0, 1]
    assert first[2].values.dtype == np.uint8
    assert list(reading(card, "collect")) == []


def test_blocks_that_cannot_be_read_are_tried_again_later_and_then_an_error() -> None:
    card = Card()
    card.prepare(plan(TriggerMode.TIME))
    card.memory = [[1, 2]]
    card.fail = 2
    assert list(reading(card, "collect")) == []
    assert list(reading(card, "collect")) == []
    assert len(reading(card, "collect")) == 2
    card.fail = 3
    assert list(reading(card, "collect")) == []
    assert list(reading(card, "collect")) == []
    with pytest.raises(DeviceError, match="in 3 tries"):
        reading(card, "collect")


def test_wrong_numbers_and_modes_are_refused() -> None:
    card = Card()
    with pytest.raises(DeviceError, match="cannot be triggered by position"):
        card.prepare(plan(TriggerMode.POSITION))
    card.prepare(plan(TriggerMode.TIME))
    card.memory = [[1, 2, 3]]
    with pytest.raises(DeviceError, match=r"points of shape \(3,\), not \(2,\)"):
        reading(card, "collect")
    with pytest.raises(InvalidInput, match="at least one input"):
        IntegratingCounter.__init__(card, "none", inputs={})

    class Plain(Card):
        def buffered(self) -> Any:
            return IntegratingCounter.buffered(self)

    with pytest.raises(DeviceError, match="keeps no points"):
        reading(Plain(retries=0), "collect")
