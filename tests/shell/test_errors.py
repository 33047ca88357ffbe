"""Every mistake at the prompt is one or two clear lines, and never a traceback."""

from __future__ import annotations

import pytest

from tests.shell.conftest import Prompt

MISTAKES = [
    ("mv", "mv needs an axis and a position."),
    ("mv rot", "mv: there is no position for rot."),
    ("mv rto 10", "Did you mean rot?"),
    ("mv 10 rot", "10 is no axis."),
    ("mv diode 3", "diode is a counter, not an axis."),
    ("mv cam 3", "cam is a camera, not an axis."),
    ("mv tomo 3", "tomo is a group, not an axis."),
    ("mv rot 9999", "its limits are -190 to 550 deg."),
    ("mv rot 10mm", "rot: '10mm' is not a quantity in deg."),
    ("mv rot ten", "rot: 'ten' is not a quantity in deg."),
    ("mv rot [1]", "rot: [1] is not a position."),
    ("mv rot True", "rot: True is not a position."),
    ("mv rot 1e999", "rot: inf is not a position."),
    ("mv rot 1 rot 2", "mv: rot is named twice."),
    ("mv(rot 10)", "Write: mv axis position"),
    ("mv(rot, 10", "Write: mv axis position"),
    ("move rot 10 relative=yes", "move: relative is True or False, not 'yes'."),
    ("move rot 10 relativ=True", "Did you mean relative?"),
    ("stop nosuch", "There is no axis nosuch."),
    ("wa z*", "No axis matches z*."),
    ("sta rot", "sta takes no arguments, not 1."),
    ("ascan rot 0 10", "ascan needs intervals and count_time."),
    ("ascan rot 0 10 10 0.1 dioed", "Did you mean diode?"),
    ("ascan rot 0 9999 10 0.1", "outside its limits"),
    ("ascan rot 0 10 0 0.1", "intervals: 0 is too few."),
    ("ascan rot 0 10 10 0.1 save=maybe", "ascan: save is True or False, not 'maybe'."),
    ("ascan rot 0 10 10 0.1 sav=False", "Did you mean save?"),
    ("ascan(rot, 0, 10, 10, 0.1, stop=3)", "ascan is given stop twice."),
    ("ascan(rot, 0, 10, 10, 0.1, title=3)", "ascan: title is a text, not 3."),
    ("acsan rot 0 10 10 0.1", "Did you mean ascan?"),
    ("dsacn", "Did you mean dscan?"),
    ("2 * ct", "Write its arguments in brackets"),
    ("plot [1] [0]", "Write its arguments in brackets"),
    ("ct foo", "count_time: 'foo' is not a quantity in s."),
    ("newsample", "newsample needs name."),
    ("newsample(5)", "newsample: name is a text, not 5."),
    ("newsample bad/name", "for instance bad_name"),
    ("newdataset x y", "newdataset takes at most 1 argument, not 2."),
    ("cen nosuch", "has no nosuch."),
    ("elog_print", "There is nothing to write."),
    ("elog_plot nosuch", "has no nosuch."),
    ("elog_show many", "'many' is no number of entries."),
    ("lsobj z*", "Nothing among the devices matches z*."),
    ("lsconfig", "This session has no configuration file."),
    ("info nosuch", "There is no device or command nosuch."),
    ("prdef nosuch", "There is no command nosuch."),
    ("prdef 3", "3 has no text to show."),
    ("help nosuch", "There is no command nosuch."),
    ("plot 3", "3 is one number, not a curve."),
    ("plot nosuch", "'nosuch' is no list of numbers."),
    ("display plot=no", "display: plot is True or False, not 'no'."),
    ("debugon nosuch", "Nothing called nosuch logs."),
    ("showlog nosuch", "There is no log of nosuch."),
    ("last 99", "runs are remembered."),
    ("last x", "'x' counts no run."),
    ("goto_custom 3", "3 is no function."),
    ("find_position(lambda x, y: 1/0)", "Your function failed: ZeroDivisionError"),
    ("rot.postion", "Did you mean position?"),
    ("rot.position = 5", "position can not be assigned."),
    ("rot + 1", "A device is no number."),
    ("rot()", "Only commands and functions are followed by brackets."),
    ("session.rott", "Did you mean rot?"),
    ("session['rott']", "Did you mean rot?"),
    ("session.axes.rott", "Did you mean rot?"),
    ("1/0", "ZeroDivisionError: division by zero."),
    ("import nosuch_module", "There is no module nosuch_module."),
    ("open('/nosuch/file')", "/nosuch/file: No such file or directory."),
    ("x = [1,2", "This is not understood"),
    ("for i in range(3) mv rot 1", "This is not understood"),
    ("undefined_thing", "There is no device, command or variable undefined_thing."),
    ("[].foo", "list has no foo."),
    ("'a' + 1", "Can only concatenate str"),
    ("raise KeyboardInterrupt", "Interrupted."),
    ("%nosuch", "Line magic function"),
    ("assert False", "AssertionError."),
]


@pytest.fixture
def scanned(prompt: Prompt) -> Prompt:
    """A prompt after a scan."""
    last = prompt.session.last
    # Other tests of the same session may have left a run that shows nothing, or none that can be read.
    if last is None or not last.title.startswith("ascan sx -0.5"):
        prompt.session.ascan("sx", -0.5, 0.5, 6, 0, "diode")
    return prompt


@pytest.mark.parametrize(("line", "words"), MISTAKES, ids=[line for line, _ in MISTAKES])
def test_a_mistake_is_one_clear_sentence(scanned: Prompt, line: str, words: str) -> None:
    printed = scanned(line)
    assert words in printed
    assert "Traceback" not in printed
    assert "inside Firstlight" not in printed
    assert len(printed.strip().splitlines()) <= 2
    assert all(text.rstrip().endswith((".", "?")) for text in printed.strip().splitlines())


def test_without_a_scan_there_is_nothing_to_align_on(prompt: Prompt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt.session.engine, "last", None)
    monkeypatch.setattr(type(prompt.session), "runs", property(lambda session: []))
    for line in ("cen", "goto_cen", "where", "replot", "elog_plot"):
        assert prompt(line).startswith("There is no scan yet.")


def test_a_scan_over_time_has_no_axis_to_go_to(prompt: Prompt) -> None:
    prompt("loopscan 8 0.001 ring")
    assert "no axis to move" in prompt("goto_peak ring")


def test_the_line_of_a_longer_input_is_named(prompt: Prompt) -> None:
    printed = prompt("def f():\n    raise ValueError('mine')\nf()")
    assert printed.startswith("ValueError: mine (line 2).")


def test_the_traceback_is_there_for_who_asks(prompt: Prompt) -> None:
    assert prompt("last_error") == "There was no error yet.\n"
    prompt("int('x')")
    assert "int('x')" in prompt("last_error")
    assert "interactiveshell.py" not in prompt("last_error")
    assert "interactiveshell.py" in prompt("last_error full")


def test_an_error_of_ours_says_so(prompt: Prompt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("firstlight.shell._looking.blocks", dict)
    assert prompt("wa").startswith("Something went wrong inside Firstlight: TypeError: dict expected at most 1")


def test_a_name_that_is_taken_is_told_once(prompt: Prompt) -> None:
    assert "rot is yours now, no longer the device" in prompt("rot = 5")
    assert prompt("rot") == "5\n" or "no longer" not in prompt("rot")
    assert prompt("mv rot 10").startswith("5 is no axis.")
    prompt("del rot")
    assert prompt("mv rot 1") == "rot: 0 → 1 deg\n"
