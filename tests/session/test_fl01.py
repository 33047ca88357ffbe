"""The simulated beamline of the package in a real session, with its camera in a process of its own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import firstlight
from firstlight.model import DeviceError, FirstlightError, InvalidInput
from firstlight.session import Session, load
from firstlight.simulation.beamlines import FL01


@pytest.fixture(scope="module")
def fl01(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A copy of its file, so that its data lie in the test's folder; and small frames."""
    folder = tmp_path_factory.mktemp("beamline")
    text = FL01.read_text().replace("shape: [192, 320]", "shape: [24, 320]")
    (folder / "fl01.yml").write_text(text)
    root = Path(tempfile.mkdtemp(prefix="firstlight-test-", dir="/dev/shm"))
    try:
        with load(folder / "fl01.yml", buffer=root, state=folder / "state") as session:
            session.newproposal("hc1234")
            session.newsample("tooth")
            yield session
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def session(fl01: Session) -> Session:
    fl01["faults"].clear()
    truth = fl01["beam"].truth()
    fl01.move({"mono_pitch": truth["mono"]["pitch"], "gap": 7.59, "sx": 0.0, "sz": 0.0, "rot": 0.0})
    return fl01


def test_a_scan_finds_the_second_crystal_and_its_file_tells_the_truth(session: Session) -> None:
    session.move({"mono_pitch": 0.0})
    run = session.ascan("mono_pitch", -0.25, 0.25, 100, 0.005, "i0")
    truth = run.info.devices["beam"]["truth"]
    assert float(run.com("i0")) == pytest.approx(truth["mono"]["pitch"], abs=0.02)
    assert run.info.saving is not None
    stored = firstlight.open(run.info.saving.file)
    assert stored.info.devices["beam"]["truth"]["mono"]["pitch"] == truth["mono"]["pitch"]


def test_the_camera_sees_the_beam_and_tells_its_own_truth(session: Session) -> None:
    run = session.ascan("mono_pitch", *(session["mono_pitch"].position + np.array([0.0, 0.4])), 1, 0.05, "cam", "diode")
    bright, dark = run["cam"][0].mean(), run["cam"][1].mean()
    assert bright > 5.0 * dark
    assert run["diode"][0] > 20.0 * run["diode"][1]
    told, stage = run.info.devices["cam"]["truth"], run.info.devices["beam"]["truth"]["sample"]
    assert told["rotation_column"] == pytest.approx(159.5 + stage["x_offset"] / 0.01)
    assert told["roll"] == stage["roll"] != 0.0


def test_energy_and_gap_are_moved_and_measured_by_their_names(session: Session) -> None:
    run = session.ascan("energy", 12.3, 12.5, 4, 0.005, "i0", "ring")
    assert run["energy"][:].tolist() == pytest.approx([12.3, 12.35, 12.4, 12.45, 12.5], abs=1e-3)
    assert run["ring"][:].min() > 190.0


def test_frames_that_the_camera_drops_are_missing_and_the_run_goes_on(session: Session) -> None:
    session["faults"].inject("cam", "drops", probability=0.4, seed=3)
    run = session.loopscan(20, 0.01, "cam")
    missing = run["cam:status"][:] == 1
    assert 2 < missing.sum() < 18
    assert (run["cam"][int(np.argmax(missing))] == 65535).all()
    assert run.info.devices["faults"]["truth"]["cam"]["drops"]["probability"] == 0.4


@pytest.mark.parametrize(
    ("device", "what", "words"),
    [
        ("cam", "disconnected", "cam: the connection is lost"),
        ("i0", "fails", "i0: its electronics report an error"),
        ("rot", "midway", "rot: stopped by itself"),
        ("fshut", "stuck", "fshut: did not open"),
    ],
)
def test_what_goes_wrong_ends_the_run_with_its_name_and_the_next_one_works(
    session: Session, device: str, what: str, words: str, wait_for: Callable[..., None]
) -> None:
    session["faults"].inject(device, what)
    if device == "cam":
        # It looks for faults a few times in a second.
        wait_for(lambda: _fails(session))
    with pytest.raises(DeviceError, match=words):
        session.ascan("rot", 10, 12, 2, 0.005, "i0", "cam")
    session["faults"].clear()
    session.move({"rot": 0.0})
    assert len(session.ascan("rot", 0, 1, 2, 0.005, "i0", "ring")["i0"]) == 3


def test_used_in_place_its_data_go_where_the_user_is(
    tmp_path: Path, buffer_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(FL01.parent.iterdir())
    with load(FL01, buffer=buffer_root, state=tmp_path / "state") as session:
        session.newproposal("hc1234")
        run = session.loopscan(2, 0.005, "i0", "ring")
        assert run.path is not None
        assert run.path.is_relative_to(tmp_path / "firstlight-data")
        assert session.reload() == "Nothing has changed."
        assert session.data == tmp_path / "firstlight-data"
    assert sorted(FL01.parent.iterdir()) == before


def test_the_whole_beamline_is_simulated_without_a_file(
    tmp_path: Path, buffer_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FL01_SEED", "5")
    found = []
    for seed in (None, 5, 7):
        with firstlight.simulated(tmp_path / "data", full=True, seed=seed, buffer=buffer_root) as session:
            assert session.data == tmp_path / "data"
            found.append(session["beam"].truth()["mono"]["pitch"])
            assert {"i0", "det", "apd", "changer"} <= set(session.kinds)
    assert found[0] == found[1] != found[2]
    assert (tmp_path / "data" / "settings").is_dir()
    with pytest.raises(InvalidInput, match="cameras and storage of its own"):
        firstlight.simulated(tmp_path / "data", full=True, compression="bitshuffle-lz4", buffer=buffer_root)


def _fails(session: Session) -> bool:
    try:
        session.loopscan(1, 0.005, "cam")
    except FirstlightError:
        return True
    return False


def test_the_beam_is_lost_on_demand_and_comes_back(session: Session) -> None:
    ring = session["ring"]
    ring.lose_beam(after=0.3, refill=0.5)
    run = session.loopscan(60, 0.02, "i0", "ring")
    light, current = run["i0"][:], run["ring"][:]
    assert current.min() == 0.0
    assert light[current == 0.0].max() < 1e-3 * light.max()
    assert current[-1] > 199.0
    assert light[-1] > 0.5 * light.max()
