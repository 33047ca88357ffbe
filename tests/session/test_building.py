"""Devices are built for themselves: one that fails costs nobody else, and comes back when it can."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from firstlight.devices import Axis, SoftCounter
from firstlight.devices.sim import SimAxis
from firstlight.model import DeviceError, InvalidInput, NotFound
from firstlight.session import Failed, Session, load
from firstlight.session import _inventory as inventory
from firstlight.session._inventory import Entry
from tests.session.session_kinds import SWITCH, kinds


@pytest.fixture(autouse=True)
def _kinds() -> Iterator[None]:
    with kinds():
        yield


@pytest.fixture
def make(tmp_path: Path, buffer_root: Path) -> Iterator[Callable[..., Session]]:
    made: list[Session] = []

    def new(*devices: dict[str, Any] | Entry, **options: Any) -> Session:
        made.append(Session("x", devices, data=tmp_path / "data", buffer=buffer_root, **options))
        return made[-1]

    yield new
    for session in made:
        session.close()


AXIS = {"name": "rot", "kind": "sim.axis", "velocity": 1000.0, "acceleration": 10000.0}
RING = {"name": "ring", "kind": "sim.ring"}


def test_a_device_that_fails_is_shown_as_such_and_the_rest_works(make: Callable[..., Session]) -> None:
    session = make(AXIS, {"name": "bad", "kind": "test.broken"}, {"name": "worse", "kind": "test.rude"}, RING)
    bad = session.devices["bad"]
    assert isinstance(bad, Failed)
    assert repr(bad) == "<bad (test.broken) failed: bad: does not answer at its address.>"
    assert "worse: could not be made: OSError: no route to host." in repr(session.worse)
    assert "(bad, worse failed)" in repr(session)
    session.move(rot=2.0)
    assert session.loopscan(1, 0, "ring").end is not None


def test_using_a_device_that_failed_says_why_and_what_to_do(make: Callable[..., Session]) -> None:
    session = make(AXIS, {"name": "bad", "kind": "test.broken"}, RING)
    says = r"bad: is not available: does not answer at its address\. Is it powered\? Then: retry\('bad'\)"
    with pytest.raises(DeviceError, match=says):
        session.bad.position  # noqa: B018 - the look-up is what is tested
    for attempt in (
        lambda: session.move(bad=1),
        lambda: session.ascan("bad", 0, 1, 1, 0.1, "ring"),
        lambda: session.ct(0.1, "bad"),
    ):
        with pytest.raises(DeviceError, match=r"bad: is not available: does not answer.*retry\('bad'\)"):
            attempt()
    assert not hasattr(session.bad, "position")


def test_a_device_made_in_python_joins_the_session(make: Callable[..., Session]) -> None:
    session = make(AXIS, RING, groups={"light": ["ring"]})
    counter = session.add(SoftCounter("t", lambda: 42.0, unit="degC"))
    assert counter is session.t
    motor = session.add(Axis(SimAxis("extra", velocity=1000.0, acceleration=10000.0)))
    assert list(session.devices) == ["rot", "ring", "t", "extra"]
    run = session.ascan("extra", 0.0, 1.0, 2, 0.0, "t", "ring")
    assert run["t"][:].tolist() == [42.0] * 3
    assert run["t"].unit == "degC"
    assert run["extra"][:].tolist() == [0.0, 0.5, 1.0]
    assert motor.position == 1.0
    session.groups.add("light", "t")
    assert session.loopscan(1, 0, "light")["t"][0] == 42.0
    for device, why in (
        (SoftCounter("t", lambda: 1.0), "There is a device t already"),
        (SoftCounter("rot", lambda: 1.0), "There is a device rot already"),
        (SoftCounter("light", lambda: 1.0), "light is the name of a group"),
        ("nothing", "is no axis, counter"),
    ):
        with pytest.raises(InvalidInput, match=why):
            session.add(device)  # type: ignore[arg-type]


def test_a_device_made_in_python_stays_when_the_configuration_is_read_again(tmp_path: Path, buffer_root: Path) -> None:
    file = tmp_path / "x.yml"
    file.write_text("beamline: x\ndevices:\n  - {name: ring, kind: sim.ring}\n")
    with load(file, buffer=buffer_root, state=tmp_path / "state") as session:
        session.add(SoftCounter("t", lambda: 42.0))
        file.write_text("beamline: x\ndevices:\n  - {name: ring2, kind: sim.ring}\n  - {name: z, kind: sim.axis}\n")
        assert session.reload() == "added: ring2, z; removed: ring"
        assert list(session.devices) == ["ring2", "z", "t"]
        assert session.ct(0, "t")["t"][0] == 42.0


def test_a_scan_waits_for_what_the_configuration_says(
    tmp_path: Path, buffer_root: Path, wait_for: Callable[..., None]
) -> None:
    file = tmp_path / "x.yml"
    devices = "beamline: x\ndevices:\n  - {name: ring, kind: sim.ring}\n"
    file.write_text(f"{devices}suspend:\n  beam: {{when: ring.current < 5 mA, wait: 0.2 s}}\n")
    with load(file, buffer=buffer_root, state=tmp_path / "state") as session:
        session.ring.lose_beam()
        wait_for(lambda: session.ring.current < 5)
        job = session.engine.launch(session.loopscan.scan(10, 0.01, "ring"))
        wait_for(lambda: job.paused != "")
        session.ring.refill()
        run = session.saved(job)
        assert run.npoints == 10
        assert run.end is not None
        (pause,) = run.end.pauses
        assert pause.reason == "beam: ring.current < 5 mA"
        assert "before point" in run.__info__()
        file.write_text(devices)
        assert session.reload() == "changed: suspend"
        session.ring.lose_beam()
        wait_for(lambda: session.ring.current < 5)
        assert session.loopscan(10, 0.01, "ring").end.pauses == ()


def test_a_device_that_failed_can_be_tried_again(make: Callable[..., Session]) -> None:
    session = make(
        Entry({"name": "top", "kind": "test.upon", "base": "bad"}, ("bad",)),
        Entry({"name": "bad", "kind": "test.broken"}),
    )
    assert isinstance(session.devices["top"], Failed)
    with pytest.raises(DeviceError, match="does not answer"):
        session.retry("bad")
    SWITCH["broken"] = False
    assert session.retry("bad").position == 0.0
    session.move(bad=1.0, top=2.0)
    assert list(session.devices) == ["top", "bad"]
    with pytest.raises(NotFound, match="There is no device nothing"):
        session.retry("nothing")


def test_devices_are_built_after_those_that_they_need(make: Callable[..., Session]) -> None:
    SWITCH["broken"] = False
    make(
        Entry({"name": "c", "kind": "test.upon", "base": "b"}, ("b",)),
        Entry({"name": "b", "kind": "test.upon", "base": "a"}, ("a",)),
        Entry({"name": "a", "kind": "test.broken"}),
    )
    assert SWITCH["built"] == ["a", "b", "c"]


def test_a_circle_is_refused(make: Callable[..., Session]) -> None:
    with pytest.raises(InvalidInput, match="a, b need each other"):
        make(
            Entry({"name": "a", "kind": "test.upon", "base": "b"}, ("b",)),
            Entry({"name": "b", "kind": "test.upon", "base": "a"}, ("a",)),
        )


def test_a_device_that_does_not_answer_joins_when_it_does(
    make: Callable[..., Session], monkeypatch: pytest.MonkeyPatch, wait_for: Callable[..., None]
) -> None:
    monkeypatch.setattr(inventory, "CONNECTING", 0.01)
    session = make(AXIS, {"name": "late", "kind": "test.slow"}, strict=False)
    assert "has not answered within 0.01 s; it joins when it does" in repr(session.devices["late"])
    session.move(rot=1.0)
    SWITCH["gate"].set()
    wait_for(lambda: "late" in session.axes)
    session.move(late=3.0)
    assert session.late.position == pytest.approx(3.0)


def test_a_camera_that_cannot_start_fails_for_itself(
    make: Callable[..., Session], wait_for: Callable[..., None]
) -> None:
    session = make(AXIS, RING, {"name": "cam", "kind": "replay", "file": "/nowhere.h5", "rotation": "rot"})
    assert list(session.cameras) == ["cam"] or isinstance(session.devices["cam"], Failed)
    with pytest.raises(DeviceError, match="cam: is not available"):
        session.ct(0.1, "cam")
    wait_for(lambda: isinstance(session.devices["cam"], Failed))
    assert session.ct(0.0, "ring").end is not None
    with pytest.raises(Exception, match="nowhere"):
        session.retry("cam")


def test_two_sessions_share_a_buffer_and_have_cameras_of_one_name(tmp_path: Path, buffer_root: Path) -> None:
    from firstlight.session import Layout, simulated

    small = Layout(shape=(8, 16))
    with (
        simulated(tmp_path / "a", name="a", layout=small, buffer=buffer_root) as a,
        simulated(tmp_path / "b", name="b", layout=small, buffer=buffer_root) as b,
    ):
        jobs = [session.engine.launch(session.loopscan.scan(3, 0.01, "cam", "diode")) for session in (a, b)]
        runs = [session.saved(job) for session, job in zip((a, b), jobs, strict=True)]
        for run, session in zip(runs, (a, b), strict=True):
            assert run["cam"].shape == (3, 8, 16)
            assert run.path is not None
            assert run.path.is_relative_to(session.data)


def test_axes_that_a_device_brings_are_axes_of_the_session(make: Callable[..., Session]) -> None:
    up, down = ({"name": name, "kind": "sim.axis", "unit": "mm", "instant": True} for name in ("up", "down"))
    slits = {"name": "slits", "kind": "calc.slits", "positive": "up", "negative": "down"}
    session = make(up, down, slits)
    assert {"slits.gap", "slits.offset"} <= set(session.axes)
    session.slits.gap.move(2.0)
    session.move({"slits.offset": 1.0})
    assert session["slits.gap"].position == pytest.approx(2.0)
    assert session.slits.gap is session.axes["slits.gap"]
