"""The simulated beamline that comes with the package: everything on it can be found by scans."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from firstlight.configuration import Beamline, load
from firstlight.devices import Axis, Surroundings, build, build_source, is_source
from firstlight.devices.sim import CurrentMeter, SimBeamline, SimCamera
from firstlight.model import FakeClock, TriggerMode, TriggerPlan
from firstlight.simulation import CRYSTALS
from firstlight.simulation.beamlines import FL01


@pytest.fixture(scope="module")
def beamline() -> Beamline:
    return load(FL01, {})


class Experiment:
    """Its devices in fake time, with the shutter open, and a user who scans."""

    def __init__(self, beamline: Beamline) -> None:
        self.clock = FakeClock()
        self.devices: dict[str, Any] = {}
        self.around = Surroundings(self.clock, devices=self.devices)
        entries = {
            name: {"name": name, "kind": entry.kind, **entry.settings} for name, entry in beamline.devices.items()
        }
        self.sources = {name: entry for name, entry in entries.items() if is_source(entry["kind"])}
        for name, entry in entries.items():
            if not is_source(entry["kind"]):
                self.devices[name] = build(entry, self.around)
        asyncio.run(self.devices["fshut"].open())
        self.beam: SimBeamline = self.devices["beam"]
        self.truth = self.beam.truth()

    def move(self, **targets: float) -> None:
        for name, target in targets.items():
            axis: Axis = self.devices[name]
            asyncio.run(axis.move(target))
        self.clock.advance(0.1)

    def count(self, name: str, time: float = 0.1) -> float:
        counter: CurrentMeter = self.devices[name]
        start = self.clock.now()
        self.clock.advance(time)
        return counter.value(start, start + time)

    def scan(self, axis: str, targets: np.ndarray[Any, np.dtype[np.float64]], counter: str) -> np.ndarray[Any, Any]:
        values = []
        for target in targets.tolist():
            self.move(**{axis: target})
            values.append(self.count(counter))
        return np.array(values)

    def source(self, name: str) -> Any:
        """A camera in this process, ready for one frame."""
        config = dict(self.sources[name])
        made = build_source(config.pop("kind"), config, self.around)
        made.prepare(TriggerPlan(mode=TriggerMode.SOFTWARE, points=1, exposure=0.05))
        return made

    def peak(self, axis: str, span: float, counter: str, points: int = 41) -> float:
        """Where the counts are highest, by the centre of what is above half; the axis goes there."""
        here = self.devices[axis].position
        targets = here + np.linspace(-span, span, points)
        values = self.scan(axis, targets, counter)
        above = values >= 0.5 * (values.max() + values.min())
        found = float(targets[above].mean())
        self.move(**{axis: found})
        return found


@pytest.fixture
def fl01(beamline: Beamline) -> Experiment:
    return Experiment(beamline)


def test_it_is_a_whole_beamline(beamline: Beamline) -> None:
    assert beamline.name == "fl01"
    kinds = {entry.kind for entry in beamline.devices.values()}
    assert {"sim.ring", "sim.beamline", "sim.ion_chamber", "sim.photodiode", "sim.camera", "sim.faults"} <= kinds
    assert set(beamline.groups["light"]) <= set(beamline.devices)


def test_the_second_crystal_is_found_by_the_light_of_i0(fl01: Experiment) -> None:
    before = fl01.count("i0")
    found = fl01.peak("mono_pitch", 0.25, "i0", 101)
    assert found == pytest.approx(fl01.truth["mono"]["pitch"], abs=0.006)
    assert fl01.count("i0") > 10.0 * before


def test_the_gap_is_found_where_the_harmonic_is_at_the_energy(fl01: Experiment) -> None:
    fl01.move(mono_pitch=fl01.truth["mono"]["pitch"])
    found = fl01.peak("gap", 0.3, "i0", 61)
    energy = float(fl01.beam.at("i0").energy[0])
    assert found == pytest.approx(fl01.beam.optics.source.gap_for(energy, 3), abs=0.05)


def aligned(fl01: Experiment) -> None:
    fl01.move(mono_pitch=fl01.truth["mono"]["pitch"], mirror_height=fl01.truth["mirror"]["height"])
    fl01.move(mirror_pitch=2.5 - fl01.truth["mirror"]["pitch_offset"])
    energy = float(fl01.beam.at("i0").energy[0])
    fl01.move(gap=fl01.beam.optics.source.gap_for(energy, 3))


def test_the_mirror_is_found_by_its_height(fl01: Experiment) -> None:
    aligned(fl01)
    fl01.move(s1b=-0.1, s1t=0.1, mirror_height=0.0)
    found = fl01.peak("mirror_height", 4.0, "i0", 41)
    # The middle of its shadow, a little displaced by the centre of what the slits leave.
    centre = fl01.truth["s1"]["y_offset"] * 133 / 27
    assert found == pytest.approx(fl01.truth["mirror"]["height"] + centre, abs=0.2)


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_whatever_the_seed_it_is_aligned_by_scans_of_one_counter(seed: str) -> None:
    fl01 = Experiment(load(FL01, {"FL01_SEED": seed}))
    truth, before = fl01.truth, fl01.count("i0")
    for axis, span, points in (
        ("gap", 0.3, 61), ("mono_pitch", 0.25, 101), ("mirror_pitch", 0.15, 61), ("mono_pitch", 0.05, 51)
    ):  # fmt: skip
        found = {axis: fl01.peak(axis, span, "i0", points)}
    assert found["mono_pitch"] == pytest.approx(truth["mono"]["pitch"], abs=0.002)
    assert fl01.devices["mirror_pitch"].position == pytest.approx(2.5 - truth["mirror"]["pitch_offset"], abs=0.012)
    energy = float(fl01.beam.at("i0").energy[0])
    assert fl01.devices["gap"].position == pytest.approx(fl01.beam.optics.source.gap_for(energy, 3), abs=0.02)
    assert fl01.count("i0") > max(3e-5, 100.0 * before)
    # The beam is in the middle of the window before the experiment.
    assert abs(float(fl01.beam.at("window").vertical.centre[0])) < 0.3


def test_seeds_are_other_beamlines_and_every_error_is_one_that_scans_reach() -> None:
    truths = [Experiment(load(FL01, {"FL01_SEED": str(seed)})).truth for seed in range(6)]
    for element, what, most in (
        ("undulator", "gap_offset", 0.05), ("mono", "bragg_offset", 0.03), ("mono", "pitch", 0.15),
        ("mirror", "pitch_offset", 0.03), ("mirror", "height", 0.4), ("s1", "x_offset", 0.3), ("s2", "y_offset", 0.3),
        ("sample", "x_offset", 0.25), ("sample", "roll", 0.8),
    ):  # fmt: skip
        sizes = np.array([truth[element][what] for truth in truths])
        assert len(set(sizes.tolist())) == 6, f"{element} {what}"
        assert (np.abs(sizes) >= 0.3 * most).all()
        assert (np.abs(sizes) <= most).all()


def test_the_centre_of_a_slit_is_found_by_a_narrow_opening(fl01: Experiment) -> None:
    aligned(fl01)
    centres = np.linspace(-2.0, 2.0, 41)
    values = []
    for centre in centres.tolist():
        fl01.move(s2l=centre - 0.1, s2r=centre + 0.1)
        values.append(fl01.count("i0"))
    weights = np.array(values) - min(values)
    found = float((centres * weights).sum() / weights.sum())
    # The opening is where the blades are plus the offset; the beam is centred.
    assert found == pytest.approx(-fl01.truth["s2"]["x_offset"], abs=0.1)


def test_the_sample_is_found_by_the_light_that_it_takes(fl01: Experiment) -> None:
    aligned(fl01)
    targets = np.linspace(-4.0, 4.0, 41)
    missing = fl01.scan("sx", targets, "diode")
    missing = missing.max() - missing
    found = float((targets * missing).sum() / missing.sum())
    # The tooth is not symmetrical; its axis is near the middle.
    assert found == pytest.approx(-fl01.truth["sample"]["x_offset"], abs=0.2)


def test_the_energy_takes_the_gap_along(fl01: Experiment) -> None:
    aligned(fl01)
    before = fl01.count("i0")
    fl01.move(energy=13.5)
    assert float(fl01.beam.at("i0").energy[0]) == pytest.approx(13.5, rel=0.006)
    assert fl01.devices["gap"].position == pytest.approx(fl01.beam.optics.source.gap_for(13.5, 3), abs=0.1)
    # It does not know of the errors of gap and angle; a scan of the gap finds the light again.
    fl01.peak("gap", 0.2, "i0")
    assert fl01.count("i0") > 0.3 * before


def test_attenuators_weaken_the_light_in_their_order(fl01: Experiment) -> None:
    aligned(fl01)
    values = fl01.scan("att", np.arange(4.0), "i0").tolist()
    assert values == sorted(values, reverse=True)
    assert values[3] < 0.05 * values[0]


def test_the_energy_of_the_beam_is_off_by_the_error_of_the_bragg_angle(fl01: Experiment) -> None:
    bragg = fl01.devices["bragg"].position
    spacing = CRYSTALS["Si111"].spacing
    dial = 12.398419843 / (2 * spacing * np.sin(np.radians(bragg)))
    true = float(fl01.beam.at("i0").energy[0])
    assert 0.005 < abs(true - dial) < 0.06
    assert (true < dial) == (fl01.truth["mono"]["bragg_offset"] > 0)


def test_the_camera_sees_the_beam_and_the_sample(fl01: Experiment) -> None:
    aligned(fl01)
    fl01.move(sx=8.0)
    cam = fl01.source("cam")
    assert isinstance(cam, SimCamera)
    flat = picture(cam, fl01.clock.now())
    fl01.move(sx=0.0)
    shadow = picture(cam, fl01.clock.now())
    assert 5_000 < flat.mean() < 60_000
    assert shadow.mean() < 0.9 * flat.mean()
    column = (320 - 1) / 2 + fl01.truth["sample"]["x_offset"] / 0.01
    assert cam.truth()["rotation_column"] == pytest.approx(column)
    assert cam.truth()["roll"] == fl01.truth["sample"]["roll"]


def test_the_error_of_the_bragg_angle_is_found_at_an_absorption_edge(fl01: Experiment) -> None:
    aligned(fl01)
    fl01.move(changer=1.0, energy=8.98)
    fl01.peak("gap", 0.2, "i0")
    bragg = fl01.devices["bragg"].position
    angles = bragg + np.linspace(-0.05, 0.05, 51)
    absorption = []
    for angle in angles.tolist():
        fl01.move(bragg=angle)
        absorption.append(np.log(fl01.count("i0") / fl01.count("i1")))
    steepest = int(np.argmax(np.abs(np.diff(absorption))))
    found = float(angles[steepest : steepest + 2].mean())
    true = np.degrees(np.arcsin(12.398419843 / (2 * CRYSTALS["Si111"].spacing * 8.979)))
    assert true - found == pytest.approx(fl01.truth["mono"]["bragg_offset"], abs=0.004)


def test_the_changer_brings_a_sample_before_each_detector(fl01: Experiment) -> None:
    aligned(fl01)
    fl01.move(sx=0.0, omega=0.4, tth=0.8)
    cam, det, mca = fl01.source("cam"), fl01.source("det"), fl01.devices["mca"]
    frame = np.empty(det.info.shape, det.info.dtype)
    found: dict[int, dict[str, bool]] = {}
    for slot in range(9):
        fl01.move(changer=float(slot))
        if slot == 6:
            fl01.move(spitch=0.7, sroll=-0.4)
        now = fl01.clock.now()
        det.render(0, now - 0.05, now, frame)
        seen = picture(cam, now)
        found[slot] = {
            "cam": bool(seen[96, 160] < 0.7 * seen[96, 10:310].max()),
            "det": bool(frame.any()),
            "mca": bool(mca.arriving(now - 0.05, now).any()),
        }
    assert {slot for slot, seen in found.items() if seen["cam"]} == {0}
    assert {slot for slot, seen in found.items() if seen["det"]} == {4, 5, 6}
    assert {slot for slot, seen in found.items() if seen["mca"]} == {3}
    truth = det.truth()["samples"]
    assert set(truth) == {"slot_4", "slot_5", "slot_6"}


def test_a_crystal_and_a_growing_film_are_on_the_diffractometer(fl01: Experiment) -> None:
    aligned(fl01)
    fl01.peak("gap", 0.1, "i0")
    energy = float(fl01.beam.at("sample").energy[0])
    crystal = fl01.devices["apd"].sample.samples[8.0]
    fl01.move(changer=8.0, **crystal.angles((4, 0, 0), energy))
    reflected = fl01.count("apd")
    assert reflected > 1e4
    fl01.move(omega=fl01.devices["omega"].position + 1.0)
    assert fl01.count("apd") < 1e-2 * reflected
    fl01.move(changer=7.0, omega=0.97, tth=2.0)
    thin = fl01.count("apd")
    asyncio.run(fl01.devices["depo"].open())
    fl01.clock.advance(60.0)
    asyncio.run(fl01.devices["depo"].close())
    assert fl01.count("apd") != pytest.approx(thin, rel=0.1)


def picture(cam: SimCamera, now: float) -> np.ndarray[Any, Any]:
    poses, light = cam.seen(now - 0.05, now)
    return cam.imager.expected(poses, 0.05, light)


def test_nothing_slow_is_imported_to_build_it() -> None:
    code = """
import sys
from firstlight.configuration import load
from firstlight.devices import Surroundings, build, is_source
from firstlight.simulation.beamlines import FL01
found = {}
around = Surroundings(devices=found)
for name, entry in load(FL01, {}).devices.items():
    if not is_source(entry.kind):
        found[name] = build({"name": name, "kind": entry.kind, **entry.settings}, around)
print(sorted({"pint", "scipy", "numba", "xraydb", "h5py", "xarray"} & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
