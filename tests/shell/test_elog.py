"""The electronic log of the dataset: what is written into it by itself and on demand."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from tests.shell.conftest import Prompt


def texts(prompt: Prompt) -> list[str]:
    prompt.desk.written().flush()
    return [f"{entry.kind}: {entry.text}" for entry in prompt.session.elog]


def test_comments_are_kept_in_the_dataset(prompt: Prompt) -> None:
    assert "noted" in prompt("elog_print it's late, isn't it?")
    assert texts(prompt)[-1] == "comment: it's late, isn't it?"
    assert prompt.session.elog.path.parent == prompt.session.dataset.folder


def test_commands_wait_until_the_dataset_begins(prompt: Prompt) -> None:
    prompt("wa")
    assert not prompt.session.dataset.folder.exists()
    prompt("sct 0 diode")
    found = texts(prompt)
    assert found[-2].startswith("command: wa\n")
    assert "rot[deg]" in found[-2]
    assert found[-1].startswith("command: sct 0 diode")
    assert "scan 1: 1 point" in found[-1]


def test_mistakes_are_kept_as_such(prompt: Prompt) -> None:
    prompt("sct 0 diode")
    prompt("mv rot 9999")
    assert texts(prompt)[-1].startswith("error: mv rot 9999\nrot: cannot go to 9999 deg")


def test_notes_stay_in_the_dataset_in_which_they_were_made(prompt: Prompt) -> None:
    prompt("sct 0 diode")
    prompt("wu")
    folder = prompt.session.dataset.folder
    prompt("newdataset")
    prompt("elog_print new")
    assert any("wu" in line for line in (folder / f"{folder.name}_elog.jsonl").read_text().splitlines())
    assert not any("command: wu" in text for text in texts(prompt))


def test_the_last_command_can_be_added_again(prompt: Prompt) -> None:
    assert "There is no earlier command" in prompt("elog_add")
    prompt("wu rot")
    prompt("elog_add")
    assert texts(prompt)[-1].startswith("info: wu rot\n")


def test_a_plot_becomes_a_picture_in_the_gallery(prompt: Prompt) -> None:
    prompt("ascan sx -0.5 0.5 10 0.001 diode")
    prompt("elog_plot")
    entry = prompt.session.elog[-1]
    assert entry.kind == "plot"
    with Image.open(prompt.session.dataset.gallery / entry.picture) as image:
        assert image.size == (900, 560)
        assert len(set(image.convert("L").tobytes())) > 10


def test_a_mesh_becomes_a_picture_too(prompt: Prompt) -> None:
    prompt("amesh sx -0.5 0.5 4 sz 0 1 3 0.001 diode")
    prompt("elog_plot diode")
    assert prompt.session.elog[-1].picture.endswith(".png")


def test_functions_go_into_the_log(prompt: Prompt) -> None:
    prompt("elog_prdef cen")
    assert "def cen(" in texts(prompt)[-1]


def test_the_log_is_shown_and_exported(prompt: Prompt) -> None:
    prompt("elog_print first")
    prompt("elog_print second")
    assert [line.split()[-1] for line in prompt("elog_show 2").splitlines()] == ["first", "second"]
    printed = prompt("elog_export")
    page = Path(printed.removeprefix("written to ").strip())
    assert page.parent.name == "NOTES"
    assert "second" in page.read_text()


def test_a_log_that_cannot_be_written_ends_nothing(prompt: Prompt) -> None:
    prompt("sct 0 diode")
    prompt.desk.written().flush()
    log = prompt.session.elog.path
    log.unlink()
    log.mkdir()
    try:
        assert "rot" in prompt("wu")
        assert prompt.desk.written().flush()
        assert "can" in prompt("elog_print hello")
    finally:
        log.rmdir()
