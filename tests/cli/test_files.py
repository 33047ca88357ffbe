"""``firstlight ls``, ``show``, ``export``, ``recover`` and ``compact`` on runs that the saver wrote."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from firstlight.buffer import Buffer
from firstlight.model import ChannelKind, ChannelRole, ChannelSpec, EndReason, PlotHint, RunEnd, RunInfo
from firstlight.storage import (
    DataPolicy,
    DatasetFolder,
    Roots,
    RunSaver,
    SaverOptions,
    open_scan,
    recover,
    write_dataset_links,
)
from firstlight.storage._runsaver import Interrupted

Main = Callable[..., int]
Refused = Callable[..., str]
Capture = pytest.CaptureFixture[str]

POINTS = 11


@pytest.fixture
def dataset(tmp_path: Path) -> DatasetFolder:
    policy = DataPolicy("fl01", Roots.under(tmp_path / "data"))
    return policy.experiment("hc1234", "20260102").dataset("tooth", "overview")


@pytest.fixture
def buffer(environment: dict[str, str]) -> Buffer:
    return Buffer(Path(environment["FIRSTLIGHT_BUFFER"]), spill=Path(environment["FIRSTLIGHT_SPILL"]), budget=1 << 28)


def acquire(buffer: Buffer, dataset: DatasetFolder) -> str:
    """One step scan whose session ends well, and which nobody has saved yet."""
    info = RunInfo(
        name="ascan",
        title="ascan rot 0 10 10 0.1 [diode]",
        start_epoch=1.7e9,
        npoints=POINTS,
        saving=dataset.saving(),
        axes=("rot",),
        plots=(PlotHint(x="rot", y=("diode",)),),
    )
    with buffer.create_run(info, readers=["saver"]) as run:
        run.prepared()
        rot = run.create_log(ChannelSpec("rot", unit="deg", role=ChannelRole.AXIS, source="rot"))
        diode = run.create_log(ChannelSpec("diode", unit="A", role=ChannelRole.COUNTER, source="diode"))
        run.running()
        rot.append(np.linspace(0, 10, POINTS))
        diode.append(np.exp(-((np.linspace(0, 10, POINTS) - 4.0) ** 2)))
        run.stop(RunEnd(reason=EndReason.SUCCESS, epoch=1.7e9 + 12))
        return run.key


@pytest.fixture
def saved(buffer: Buffer, dataset: DatasetFolder) -> DatasetFolder:
    """A dataset with two scans, both in their files."""
    acquire(buffer, dataset)
    acquire(buffer, dataset)
    assert [one.outcome for one in recover(buffer)] == ["saved", "saved"]
    return dataset


def test_ls_lists_the_datasets_below_a_folder(main: Main, capsys: Capture, saved: DatasetFolder) -> None:
    assert main("ls", str(saved.experiment.root)) == 0
    text = capsys.readouterr().out
    assert "hc1234" in text
    assert "tooth" in text
    assert "overview" in text
    assert main("ls", str(saved.experiment.root), "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["sample"], found["dataset"], found["scans"]) == ("tooth", "overview", [1, 2])


@pytest.mark.parametrize("what", ["folder", "file"])
def test_ls_lists_the_scans_of_a_dataset(main: Main, capsys: Capture, saved: DatasetFolder, what: str) -> None:
    assert main("ls", str(getattr(saved, what))) == 0
    text = capsys.readouterr().out
    assert text.count("ascan rot 0 10 10 0.1 [diode]") == 2
    assert text.count("SUCCESS") == 2
    assert main("ls", str(getattr(saved, what)), "--json") == 0
    assert [run["number"] for run in json.loads(capsys.readouterr().out)] == [1, 2]


def test_ls_of_an_empty_folder_says_so(main: Main, capsys: Capture, tmp_path: Path) -> None:
    assert main("ls", str(tmp_path)) == 0
    assert "There is no dataset below" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["folder", "file"])
def test_show_tells_what_a_run_was_and_its_channels(
    main: Main, capsys: Capture, saved: DatasetFolder, what: str
) -> None:
    assert main("show", str(getattr(saved, what)), "--scan", "1") == 0
    text = capsys.readouterr().out
    assert "ascan rot 0 10 10 0.1 [diode]" in text
    assert "with SUCCESS" in text
    assert "proposal hc1234, sample tooth, dataset overview, scan 1" in text
    assert "diode" in text
    assert "deg" in text
    assert main("show", str(getattr(saved, what)), "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["info"]["saving"]["number"] == 2
    assert {c["name"]: c["count"] for c in shown["channels"]}["diode"] == POINTS


def test_show_finds_a_run_in_the_buffer_by_its_key(
    main: Main, capsys: Capture, buffer: Buffer, dataset: DatasetFolder
) -> None:
    key = acquire(buffer, dataset)
    assert main("show", key) == 0
    assert "ascan rot 0 10 10 0.1" in capsys.readouterr().out


def test_export_writes_columns(main: Main, capsys: Capture, saved: DatasetFolder, tmp_path: Path) -> None:
    assert main("export", "csv", str(saved.folder), "out.csv", "--scan", "1") == 0
    assert "out.csv: 11 items." in capsys.readouterr().out
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert len(lines) == POINTS + 1
    assert "diode" in lines[0]


def test_export_never_overwrites_unasked(main: Main, refused: Refused, saved: DatasetFolder, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("precious")
    assert "exists already" in refused("export", "csv", str(saved.folder), "out.csv")
    assert (tmp_path / "out.csv").read_text() == "precious"
    assert main("export", "csv", str(saved.folder), "out.csv", "--overwrite") == 0
    assert (tmp_path / "out.csv").read_text() != "precious"


def test_export_refuses_what_it_does_not_know(refused: Refused, saved: DatasetFolder) -> None:
    folder = str(saved.folder)
    assert "There is no export format 'cvs'." in refused("export", "cvs", folder, "out.csv")
    assert "Did you mean csv?" in refused("export", "cvs", folder, "out.csv")
    assert "The format nxtomo has no setting 'enrgy'." in refused("export", "nxtomo", folder, "o", "--set", "enrgy=3")
    assert "is not NAME=VALUE" in refused("export", "nxtomo", folder, "o", "--set", "energy", status=2)
    assert "has no scan 7" in refused("export", "csv", folder, "out.csv", "--scan", "7")


def test_recover_saves_what_a_dead_session_left_and_says_so_once(
    main: Main, capsys: Capture, buffer: Buffer, dataset: DatasetFolder
) -> None:
    acquire(buffer, dataset)
    assert main("recover") == 0
    assert f"saved: ascan rot 0 10 10 0.1 [diode] -> {dataset.scan_file(1)}" in capsys.readouterr().out
    with h5py.File(dataset.scan_file(1)) as file:
        assert file["1.1/measurement/diode"].shape == (POINTS,)
    assert main("recover") == 0
    assert "Nothing was left in the buffer" in capsys.readouterr().out


def test_recover_saves_the_acknowledged_items_of_a_killed_session(
    main: Main, capsys: Capture, environment: dict[str, str], dataset: DatasetFolder
) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; import numpy as np\n"
        "from firstlight.buffer import Buffer; from firstlight.model import *\n"
        "info = RunInfo.model_validate_json(sys.argv[1])\n"
        "run = Buffer().create_run(info, readers=['saver']); run.prepared()\n"
        "log = run.create_log(ChannelSpec('diode', source='diode')); run.running(); log.append(np.arange(5.0))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    info = RunInfo(name="ct", title="ct 1", start_epoch=1.7e9, npoints=9, saving=dataset.saving())
    command = [sys.executable, "-c", script, info.model_dump_json()]
    assert subprocess.run(command, env=environment, check=False).returncode == -9
    assert main("recover") == 0
    assert "saved: ct 1" in capsys.readouterr().out
    assert main("show", str(dataset.folder)) == 0
    assert "with LOST" in capsys.readouterr().out
    assert main("ls", str(dataset.folder)) == 0
    assert "5 of 9" in capsys.readouterr().out
    with h5py.File(dataset.scan_file(1)) as file:
        np.testing.assert_array_equal(file["1.1/measurement/diode"][()], np.arange(5.0))


def test_recover_leaves_a_living_session_alone(
    main: Main, capsys: Capture, buffer: Buffer, dataset: DatasetFolder
) -> None:
    info = RunInfo(name="ct", title="ct 1", start_epoch=1.7e9, saving=dataset.saving())
    with buffer.create_run(info, readers=["saver"]) as run:
        run.running()
        assert main("recover", "--json") == 0
        (one,) = json.loads(capsys.readouterr().out)["runs"]
        assert one["outcome"] == "busy"


def test_recover_makes_links_anew(main: Main, capsys: Capture, saved: DatasetFolder) -> None:
    saved.file.unlink()
    assert main("recover", str(saved.experiment.root)) == 0
    assert "of links below" in capsys.readouterr().out
    with h5py.File(saved.file) as file:
        assert sorted(file) == ["1.1", "2.1"]


def save_until_told(saver: RunSaver) -> None:
    with contextlib.suppress(Interrupted):
        saver.save()


def left_on_disk(buffer: Buffer, dataset: DatasetFolder, age: float = 3600.0) -> Path:
    """What a machine that stopped leaves of a run: its file without an end, and journals, but no buffer."""
    info = RunInfo(name="ct", title="ct 1", start_epoch=1.7e9, saving=dataset.saving())
    stopping = threading.Event()
    with buffer.create_run(info, readers=["saver"]) as run:
        run.create_log(ChannelSpec("diode", source="diode")).append(np.arange(5.0))
        cam = ChannelSpec("cam", "<u2", (4, 6), kind=ChannelKind.RING, role=ChannelRole.FRAME)
        run.create_ring(cam, 8).append(np.ones((5, 4, 6), "<u2"))
        run.running()
        saver = RunSaver(buffer, buffer.run(run.key), SaverOptions(flush=0.01), stopping=stopping)
        thread = threading.Thread(target=save_until_told, args=(saver,))
        thread.start()
        assert buffer.run(run.key).wait(lambda: dataset.scan_file(1).exists() and saver.frames == 5, 20)
        with open_scan(dataset.scan_file(1)) as scan:
            assert scan.wait(lambda: len(scan.names()) == 2 and all(c.count == 5 for c in scan.channels.values()), 20)
        stopping.set()
        thread.join()
    buffer.remove(run.key, force=True)
    for path in (dataset.scan_folder(1), *dataset.scan_folder(1).iterdir()):
        os.utime(path, (time.time() - age,) * 2)
    return dataset.scan_file(1)


def test_recover_puts_in_order_what_no_buffer_knows(
    main: Main, capsys: Capture, buffer: Buffer, dataset: DatasetFolder
) -> None:
    file = left_on_disk(buffer, dataset)
    assert main("recover") == 0
    assert "rescued" not in capsys.readouterr().out  # nobody said where to look
    folder = str(dataset.experiment.root)
    assert main("recover", folder) == 0
    assert f"rescued: scan0001 -> {file} (2 channels of up to 5 items)" in capsys.readouterr().out
    with open_scan(file) as scan:
        assert scan.end is not None
        assert scan.end.reason is EndReason.LOST
        assert len(scan.channels["cam"].read(0, 5)) == 5
    assert main("recover", folder, "--json") == 0
    assert json.loads(capsys.readouterr().out)["runs"] == []


def test_recover_leaves_a_file_alone_that_changed_just_now(
    main: Main, capsys: Capture, buffer: Buffer, dataset: DatasetFolder
) -> None:
    left_on_disk(buffer, dataset, age=0.0)
    assert main("recover", str(dataset.experiment.root), "--json") == 0
    (one,) = json.loads(capsys.readouterr().out)["runs"]
    assert (one["outcome"], "try again" in one["message"]) == ("busy", True)


def test_recover_of_a_folder_leaves_to_the_buffer_what_it_holds(
    main: Main, capsys: Capture, buffer: Buffer, dataset: DatasetFolder
) -> None:
    """A living session's run is no leftover, even when nobody writes its file at this moment."""
    info = RunInfo(name="ct", title="ct 1", start_epoch=1.7e9, saving=dataset.saving())
    with buffer.create_run(info, readers=["saver"]) as run:
        run.create_log(ChannelSpec("diode")).append(np.arange(5.0))
        run.running()
        stopping = threading.Event()
        stopping.set()
        save_until_told(RunSaver(buffer, buffer.run(run.key), SaverOptions(), stopping=stopping))
        assert dataset.scan_file(1).exists()
        for path in (dataset.scan_folder(1), dataset.scan_file(1)):
            os.utime(path, (1e9, 1e9))
        assert main("recover", str(dataset.experiment.root), "--json") == 0
        (one,) = json.loads(capsys.readouterr().out)["runs"]
        assert (one["key"], one["outcome"]) == (run.key, "busy")


def test_recover_leaves_unfinished_files_of_others_alone(main: Main, capsys: Capture, dataset: DatasetFolder) -> None:
    dataset.scan_folder(1).mkdir(parents=True)
    with h5py.File(dataset.scan_file(1), "w") as file:
        file["1.1/writer/status"] = "RUNNING"
        file["1.1/measurement/diode"] = np.arange(3.0)
    os.utime(dataset.scan_file(1), (1e9, 1e9))
    before = dataset.scan_file(1).read_bytes()
    assert main("recover", str(dataset.experiment.root), "--json") == 0
    assert json.loads(capsys.readouterr().out)["runs"] == []
    assert dataset.scan_file(1).read_bytes() == before


@pytest.mark.parametrize("what", ["folder", "file"])
def test_compact_merges_a_dataset(main: Main, capsys: Capture, saved: DatasetFolder, what: str) -> None:
    write_dataset_links(saved.file)
    assert main("compact", str(getattr(saved, what))) == 0
    assert "holds 2 runs; 2 files removed." in capsys.readouterr().out
    assert not saved.scan_file(1).exists()
    assert main("show", str(saved.folder), "--scan", "1") == 0
    assert "SUCCESS" in capsys.readouterr().out


def test_compact_can_keep_the_single_files(main: Main, capsys: Capture, saved: DatasetFolder) -> None:
    assert main("compact", str(saved.folder), "--keep", "--json") == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["entries"], done["removed"]) == (["1.1", "2.1"], [])
    assert saved.scan_file(1).exists()


@pytest.mark.parametrize("command", ["ls", "show", "compact", "recover", "export csv"])
def test_what_does_not_exist_is_one_sentence(refused: Refused, tmp_path: Path, command: str) -> None:
    output = ["out.csv"] if command.startswith("export") else []
    assert "absent" in refused(*command.split(), str(tmp_path / "absent.h5"), *output)


@pytest.mark.parametrize("command", ["ls", "show", "compact", "export csv"])
@pytest.mark.parametrize("content", ["text", "empty", "cut", "foreign"])
def test_a_file_of_another_kind_is_one_sentence(
    refused: Refused, saved: DatasetFolder, tmp_path: Path, command: str, content: str
) -> None:
    path = tmp_path / "thing.h5"
    if content == "text":
        path.write_text("This is a letter.\n" * 1000)
    elif content == "empty":
        path.touch()
    elif content == "cut":
        path.write_bytes(saved.scan_file(1).read_bytes()[:3000])
    else:
        with h5py.File(path, "w") as file:
            file["pictures"] = np.zeros((3, 4))
    output = ["out.csv"] if command.startswith("export") else []
    assert "thing.h5" in refused(*command.split(), str(path), *output)


class Disk:
    """Runs the command where a small or read-only disk is mounted, in a name space of its own."""

    def __init__(self, firstlight: Path, environment: dict[str, str], mount: Path) -> None:
        self._firstlight = firstlight
        self._environment = environment
        self.mount = mount

    def run(self, options: str, *arguments: str, before: str = "true") -> subprocess.CompletedProcess[str]:
        script = (
            'mount -t tmpfs -o "$1" none "$2" || exit 77; shift; cd "$1" || exit 77; shift; eval "$1"; shift; exec "$@"'
        )
        command = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh"]
        return subprocess.run(
            [*command, options, str(self.mount), before, str(self._firstlight), *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def disk(environment: dict[str, str], tmp_path: Path) -> Disk:
    mount = tmp_path / "mount"
    mount.mkdir()
    disk = Disk(Path(sys.executable).with_name("firstlight"), environment, mount)
    if shutil.which("unshare") is None or disk.run("size=100k", "--version").returncode:
        pytest.skip("optional: this kernel lets nobody mount a small disk in a name space of his own")
    return disk


def one_sentence(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) <= 2
    return result.stderr


def test_a_full_disk_is_one_sentence(disk: Disk, saved: DatasetFolder) -> None:
    fill = "head -c 100000 /dev/zero > filler 2>/dev/null"
    result = disk.run("size=4k", "export", "csv", str(saved.folder), "out.csv", before=fill)
    assert "full" in one_sentence(result)


def test_a_read_only_disk_is_one_sentence(disk: Disk, saved: DatasetFolder) -> None:
    result = disk.run("ro", "export", "csv", str(saved.folder), "out.csv")
    assert f"{disk.mount / 'out.csv'} can not be written: Read-only file system." in one_sentence(result)


def test_a_demo_on_a_read_only_disk_is_one_sentence(disk: Disk) -> None:
    told = one_sentence(disk.run("ro", "demo", "--headless", "--data", str(disk.mount)))
    assert f"The folder {disk.mount} can not be written: Read-only file system." in told
    assert "--data" in told


def test_recover_keeps_the_run_when_the_disk_is_full(disk: Disk, buffer: Buffer, dataset: DatasetFolder) -> None:
    key = acquire(buffer, dataset)
    saving = buffer.run(key).info.saving
    assert saving is not None
    shutil.rmtree(dataset.experiment.root)
    place = Path(saving.file).parents[3]
    place.mkdir(parents=True)
    small = Disk(disk._firstlight, disk._environment, place)
    result = small.run("size=4k", "recover", before="head -c 100000 /dev/zero > filler 2>/dev/null")
    assert result.returncode == 1
    assert result.stdout.startswith("failed: ascan rot")
    assert "Traceback" not in result.stderr
    shutil.rmtree(place)
    assert [one.outcome for one in recover(buffer)] == ["saved"]
