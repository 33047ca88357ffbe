"""Settings outlive the process that made them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from firstlight.model import FirstlightError, InvalidInput
from firstlight.storage import SettingsStore


def test_a_section_is_a_mapping_that_another_process_finds_again(tmp_path: Path) -> None:
    with SettingsStore("ID19", tmp_path) as store:
        rot = store.section("axis rot")
        rot["offset"] = 1.25
        rot.store({"limits": [-1, 1], "sign": -1})
        del rot["sign"]
        store.section("groups")["active"] = "tomo"
    with SettingsStore("id19", tmp_path) as again:
        assert dict(again.section("axis rot")) == {"limits": [-1, 1], "offset": 1.25}
        assert again.sections() == ["axis rot", "groups"]
        assert len(again.section("axis rot")) == 2
        assert again.section("nothing").get("x") is None


def test_what_is_no_json_value_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    with SettingsStore("id19", tmp_path) as store:
        section = store.section("a")
        section["x"] = 1
        with pytest.raises(InvalidInput, match="A setting of a is no JSON value"):
            section.store({"x": 2, "y": object()})
        assert dict(section) == {"x": 1}
        with pytest.raises(KeyError):
            del section["y"]


def test_every_change_that_was_made_survives_kill(tmp_path: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from firstlight.storage import SettingsStore
section = SettingsStore("id19", Path({str(tmp_path)!r})).section("axis rot")
for number in range(10**9):
    section["offset"] = number
    sys.stdout.write(f"{{number}}\\n")
    sys.stdout.flush()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= 100:
                break
        os.kill(process.pid, signal.SIGKILL)
        last = [int(line) for line in process.stdout.read().split("\n")[:-1]] or [100]
    with SettingsStore("id19", tmp_path) as store:
        # The change after the last one that was told may have been made, too.
        assert store.section("axis rot")["offset"] in (last[-1], last[-1] + 1)


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from firstlight.storage import SettingsStore
import sys
section = SettingsStore("id19", Path({str(tmp_path)!r})).section(sys.argv[1])
for number in range(100):
    section[str(number)] = number
"""
    running = [subprocess.Popen([sys.executable, "-c", code, name]) for name in ("a", "b")]
    assert [process.wait(60) for process in running] == [0, 0]
    with SettingsStore("id19", tmp_path) as store:
        assert [len(store.section(name)) for name in ("a", "b")] == [100, 100]


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FirstlightError, match=r"cannot be opened: (File exists|Not a directory)\..*FIRSTLIGHT_STATE"):
        SettingsStore("id19", tmp_path / "file")
    (tmp_path / "id20.settings.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(FirstlightError, match=r"id20.settings.sqlite cannot be opened: file is not a database"):
        SettingsStore("id20", tmp_path)
