"""What a user sees who types at the prompt."""

from __future__ import annotations

import pytest

from firstlight.shell._command import commands_of
from firstlight.shell._examples import EXAMPLES
from firstlight.shell._scans import ScanCommand
from firstlight.shell._typing import Typing
from tests.shell.conftest import Prompt


def sentence(printed: str) -> bool:
    """One or two lines, no traceback."""
    return "Traceback" not in printed and 1 <= len(printed.strip().splitlines()) <= 2


def test_axes_are_moved_and_the_line_says_so(prompt: Prompt) -> None:
    assert prompt("mv rot 10 sx 0.5") == "rot: 0 → 10 deg\nsx: 0 → 0.5 mm\n"
    assert prompt["rot"].position == pytest.approx(10)
    assert prompt("mvr rot -2.5") == "rot: 10 → 7.5 deg\n"
    assert prompt("umv rot '0.5 turn'") == "rot is at 180 deg\n"


def test_dial_positions_follow_sign_and_offset(prompt: Prompt) -> None:
    prompt("mv sx 0.2")
    prompt("sx.set_position(0)")
    try:
        assert prompt("mvd sx 0.7") == "sx: 0 → 0.5 mm\n"
        assert prompt["sx"].dial == pytest.approx(0.7)
        prompt("mvdr sx -0.5")
        assert prompt["sx"].dial == pytest.approx(0.2)
    finally:
        prompt("sx.set_position(sx.dial)")


def test_a_move_may_go_on_while_the_prompt_returns(prompt: Prompt) -> None:
    assert prompt("move rot 1 wait=False") == "rot is on the way.\n"
    prompt("stop rot")
    assert not prompt["rot"].moving


def test_where_all_says_user_and_dial_of_each_axis(prompt: Prompt) -> None:
    lines = prompt("wa").splitlines()
    assert lines[0].split() == [f"{axis.name}[{axis.unit}]" for axis in prompt.session.axes.values()]
    assert [line.split()[0] for line in lines[1:]] == ["user", "dial"]
    assert prompt("wu s*").splitlines()[0].split() == ["sx[mm]", "sz[mm]"]


def test_where_motor_says_limits_and_offset(prompt: Prompt) -> None:
    words = prompt("wm rot")
    assert "rot[deg]" in words
    assert all(row in words for row in ("user high", "user low", "dial high", "offset"))
    assert "550" in words


def test_states_are_a_line_for_each_axis(prompt: Prompt) -> None:
    assert [line.split()[0] for line in prompt("sta").splitlines()] == list(prompt.session.axes)
    assert "READY" in prompt("stm rot")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("lsmot", ("rot", "deg", "-190 to 550")),
        ("lscnt", ("diode", "count", "cam")),
        ("lsmg", ("tomo",)),
        ("lsobj", ("fshut", "shutter", "camera")),
        ("lsobj c*", ("cam",)),
        ("info rot", ("rot", "limits")),
        ("info", ("shelltest",)),
        ("prdef cen", ("def cen(", "_aligning.py")),
        ("wid", ("No insertion device",)),
        ("help", ("mv", "ascan", "elog_print")),
        ("help ascan", ("ascan axis start stop intervals", "count_time")),
        ("help mv", ("mv rot 10",)),
        ("help rot", ("rot", "position")),
        ("ascan", ("ascan needs axis, start, stop, intervals and count_time.",)),
        ("lslog", ("printed", "saver.log")),
    ],
)
def test_what_there_is_can_be_asked(prompt: Prompt, line: str, words: tuple[str, ...]) -> None:
    printed = prompt(line)
    assert [word for word in words if word not in printed] == []


def test_a_scan_prints_its_points_and_where_it_is_saved(prompt: Prompt) -> None:
    lines = prompt("ascan sx 0 1 4 0 diode").splitlines()
    assert lines[0].split() == ["#", "sx[mm]", "diode[count]"]
    assert [line.split()[1] for line in lines[1:6]] == ["0", "0.25", "0.5", "0.75", "1"]
    assert "scan 1: 5 points" in lines[6]
    assert str(prompt.session.last.path) in lines[6]


def test_a_fast_scan_leaves_points_out_and_counts_them(prompt: Prompt) -> None:
    lines = prompt("loopscan 3000 0 diode").splitlines()
    shown = [line for line in lines if line.split()[0].isdigit()]
    left_out = sum(int(line.split()[1]) for line in lines if "points not shown" in line)
    assert len(shown) + left_out == 3000
    assert shown[-1].split()[0] == "2999"


def test_a_count_is_a_line_for_each_counter(prompt: Prompt) -> None:
    printed = prompt("ct 0.01")
    assert "diode = " in printed
    assert "/s)" in printed
    assert "not saved" in printed


def test_a_scan_without_table_prints_its_last_line_only(prompt: Prompt) -> None:
    prompt("display table=False")
    try:
        assert prompt("ascan sx 0 1 4 0 diode").startswith("scan 1: 5 points")
    finally:
        prompt("display table=True")


def test_the_centre_of_the_last_scan_is_found_and_gone_to(prompt: Prompt) -> None:
    prompt("mv sx 0.1")
    prompt("dscan sx -0.6 0.6 24 0.002 diode")
    assert float(prompt.shell.run_cell("cen").result) == pytest.approx(0.0, abs=0.03)
    assert float(prompt.shell.run_cell("fwhm diode").result) > 0.3
    assert "the centre of diode" in prompt("goto_cen")
    assert prompt["sx"].position == pytest.approx(0.0, abs=0.03)
    printed = prompt("where")
    assert "sx is at" in printed
    assert "│" in printed


def test_axes_that_went_together_go_together(prompt: Prompt) -> None:
    prompt("a2scan sx -0.6 0.6 sz -1.2 1.2 24 0.002 diode")
    prompt("goto_cen")
    assert prompt["sz"].position == pytest.approx(2 * prompt["sx"].position, abs=0.02)


def test_lineup_goes_to_the_highest_point(prompt: Prompt) -> None:
    prompt("mv sx 0.3")
    prompt("lineup sx -0.6 0.6 24 0.002 diode")
    assert prompt["sx"].position == pytest.approx(0.0, abs=0.1)


def test_a_position_may_be_found_by_a_function_of_the_user(prompt: Prompt) -> None:
    prompt("ascan sx -0.5 0.5 10 0 diode")
    assert float(prompt.shell.run_cell("find_position(lambda x, y: x[2])").result) == pytest.approx(-0.3)
    assert "sx is at 0.5 mm" in prompt("goto_custom(lambda x, y: x[-1])")


def test_the_counter_of_plots_is_chosen(prompt: Prompt) -> None:
    assert "plots show ring" in prompt("plotselect ring")
    prompt("ascan sx 0 1 9 0")
    assert "ring" in prompt("replot")
    assert "ring" in prompt("plotselect")
    assert sentence(prompt("plotselect nosuch"))


def test_numbers_of_any_kind_can_be_plotted(prompt: Prompt) -> None:
    assert "│" in prompt("plot([1, 2, 4, 3])")
    assert "░" in prompt("plot([[0, 1, 2], [0, 4, 0]])")
    assert "│" in prompt("loopscan 10 0 diode\nplot(last()['diode'])")


def test_a_mesh_is_drawn_in_shades(prompt: Prompt) -> None:
    prompt("amesh sx -1 1 10 sz 0 1 3 0 diode backnforth=True")
    printed = prompt("replot")
    assert "█" in printed
    assert "→ sx (mm)" in printed


def test_data_go_where_the_commands_say(prompt: Prompt) -> None:
    assert "sample bone, dataset 0001" in prompt("newsample bone")
    assert "dataset high_res" in prompt("newdataset high_res")
    prompt("sct 0 diode")
    assert "bone_high_res.h5" in prompt("enddataset")
    assert "proposal hc77" in prompt("newproposal hc77")
    assert "proposal shelltest" in prompt("endproposal")


def test_a_run_tells_of_itself(prompt: Prompt) -> None:
    prompt("loopscan 3 0 diode")
    assert "3 of 3 points" in prompt("last")
    assert "3 of 3 points" in prompt("info last")
    assert prompt.shell.run_cell("last 1").result.title == "loopscan 3 0 diode"


def test_a_group_may_have_the_name_of_a_command(prompt: Prompt) -> None:
    prompt("loopscan 2 0.02 tomo")
    assert "cam" in prompt.session.last


def test_a_name_that_the_user_takes_stays_the_users(prompt: Prompt) -> None:
    prompt("wa = 3")
    assert prompt("wa") == "3\n" or prompt.shell.user_ns["wa"] == 3
    prompt("ct 0")
    assert prompt["wa"] == 3
    prompt("del wa")
    prompt("ct 0")
    assert "rot" in prompt("wa")


def test_every_command_shows_how_it_is_typed(prompt: Prompt) -> None:
    silent = []
    for name, command in commands_of(prompt.shell.user_ns).items():
        lines = [line.strip() for line in prompt(f"help {name}").splitlines()[1:]]
        if not [line for line in lines if line.startswith(name)]:
            silent.append(name)
        if isinstance(command, ScanCommand):
            assert name in EXAMPLES
    assert silent == []


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_examples_of_scans_are_right(prompt: Prompt, example: str) -> None:
    names = dict(prompt.shell.user_ns)
    call = Typing(commands_of(names), lambda: names).rewrite(example)
    name = example.partition(" ")[0]
    assert call.startswith(f"{name}(")
    scan = eval(call.replace(name, f"{name}.scan", 1), names)
    assert scan.title.startswith(name)
