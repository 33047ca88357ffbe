"""What outlives a session, and what a changed configuration changes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import firstlight
from firstlight.configuration import new
from firstlight.model import Conflict, NotFound
from firstlight.scanning import Busy
from firstlight.session import Session

QUICK: dict[str, Any] = {"kind": "sim.axis", "velocity": 500.0, "acceleration": 50000.0}
DEVICES: list[dict[str, Any]] = [
    {"name": "rot", **QUICK},
    {"name": "sx", **QUICK},
    {"name": "ring", "kind": "sim.ring"},
    {"name": "diode", "kind": "sim.diode"},
]


@pytest.fixture
def make(tmp_path: Path, buffer_root: Path) -> Iterator[Callable[..., Session]]:
    made: list[Session] = []

    def new(devices: list[dict[str, Any]] = DEVICES, **options: Any) -> Session:
        if made:
            made[-1].close()
        options = {"data": tmp_path / "data", "buffer": buffer_root, "state": tmp_path / "state"} | options
        options.setdefault("groups", {"one": ["ring"], "two": ["ring", "diode"]})
        made.append(Session("keeping", devices, default=["one"], **options))
        return made[-1]

    yield new
    for session in made:
        session.close()


def test_a_run_that_waits_to_be_saved_keeps_its_number_whatever_became_of_its_folder(
    make: Callable[..., Session],
) -> None:
    first = make()
    first.newproposal("hc5")
    first.newsample("tooth")
    first.newdataset("lost")
    for _ in range(3):
        assert first.loopscan(1, 0, "ring").number is not None
    folder = first.current.dataset.folder
    second = make()
    shutil.rmtree(folder)
    assert second.current.dataset.folder == folder
    run = second.loopscan(1, 0, "ring")
    assert run.number == 4
    assert second.loopscan(1, 0, "ring").number == 5
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["scan0004", "scan0005"]
    second.newdataset("other")
    assert second.loopscan(1, 0, "ring").number == 1


def test_settings_of_axes_and_groups_and_the_dataset_are_found_again(make: Callable[..., Session]) -> None:
    first = make()
    first.move(rot=5.0)
    first.rot.set_position(100.0)
    first.rot.limits = (-50.0, 250.0)
    first.sx.velocity = 123.0
    first.groups.add("mine", "diode").disable("diode")
    first.groups.active = "two"
    first.newproposal("hc5")
    first.newsample("tooth", "a fossil")
    first.newdataset("overview")
    second = make()
    assert second.rot.offset == pytest.approx(95.0)
    assert second.rot.limits == pytest.approx((-50.0, 250.0))
    assert second.sx.velocity == 123.0
    assert second.groups["mine"].disabled == ("diode",)
    assert second.groups.active is second.groups["two"]
    assert (second.current.experiment.proposal, second.current.sample) == ("hc5", "tooth")
    assert second.dataset.name == "overview"
    assert second.current.description == "a fossil"


def test_modes_of_counters_are_found_again_and_calculated_ones_are_counters(make: Callable[..., Session]) -> None:
    devices = [
        *DEVICES,
        {"name": "where", "kind": "soft.counter", "device": "rot", "attribute": "position", "unit": "deg"},
        {"name": "norm", "kind": "calc.counter", "expression": "diode / ring * 100 mA"},
    ]
    first = make(devices)
    first.devices["where"].mode = "stats"
    second = make(devices)
    assert second.devices["where"].mode == "stats"
    assert "norm" in second.counters
    second.move(rot=5.0)
    run = second.loopscan(3, 0.02, "norm", "where:max")
    assert run["where:max"][:].tolist() == [5.0] * 3
    np.testing.assert_allclose(run["norm"][:], run["diode"][:] / run["ring"][:] * 100)
    assert "where" not in run


def test_what_the_configuration_says_holds_again_after_a_reset(make: Callable[..., Session]) -> None:
    first = make()
    first.sx.velocity = 123.0
    first.sx.reset()
    assert make().sx.velocity == 500.0


def test_a_group_whose_members_are_gone_is_left_out(
    make: Callable[..., Session], caplog: pytest.LogCaptureFixture
) -> None:
    make().groups.add("mine", "diode")
    second = make([device for device in DEVICES if device["name"] != "diode"], groups={"one": ["ring"]})
    assert list(second.groups) == ["one"]
    assert "The group mine was not restored: There is no counter, camera or group diode." in caplog.text


def test_settings_survive_kill_and_a_setup_is_set_back(tmp_path: Path, buffer_root: Path) -> None:
    code = f"""
from pathlib import Path
from firstlight.session import Session
devices = [{{"name": "rot", "kind": "sim.axis"}}, {{"name": "ring", "kind": "sim.ring"}}]
session = Session(
    "killed", devices, data=Path({str(tmp_path / "data")!r}), buffer=Path({str(buffer_root)!r}),
    state=Path({str(tmp_path / "state")!r}), setups={{"slow": {{"rot": {{"velocity": 1.0}}}}}},
)
session.rot.set_position(42.0)
session.rot.velocity = 7.0
with session.setup("slow"):
    assert session.rot.velocity == 1.0
    print("within", flush=True)
    input()
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "within\n"
        os.kill(process.pid, signal.SIGKILL)
    devices = [{"name": "rot", "kind": "sim.axis"}, {"name": "ring", "kind": "sim.ring"}]
    with _when_free(lambda: Session(
        "killed", devices, data=tmp_path / "data", buffer=buffer_root, state=tmp_path / "state"
    )) as session:  # fmt: skip
        assert session.rot.position == pytest.approx(42.0)
        assert session.rot.velocity == 7.0


def _when_free(make: Callable[[], Session]) -> Session:
    """The guard of a session that died holds its lock for as long as it needs to make things safe."""
    import time

    deadline = time.monotonic() + 30
    while True:
        try:
            return make()
        except Conflict:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


CONFIGURATION = """
beamline: fl02
storage: {data: data}
devices:
  - {name: rot, kind: sim.axis, velocity: 500, acceleration: 50000}
  - {name: sx, kind: sim.axis, velocity: 500, acceleration: 50000}
  - {name: ring, kind: sim.ring}
  - {name: diode, kind: sim.diode}
groups:
  one: [ring]
  two: [ring, diode]
default: one
aliases: {omega: rot}
setups:
  fast: {rot: {velocity: 900}}
scripts: align.py
sessions:
  part: {devices: [sx, ring], groups: [one]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "align.py").write_text("rot.move(2)\n")
    path = tmp_path / "fl02.yml"
    path.write_text(CONFIGURATION)
    return path


def test_a_session_is_loaded_from_a_file(file: Path, buffer_root: Path) -> None:
    with firstlight.load(file, buffer=buffer_root) as session:
        assert session.name == "fl02"
        assert list(session.devices) == ["rot", "sx", "ring", "diode"]
        run = session.loopscan(1, 0)
        assert "ring" in run
        assert "diode" not in run
        assert run.path is not None
        assert run.path.is_relative_to(file.parent / "data")
        with session.setup("fast"):
            assert session.omega.velocity == 900
        session.script("align")
        assert session.rot.position == pytest.approx(2.0)
        assert session.config is not None
        assert session.config.name == "fl02"


def test_a_sub_session_has_a_part_of_the_beamline(file: Path, buffer_root: Path) -> None:
    with (
        firstlight.load(file, session="part", buffer=buffer_root) as part,
        firstlight.load(file, buffer=buffer_root) as whole,
    ):
        assert part.name == "part"
        assert list(part.devices) == ["sx", "ring"]
        assert list(part.groups) == ["one"]
        assert part.aliases == {}
        part.sx.set_position(3.0)
        assert len(whole.devices) == 4
        assert part.loopscan(1, 0).path != whole.loopscan(1, 0).path
        with part.lock("sx"), pytest.raises(Busy, match=r"sx is used by .* in the session part: locked"):
            whole.sx.move(1.0)
        whole.sx.move(1.0)
    with pytest.raises(NotFound, match=r"fl02 has no session prt\. Did you mean part"):
        firstlight.load(file, session="prt", buffer=buffer_root)


def test_reload_changes_what_changed_and_keeps_the_rest(file: Path, buffer_root: Path) -> None:
    with firstlight.load(file, buffer=buffer_root) as session:
        rot, sx, diode = session.rot, session.sx, session.diode
        session.move(rot=5.0)
        assert session.reload() == "Nothing has changed."
        changed = CONFIGURATION.replace(
            "name: sx, kind: sim.axis, velocity: 500", "name: sx, kind: sim.axis, velocity: 400"
        )
        changed = changed.replace("  - {name: diode, kind: sim.diode}\n", "  - {name: sy, kind: sim.axis}\n")
        changed = changed.replace("two: [ring, diode]", "three: [ring]")
        file.write_text(changed)
        said = session.reload()
        assert "added: sy" in said
        assert "built again: sx" in said
        assert "removed: diode" in said
        assert session.rot is rot
        assert session.rot.position == pytest.approx(5.0)
        assert session.sx is not sx
        assert session.sx.velocity == 400
        assert list(session.devices) == ["rot", "sx", "ring", "sy"]
        assert diode.name not in session.devices
        assert list(session.groups) == ["one", "three"]
        session.move(sy=1.0, sx=1.0)
        assert session.loopscan(1, 0).end is not None


def test_a_wrong_configuration_changes_nothing(file: Path, buffer_root: Path) -> None:
    with firstlight.load(file, buffer=buffer_root) as session:
        before = dict(session.devices)
        file.write_text(CONFIGURATION.replace("sim.diode", "sim.diod"))
        with pytest.raises(Exception, match=r"sim\.diode"):
            session.reload()
        assert dict(session.devices) == before
        file.write_text(CONFIGURATION.replace("beamline: fl02", "beamline: fl03"))
        with pytest.raises(Conflict, match="called fl03 now"):
            session.reload()


def test_nothing_is_reloaded_while_something_runs(file: Path, buffer_root: Path) -> None:
    with firstlight.load(file, buffer=buffer_root) as session:
        job = session.engine.launch(session.loopscan.scan(100000, 0.001))
        with pytest.raises(Conflict, match=r"loopscan 100000 0\.001 runs; the configuration cannot change now"):
            session.reload()
        session.abort()
        job.result(20)
    with Session("bare", [], data=file.parent, buffer=buffer_root) as bare, pytest.raises(Conflict, match="no config"):
        bare.reload()


def test_a_proposal_outside_the_roots_is_refused_before_anything_is_measured(file: Path, buffer_root: Path) -> None:
    disk = file.parent / "disk"
    file.write_text(CONFIGURATION.replace("storage: {data: data}", f"storage: {{data: data, visitor: {disk}}}"))
    with firstlight.load(file, buffer=buffer_root) as session:
        before = repr(session.current)
        with pytest.raises(NotFound, match=f"The proposal hc1 belongs in {disk}, which does not exist"):
            session.newproposal("hc1")
        assert repr(session.current) == before
        disk.mkdir()
        session.newproposal("hc1")
        assert str(session.loopscan(1, 0).path).startswith(str(disk))
        session.newproposal("test1")
        assert session.current.experiment.root == file.parent / "data" / "fl02" / "tmp"


def test_a_whole_beamline_that_did_not_change_is_left_alone(tmp_path: Path, buffer_root: Path) -> None:
    written, _ = new(tmp_path / "fl01.yml", full=True)
    text = written.read_text()
    written.write_text(text + "\naliases: {opening: s1h.gap, angle: rot}\n")
    with firstlight.load(written, buffer=buffer_root) as session:
        assert session.reload() == "Nothing has changed."
        assert session["opening"].name == "s1h.gap"
        assert session["angle"].name == "rot"
        written.write_text(text)
        assert session.reload() == "changed: aliases"
        assert session["s1h.gap"].unit == "mm"
