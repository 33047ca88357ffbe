"""What Tab offers."""

from __future__ import annotations

import pytest
from IPython.core.completer import provisionalcompleter

from firstlight.shell._completion import Spot, candidates
from tests.shell.conftest import Prompt

OFFERED = [
    ("mv ", {"rot", "sx", "sz", "tilt"}),
    ("mv s", {"sx", "sz"}),
    ("mv(s", {"sx", "sz"}),
    ("mv rot 10 ", {"sx", "sz", "tilt"}),
    ("mv(rot, 10, s", {"sx", "sz"}),
    ("wm ", {"rot", "sx", "sz", "tilt"}),
    ("ascan ", {"rot", "sx", "sz", "tilt"}),
    ("r = ascan s", {"sx", "sz"}),
    ("ascan rot 0 10 10 0.1 d", {"diode", "default"}),
    ("ascan rot 0 10 10 0.1 diode sa", {"save="}),
    ("ascan rot 0 10 10 0.1 save=", {"save=True", "save=False"}),
    ("flyscan rot 0 1 1 1 trigger=", {"trigger=time", "trigger=position"}),
    ("ct 1 ri", {"ring"}),
    ("cen di", {"diode"}),
    ("plotselect ri", {"ring"}),
    ("help asc", {"ascan"}),
    ("info ca", {"cam"}),
    ("debugon ro", {"rot"}),
    ("display pl", {"plot="}),
]


def offers(prompt: Prompt, text: str) -> set[str]:
    with provisionalcompleter():
        return {completion.text for completion in prompt.shell.Completer.completions(text, len(text))}


@pytest.mark.parametrize(("text", "words"), OFFERED, ids=[text for text, _ in OFFERED])
def test_what_fits_is_offered(prompt: Prompt, text: str, words: set[str]) -> None:
    # An option may be offered from its "=" on, as IPython parts words there.
    found = {offer.rpartition("=")[2] or offer for offer in offers(prompt, text)}
    assert found == {word.rpartition("=")[2] or word for word in words}


def test_no_axis_is_offered_where_a_position_belongs(prompt: Prompt) -> None:
    assert offers(prompt, "mv rot s") & {"sx", "sz"} == {"sx", "sz"}  # a variable may be meant
    assert candidates(prompt.desk, Spot("mv", ("rot",), ""), prompt["mv"]) == []


def test_outside_of_commands_python_completes_as_ever(prompt: Prompt) -> None:
    prompt("variable_of_mine = 3")
    assert "variable_of_mine" in offers(prompt, "variable_of")
    assert offers(prompt, "rot.posit") & {".position", "position"}


def test_the_line_below_says_how_the_command_is_written(prompt: Prompt) -> None:
    from firstlight.shell._command import commands_of
    from firstlight.shell._completion import toolbar

    commands = commands_of(prompt.desk.names)
    assert toolbar(prompt.desk, "ascan rot 0", commands).startswith("ascan axis start stop intervals count_time")
    assert "hc1234" in toolbar(prompt.desk, "", commands)
