"""Reading along with what devices do."""

from __future__ import annotations

from tests.shell.conftest import Prompt


def test_an_axis_says_what_it_is_asked_for(prompt: Prompt) -> None:
    assert "now printing what rot log" in prompt("debugon rot")
    printed = prompt("mv rot 3 sx 0.1")
    assert "rot: move to 3 deg for the prompt" in printed
    assert "rot: at rest" in printed
    assert "sx: move" not in printed
    assert "rot" in prompt("lslog")
    prompt("debugoff rot")
    assert "move to" not in prompt("mv rot 0")


def test_a_counter_says_when_it_is_asked_during_a_scan(prompt: Prompt) -> None:
    prompt("debugon dio*")
    printed = prompt("loopscan 2 0 diode ring")
    prompt("debugoff")
    assert "diode: asked to prepare" in printed
    assert "ring: asked" not in printed


def test_the_logs_of_other_processes_can_be_read(prompt: Prompt) -> None:
    assert "Started" in prompt("showlog guard")
