"""Commands without brackets: what is rewritten, and that Python never is."""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.scanning import COMMANDS
from firstlight.shell._command import Command
from firstlight.shell._namespace import TOPICS, VERBATIM
from firstlight.shell._typing import Typing, split

NOBODY: Any = None
"""The desk: what is typed is rewritten without looking at it."""


def commands() -> dict[str, Any]:
    functions = [function for topic in TOPICS.values() for function in topic]
    bound = {f.__name__: Command(NOBODY, f, topic="x", verbatim=f.__name__ in VERBATIM) for f in functions}
    return {**COMMANDS, **bound}


KNOWN: Mapping[str, Any] = commands()


def typed(text: str, **names: Any) -> str:
    return Typing(KNOWN, lambda: {"rot": 1, "sx": 1, "diode": 1, **KNOWN, **names}).rewrite(text)


REWRITTEN = [
    ("script /home/anna/mine.py", "script('/home/anna/mine.py')"),
    ("y = 1\nscript /home/mine\n", "y = 1\nscript('/home/mine')\n"),
    ("ct -1", "ct(-1)"),
    ("elog_print -5 deg and -3", "elog_print('-5 deg and -3')"),
    ("mv rot 10", "mv(rot, 10)"),
    ("wa", "wa()"),
    ("  wa", "  wa()"),
    ("wa  # all axes", "wa()  # all axes"),
    ("wa; wu", "wa(); wu()"),
    ("umvr sx -0.5", "umvr(sx, -0.5)"),
    ("mv rot 1e-3 sx +2", "mv(rot, 1e-3, sx, +2)"),
    ("mv rot 10deg", "mv(rot, '10deg')"),
    ("mv rot -5.5mm", "mv(rot, '-5.5mm')"),
    ('mv rot "10 deg"', 'mv(rot, "10 deg")'),
    ("mv rot, 10", "mv(rot, 10)"),
    ("mv rot (1 + 2) * 3", "mv(rot, (1 + 2), '*', 3)"),
    ("mv rot (1 + 2)*3", "mv(rot, (1 + 2)*3)"),
    ("mv rot sx.position", "mv(rot, sx.position)"),
    ("mv nosuch 1", "mv('nosuch', 1)"),
    ("ascan rot 0 10 10 0.1", "ascan(rot, 0, 10, 10, 0.1)"),
    ("ascan rot 0 10 10 0.1 diode save=False", "ascan(rot, 0, 10, 10, 0.1, diode, save=False)"),
    ("ascan rot 0 10 10 0.1 diode title=hello", "ascan(rot, 0, 10, 10, 0.1, diode, title='hello')"),
    ('ascan rot 0 10 10 0.1 title="a b"', 'ascan(rot, 0, 10, 10, 0.1, title="a b")'),
    ("pointscan rot [0, 1, 2] 0.1", "pointscan(rot, [0, 1, 2], 0.1)"),
    ("lookupscan [(rot, [0, 1]), (sy, [2, 3])] 0.1", "lookupscan([(rot, [0, 1]), ('sy', [2, 3])], 0.1)"),
    ("anscan [(rot,0,1)] 10 0.1", "anscan([(rot,0,1)], 10, 0.1)"),
    ("newsample tooth", "newsample('tooth')"),
    ("newsample rot", "newsample('rot')"),
    ('newsample tooth "upper left"', "newsample('tooth', \"upper left\")"),
    ("newdataset 0001", "newdataset('0001')"),
    ("newproposal hc-1234", "newproposal('hc-1234')"),
    ("lsobj s*", "lsobj('s*')"),
    ("elog_print it's late, isn't it?", "elog_print(\"it's late, isn't it?\")"),
    ('elog_print "quoted"', 'elog_print("quoted")'),
    ("prdef ascan", "prdef(ascan)"),
    ("cen diode", "cen(diode)"),
    ("cen(", "cen("),
    ("mv rot 10 # a comment", "mv(rot, 10)"),
    ("r = ascan rot 0 1 2 0.1", "r = ascan(rot, 0, 1, 2, 0.1)"),
    ("mv rot 10\nwa\nct 1", "mv(rot, 10)\nwa()\nct(1)"),
    ("for i in range(3):\n    mv rot i\n", "for i in range(3):\n    mv(rot, i)\n"),
    ("x = 4\nmv rot x", "x = 4\nmv(rot, x)"),
    ("cen diode (rot)", "cen(diode, (rot))"),
]


@pytest.mark.parametrize(("text", "python"), REWRITTEN, ids=[text for text, _ in REWRITTEN])
def test_a_command_without_brackets_is_a_call(text: str, python: str) -> None:
    assert typed(text) == python


UNTOUCHED = [
    "wa = 3",
    "mv.x",
    "mv (rot, 1)",
    "x = ct(1)",
    "# mv rot 10",
    "%timeit mv",
    "!mv a b",
    "mv?",
    "mv rot?",
    "?mv",
    "mv rot (1",
    "mv rot 'text",
    "wa == wu",
    "print(wa)",
    "2 * ct",
    "s = '''\nmv rot 10\n'''",
    "s = '''\nmv rot 10\n''' 5",
    "f(\nmv rot 10\n) x",
    "a = 1 + \\\nmv rot 10",
    "nothing here",
    "goto_custom lambda x, y: 1",
    "goto_custom (lambda x, y: 1)",
    "ct if x else 3",
    "",
    "\n",
]


@pytest.mark.parametrize("text", UNTOUCHED)
def test_everything_else_is_left_alone(text: str) -> None:
    assert typed(text) == text


def test_a_name_that_the_user_took_is_no_command() -> None:
    assert typed("wa", wa=3) == "wa"
    assert typed("wa 1", wa=3) == "wa 1"


def test_a_variable_is_used_where_a_number_belongs_and_not_where_a_text_belongs() -> None:
    assert typed("mv rot far", far=3) == "mv(rot, far)"
    assert typed("newsample far", far=3) == "newsample('far')"
    assert typed("newsample (far)", far=3) == "newsample (far)"


def calls_of_names_alone(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.Expr) and isinstance(node.value, ast.Name) for node in ast.walk(tree))


NAMES = st.sampled_from(["mv", "wa", "ascan", "ct", "rot", "x", "umvr", "last", "help"])
ATOMS = st.one_of(
    NAMES, st.integers(-99, 99).map(str), st.sampled_from(["1.5", "'text'", "None", "[]", "(1, 2)", "..."])
)


@st.composite
def expressions(draw: st.DrawFn, depth: int = 2) -> str:
    if depth == 0:
        return draw(ATOMS)
    left, right = draw(expressions(depth=depth - 1)), draw(expressions(depth=depth - 1))
    form = draw(
        st.sampled_from(
            [
                "{0} + {1}",
                "{0} - {1}",
                "{0}({1})",
                "{0} ({1})",
                "{0}[{1}]",
                "({0}, {1})",
                "{0} if {1} else 2",
                "not {0}",
                "{0} is {1}",
                "{0} in {1}",
                "lambda: {0}",
                "{0}.real",
                "-{0}",
                "{0} and {1}",
                "[{0} for i in {1}]",
            ]
        )
    )
    return str(form.format(left, right))


@st.composite
def statements(draw: st.DrawFn) -> str:
    name, value = draw(NAMES), draw(expressions())
    return str(
        draw(
            st.sampled_from(
                [
                    f"{name} = {value}",
                    f"{value}",
                    f"{name} += {value}",
                    f"del {name}",
                    f"assert {value}",
                    f"{name}: int = 1",
                    f"import {name}",
                    f"for {name} in {value}: pass",
                    f"if {value}: {name} = 1",
                    f"def {name}(): return {value}",
                    f"{name} = (\n{value}\n)",
                    f"print({value})  # {name} rot 10",
                    f'"""\n{name} rot 10\n"""',
                ]
            )
        )
    )


@given(st.lists(statements(), min_size=1, max_size=4).map("\n".join))
def test_any_valid_python_parses_to_itself(text: str) -> None:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return
    if not calls_of_names_alone(tree) and not sums_alone(tree):
        assert typed(text) == text


def sums_alone(tree: ast.Module) -> bool:
    """Whether a statement is a sum or the like whose result nobody takes."""
    return any(isinstance(node, ast.Expr) and isinstance(node.value, ast.BinOp) for node in tree.body)


@pytest.mark.parametrize("name", ["ast.py", "inspect.py", "argparse.py", "typing.py", "tokenize.py", "subprocess.py"])
def test_python_of_the_standard_library_is_left_alone(name: str) -> None:
    text = (Path(sysconfig.get_path("stdlib")) / name).read_text()
    assert typed(text) == text


@given(st.text(alphabet=st.sampled_from("mvwarotsx 0123.-+'\"()[]{}#,=\n\\?%"), max_size=40))
def test_nothing_that_is_typed_breaks_the_helper(text: str) -> None:
    changed = typed(text)
    if changed != text and "\n" not in text:
        ast.parse(changed)


@given(st.text(max_size=60))
def test_words_are_never_lost_when_a_line_is_split(text: str) -> None:
    words = split(text)
    if words is not None and "#" not in text:
        assert sorted("".join(words).replace(",", "")) == sorted(
            c for c in text if not c.isspace() and c != ","
        ) or any(quote in text for quote in "'\"([{")
