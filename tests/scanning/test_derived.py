"""Calculated counters, and asking for single channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from firstlight.devices import CalculatedCounter, SamplingCounter, SoftCounter, Surroundings, build
from firstlight.model import (
    ChannelKind,
    ChannelRole,
    ChannelSpec,
    DeviceError,
    InvalidInput,
    NotFound,
    TriggerPlan,
)
from firstlight.scanning import ascan, ct, flyscan, loopscan
from tests.scanning.conftest import Beamline, FakeCamera, MemoryLog, MemoryRagged, sealed_and_whole


def calculated(name: str, expression: str, **more: Any) -> CalculatedCounter:
    device: Any = build({"kind": "calc.counter", "name": name, "expression": expression, **more}, Surroundings())
    made: CalculatedCounter = device
    return made


def test_inputs_are_measured_and_the_result_has_its_unit(beamline: Beamline) -> None:
    beamline.add(calculated("norm", "diode / ring * 100 mA"))
    beamline.engine.run(ascan("rot", 0, 4, 4, 0.1, "norm"))
    run = beamline.run
    np.testing.assert_allclose(run["norm"], run["diode"] / run["ring"] * 100)
    assert len(run["norm"]) == 5
    assert run.channel("norm").spec.unit == "count"
    assert run.info.devices["norm"]["expression"] == "diode / ring * 100 mA"
    assert run.info.devices["norm"]["inputs"] == ["diode", "ring"]
    assert run.info.plots[0].y == ("diode", "ring", "norm")
    sealed_and_whole(run)


@pytest.mark.parametrize("trigger", ["time", "position"])
def test_it_is_computed_in_continuous_scans_too(beamline: Beamline, trigger: Any) -> None:
    beamline.add(calculated("norm", "d / i", names={"d": "diode", "i": "ring"}))
    beamline.engine.run(flyscan("rot", 0, 10, 50, 0.02, "norm", trigger=trigger))
    run = beamline.run
    assert len(run["norm"]) == 50
    np.testing.assert_allclose(run["norm"], run["diode"] / run["ring"])
    sealed_and_whole(run)


def test_axes_are_inputs_whether_they_move_or_not(beamline: Beamline) -> None:
    beamline.add(calculated("product", "rot * sy"), calculated("sine", "sin(rot)"))
    beamline.engine.move({"sy": 3.0})
    beamline.engine.run(ascan("rot", 0, 30, 3, 0.0, "product", "sine"))
    np.testing.assert_allclose(beamline.run["product"], [0, 30, 60, 90])
    np.testing.assert_allclose(beamline.run["sine"], np.sin(np.radians([0, 10, 20, 30])))
    assert beamline.run.channel("product").spec.unit == "deg*mm"
    np.testing.assert_array_equal(beamline.run["sy"], [3.0] * 4)
    beamline.engine.run(flyscan("rot", 0, 2, 10, 0.02, "product"))
    np.testing.assert_allclose(beamline.run["product"], 3 * beamline.run["rot"])


def test_an_axis_can_be_counted(beamline: Beamline) -> None:
    beamline.engine.run(loopscan(3, 0.1, "rot", "diode"))
    assert beamline.run["rot"].tolist() == [0.0, 0.0, 0.0]
    assert beamline.run.channel("rot").spec.unit == "deg"
    beamline.engine.run(ascan("rot", 0, 1, 1, 0.1, "rot", "diode"))
    assert beamline.run["rot"].tolist() == [0.0, 1.0]


def test_calculated_counters_build_on_each_other_in_any_order(beamline: Beamline) -> None:
    beamline.add(calculated("twice", "2 * norm"), calculated("norm", "diode / ring"))
    beamline.engine.run(loopscan(3, 0.1, "twice"))
    np.testing.assert_allclose(beamline.run["twice"], 2 * beamline.run["norm"])
    assert "└─ twice  computed from norm: twice (count/mA)" in str(beamline.engine.dry_run(loopscan(3, 0.1, "twice")))


def test_units_are_converted_and_a_division_by_zero_is_no_error(beamline: Beamline) -> None:
    beamline.add(
        SoftCounter("zero", lambda: 0.0, unit="A"),
        calculated("rate", "diode / zero"),
        calculated("current", "ring + 1 A", unit="uA"),
    )
    beamline.engine.run(loopscan(2, 0.1, "rate", "current"))
    assert not np.isfinite(beamline.run["rate"]).any()
    np.testing.assert_allclose(beamline.run["current"], (beamline.run["ring"] + 1000) * 1000)
    assert beamline.run.channel("current").spec.unit == "uA"


def test_spectra_are_computed_with_numbers(beamline: Beamline) -> None:
    channels = [ChannelSpec("mca:spectrum", "<u4", (4,), "count", "mca"), ChannelSpec("mca:live_time", unit="s")]
    counts = iter(range(1, 10))
    mca = SoftCounter("mca", lambda: (np.arange(4) * next(counts), 0.5), channels=channels)
    beamline.add(mca, calculated("rates", "mca:spectrum / mca:live_time"))
    beamline.engine.run(loopscan(2, 0.1, "rates"))
    np.testing.assert_array_equal(beamline.run["rates"], [[0, 2, 4, 6], [0, 4, 8, 12]])
    assert beamline.run.channel("rates").spec.unit == "count/s"


class Roied(FakeCamera):
    """A camera with a counter of its own, which comes later than its frames."""

    published: Any = None

    def channels(self) -> tuple[ChannelSpec, ...]:
        return (
            ChannelSpec(self.name, "<u2", (2, 3), "count", self.name, ChannelKind.RING, ChannelRole.FRAME),
            ChannelSpec(f"{self.name}:start", role=ChannelRole.TIME),
            ChannelSpec(f"{self.name}:sum", "<i8", unit="count", source=self.name),
        )

    async def prepare(self, run_key: str, plan: TriggerPlan, slots: int = 0, *, only: Any = None) -> None:
        run = self.store.run(run_key)
        self.published = None if only is None else sorted(only)
        if only is None or self.name in only:
            await super().prepare(run_key, plan, slots)
        else:
            self._plan, self._next = plan, 0
            hidden = MemoryLog(ChannelSpec(self.name, "<u2", (2, 3)), self.store)
            start, stop = (run.join(ChannelSpec(f"{self.name}:{part}")) for part in ("start", "stop"))
            self._logs = (hidden, start, stop)
            run.channels[f"{self.name}:status"] = stop
        self.sum = run.join(ChannelSpec(f"{self.name}:sum", "<i8"))

    async def stop(self) -> None:
        # The last frame is reduced only now; one was missing.
        for index in range(self.sum.count, self._next):
            self.sum.append(np.array([-1 if index == 1 else 10 * index]))
        await super().stop()
        self.sum.seal()


def test_what_a_camera_computes_is_an_input_even_when_it_comes_late(beamline: Beamline) -> None:
    camera = Roied("eye", beamline.clock, beamline.store, beamline.board)
    beamline.add(camera, calculated("norm", "eye:sum / 10"))
    beamline.engine.run(loopscan(3, 0.1, "norm"))
    np.testing.assert_array_equal(beamline.run["norm"], [0, np.nan, 2])
    assert camera.published == ["eye:sum"]
    assert "eye" not in beamline.run.channels
    beamline.engine.run(loopscan(3, 0.1, "norm", "eye"))
    assert camera.published is None
    assert len(beamline.run["eye"]) == 3


def test_frames_that_are_not_published_still_pace_a_continuous_scan(beamline: Beamline) -> None:
    beamline.add(Roied("eye", beamline.clock, beamline.store, beamline.board))
    beamline.engine.run(flyscan("rot", 0, 2, 10, 0.02, "eye:sum"))
    assert len(beamline.run["rot"]) == 10
    assert "eye" not in beamline.run.channels


def with_parts(beamline: Beamline) -> None:
    channels = [ChannelSpec(f"bpm:{part}", source="bpm") for part in ("x", "y", "intensity")]
    beamline.add(SoftCounter("bpm", lambda: (1.0, 2.0, 3.0), channels=channels))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["bpm:x"], {"bpm:x"}),
        (["bpm"], {"bpm:x", "bpm:y", "bpm:intensity"}),
        (["bpm:[xy]"], {"bpm:x", "bpm:y"}),
        (["bpm", "-bpm:x"], {"bpm:y", "bpm:intensity"}),
        (["bpm:x", "ring", "-ring"], {"bpm:x"}),
        (["beam", "-diode"], {"ring"}),
        (["-ring"], {"diode"}),
        (["d*"], {"diode"}),
        (["bpm:x", "bpm:*", "bpm"], {"bpm:x", "bpm:y", "bpm:intensity"}),
    ],
)
def test_single_channels_can_be_asked_for_or_left_out(beamline: Beamline, names: list[str], expected: set[str]) -> None:
    with_parts(beamline)
    beamline.engine.run(loopscan(2, 0.1, *names))
    assert set(beamline.run.channels) == {"elapsed_time", "epoch", *expected}
    sealed_and_whole(beamline.run)


def test_what_is_left_out_is_measured_when_something_is_computed_from_it(beamline: Beamline) -> None:
    with_parts(beamline)
    beamline.add(calculated("sum", "bpm:x + bpm:y"))
    beamline.engine.run(loopscan(2, 0.1, "sum", "-bpm:x"))
    assert set(beamline.run.channels) == {"elapsed_time", "epoch", "sum", "bpm:x", "bpm:y"}
    beamline.engine.run(loopscan(2, 0.1, "sum", "bpm", "-sum"))
    assert "sum" not in beamline.run.channels


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("diod / 2", "norm is computed from diod, which does not exist. Did you mean diode?"),
        ("bpm * 2", "norm: bpm has several channels. Name one of them: bpm:x, bpm:y, bpm:intensity."),
        ("norm + 1", "norm is computed from itself"),
        ("cycle + 1", "norm is computed from itself"),
        ("diode + ring", "norm: 'diode + ring', column 1: mA and count do not go together"),
        ("bpm:z", "norm is computed from bpm:z, which does not exist. Did you mean bpm:y?"),
    ],
)
def test_what_cannot_be_computed_is_refused_before_anything_moves(
    beamline: Beamline, expression: str, words: str
) -> None:
    with_parts(beamline)
    beamline.add(calculated("norm", expression), calculated("cycle", "norm * 2"))
    with pytest.raises((InvalidInput, NotFound)) as caught:
        beamline.engine.run(ct(0.1, "norm"))
    assert words in str(caught.value)
    assert not beamline.store.runs


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"expression": "2 *"}, "not understood"),
        ({"expression": "a + b", "names": {"x": "diode"}}, "does not use 'x'"),
        ({"expression": "1 + 2"}, "names no counter"),
        ({"expression": "diode", "units": "mm"}, "no setting 'units'"),
    ],
)
def test_a_wrong_configuration_is_told(config: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        build({"kind": "calc.counter", "name": "norm", **config})


@pytest.mark.parametrize("name", ["bpm:z", "bpm:q*", "-bpm:z"])
def test_a_channel_that_does_not_exist_is_answered_with_the_nearest(beamline: Beamline, name: str) -> None:
    with_parts(beamline)
    with pytest.raises(NotFound, match=r"There is no channel bpm:.*Did you mean bpm:"):
        beamline.engine.run(ct(0.1, "diode", name))


def test_a_derived_counter_that_fails_ends_the_run_with_its_name(beamline: Beamline) -> None:
    class Broken:
        name = "broken"
        inputs = ("diode",)
        channels = (ChannelSpec("broken"),)

        def derive(self, inputs: Any) -> Any:
            return self

        def compute(self, values: Any) -> Any:
            raise ZeroDivisionError("by nothing")

    beamline.add(Broken())
    with pytest.raises(DeviceError, match="broken: could not be computed: ZeroDivisionError: by nothing"):
        beamline.engine.run(loopscan(3, 0.1, "broken"))
    assert len(beamline.run["diode"]) >= 1


class Thermometer(SamplingCounter):
    def sample(self) -> float:
        return self._clock.now()


def test_all_samples_of_a_counter_are_a_ragged_channel(beamline: Beamline) -> None:
    beamline.add(Thermometer("t", mode="samples", unit="degC", clock=beamline.clock))
    beamline.engine.run(loopscan(3, 0.1, "t", "diode"))
    samples = beamline.run.channel("t:samples")
    assert isinstance(samples, MemoryRagged)
    assert [len(item) for item in samples.items] == [11, 11, 11]
    np.testing.assert_allclose(beamline.run["t"], [item.mean() for item in samples.items])
    beamline.engine.run(flyscan("rot", 0, 10, 5, 0.1, "t"))
    samples = beamline.run.channel("t:samples")
    assert isinstance(samples, MemoryRagged)
    assert samples.count == len(beamline.run["t"]) == 5


def test_counters_in_time_beside_a_calculated_one_agree(beamline: Beamline) -> None:
    beamline.add(Thermometer("t", clock=beamline.clock), calculated("later", "t + 1"))
    beamline.engine.run(flyscan("rot", 0, 10, 20, 0.05, "later"))
    np.testing.assert_array_equal(beamline.run["later"], beamline.run["t"] + 1)
    began = beamline.run["epoch"] - beamline.clock.epoch(0.0)
    assert (beamline.run["t"] >= began).all()
    assert (beamline.run["t"] < began + 0.05).all()
