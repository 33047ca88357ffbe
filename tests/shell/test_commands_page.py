"""The page that translates the commands of BLISS is complete, and true."""

from __future__ import annotations

import re
from pathlib import Path

from firstlight.scanning import COMMANDS
from firstlight.shell._namespace import TOPICS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"

# The command table of the reference on BLISS 2.4, and the commands that its feature tables name.
_BLISS = """
ascan dscan a2scan a3scan a4scan a5scan d2scan d3scan d4scan d5scan anscan dnscan lookupscan pointscan lineup amesh
dmesh a3mesh d3mesh anmesh timescan loopscan ct sct fscan ftimescan hscan kscan lscan hklscan hdscan kdscan ldscan
hkldscan hkcircle hkradial klcircle klradial hlcircle hlradial psiscan psidscan aziscan azidscan br ubr ca ci wh pa
setmode freeze unfreeze setlat or0 or1 setor0 setor1 or_swap reffit saveUB loadUB geolimits name title save
save_images sleep_time stab_time run return_scan scan_info mv mvr mvd mvdr umv umvr umvd umvdr move rockit sync
tweak_cli tw_gui wa wu wm sta stm lsmot lscnt lsmg lsobj lsconfig lslog lslock wid info prdef cen com peak trough
fwhm goto_cen goto_com goto_peak goto_min goto_custom goto_click find_position where s.goto_cen plotinit plotselect
replot plot flint edit_roi_counters silx_view pymca newproposal newsample newcollection newdataset enddataset
endproposal elog_print elog_add elog_plot elog_prdef debugon debugoff menu limatake limastat bench countdown
text_block last_error reset_equipment SCANS SCAN_SAVING SCAN_DISPLAY DEFAULT_CHAIN ALIASES ACTIVE_MG load_script
user_script_load user_script_run cleanup error_cleanup lock_context
"""
BLISS = _BLISS.split()

NAMES = {function.__name__ for topic in TOPICS.values() for function in topic} | {*COMMANDS, "tomo"}
OTHERS = {"session", "current", "groups", "aliases"}
"""Names of the shell that are no commands."""


def rows() -> list[tuple[list[str], str, list[str], str]]:
    """Names in BLISS, status, names here, remark."""
    found = []
    for line in PAGE.read_text().partition("## Only here")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" |")]
        if line.startswith("| `"):
            found.append((re.findall(r"`([^`]+)`", cells[0]), cells[1], re.findall(r"`([^`]+)`", cells[2]), cells[3]))
    return found


def test_every_command_of_bliss_is_on_the_page_once() -> None:
    listed = [name for names, *_ in rows() for name in names]
    assert sorted(listed) == sorted(BLISS)


def test_every_status_is_one_of_four() -> None:
    assert {status.partition(" (")[0] for _, status, *_ in rows()} == {"done", "renamed", "later", "absent"}


def test_what_is_done_is_a_command_of_the_shell() -> None:
    for names, status, here, _ in rows():
        if status == "done":
            assert here
            assert [name for name in here if name not in NAMES] == [], names


def test_what_is_renamed_says_to_what() -> None:
    for names, status, here, _ in rows():
        if status == "renamed":
            assert here, names
            assert [name for name in here if name not in NAMES | OTHERS] == [], names


def test_what_is_left_out_says_why() -> None:
    assert [names for names, status, _, remark in rows() if status == "absent" and not remark] == []


def test_every_command_of_the_shell_is_on_the_page() -> None:
    page = PAGE.read_text()
    assert [name for name in NAMES if f"`{name}`" not in page] == []
