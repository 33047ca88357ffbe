"""Files of YAML: what they may hold, and what is said about those that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstlight.configuration._problem import Problems
from firstlight.configuration._yaml import LARGEST, MOST, Items, Node, Scalar, Table, read
from tests.configuration.conftest import Loaded, Write, Wrong


def plain(node: Node | None) -> object:
    if isinstance(node, Table):
        return {key: plain(entry.node) for key, entry in node.entries.items()}
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    assert isinstance(node, Scalar)
    return node.value


def value(path: Path, text: str) -> object:
    path.write_text(text, encoding="utf-8")
    problems = Problems()
    node = read(path, problems)
    assert [str(one) for one in problems.all()] == []
    return plain(node)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"), ("true", True), ("FALSE", False),
        ("~", None), ("", None), ("null", None), ("'~'", "~"), ("'true'", "true"), ('"5"', "5"),
        ("5", 5), ("-7", -7), ("0o17", 15), ("0x1F", 31), ("017", 17), ("1_000", "1_000"), ("190:20:30", "190:20:30"),
        ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0), ("-1.5E-3", -0.0015), (".inf", float("inf")),
        ("-.INF", float("-inf")), ("2026-01-01", "2026-01-01"), ("20 deg/s", "20 deg/s"), ("1e", "1e"), ("=", "="),
        ("!!str 5", "5"), ("! 5", "5"), ("!!int 5", 5), ("!!float 5", 5), ("$rot", "$rot"), ("5 # comment", 5),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(tmp_path: Path, text: str, expected: object) -> None:
    found = value(tmp_path / "a.yml", f"key: {text}\n")
    assert found == {"key": expected}
    assert isinstance(found, dict)
    assert type(found["key"]) is type(expected)


def test_long_texts_lists_and_byte_order_marks_are_read(tmp_path: Path) -> None:
    text = "\ufeffa: |\n  one\n  two\nb: >-\n  one\n  two\nc:\n- 1\n- [2, {d: 3}]\n"
    assert value(tmp_path / "a.yml", text) == {"a": "one\ntwo\n", "b": "one two", "c": [1, [2, {"d": 3}]]}


def test_places_are_those_of_keys_and_values(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text("a: 1\nb:\n  - c: [5, '6']\n")
    table = read(path, Problems())
    assert isinstance(table, Table)
    assert (table.entries["b"].where.line, table.entries["b"].where.column) == (2, 1)
    inner = table.entries["b"].node
    assert isinstance(inner, Items)
    assert isinstance(inner.items[0], Table)
    listed = inner.items[0].entries["c"].node
    assert isinstance(listed, Items)
    assert (listed.items[1].where.line, listed.items[1].where.column) == (3, 12)


def test_anchors_stand_for_what_they_name(tmp_path: Path) -> None:
    assert value(tmp_path / "a.yml", "a: &x [1, 2]\nb: *x\nc: {d: *x}\n") == {
        "a": [1, 2], "b": [1, 2], "c": {"d": [1, 2]}
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\n\tb: 2\n", "2: A tab stands here, and YAML indents with blanks. Replace each tab by two blanks."),
        ("a:\n  b: 1\n c: 2\n", "3: This line does not line up with the block that begins in line 1. Mend the"),
        ("a:\n  - 1\n b: 1\n", "3: This line does not line up"),
        ("a: {token: ${X}}\n", "1: Inside { } or [ ] a ${VARIABLE} needs quotes. Write for instance token:"),
        ("a: 1\nb: 2\na: 3\n", "3: a: This key stands twice; the first is in line 1. Keep one of them."),
        ("a: !foo 3\n", "1: The tag !foo means nothing here. Remove it."),
        ("a: !!python/object:os.system {}\n", "1: The tag !!python/object:os.system means nothing here."),
        ("a: !!set [1]\n", "1: The tag !!set means nothing here."),
        ("a: !!timestamp 2026-01-01\n", "1: The tag !!timestamp means nothing here."),
        ("a: !!int five\n", "1: 'five' is not what its tag !!int says."),
        ("a: *x\n", "1: There is no anchor &x before this *x. Anchors: none."),
        ("a: &x [*x]\n", "1: The anchor &x holds itself."),
        ("a: [1, 2\nb: 3\n", "2: A comma or ] is missing; the bracket opens in line 1. Close it."),
        ("a: {b: 1\nc: 3\n", "A comma or } is missing; the bracket opens in line 1. Close it."),
        ("a: 'x\nb: 2\n", "1: This quote is never closed. Close it."),
        ("a: 1\n---\nb: 2\n", "2: A second document begins here."),
        ("a: b: c\n", "1: A colon stands where none may be. Put a text with a colon in quotes, or mend"),
        ("a:1\nb: 2\n", "1: A blank is missing after the colon. Write key: value."),
        ("a:1\n", "1: The file holds a text, not keys and values. Write a blank after the colon."),
        ("a: 1\nb\nc: 2\n", "2: A colon is missing after this key. Write key: value."),
        ("- a\n", "1: The file holds a list, not keys and values. Begin with keys, for instance: beamline: fl01"),
        ("a: @x\n", "1: A value cannot begin with @. Put it in quotes."),
        ("a: %x\n", "1: A value cannot begin with %. Put it in quotes."),
        ("a: `x`\n", "1: A value cannot begin with `. Put it in quotes."),
        ("a: 1\nb: \x00\n", "2: A character that text files do not hold (U+0000). Remove it."),
        ("? [1, 2]\n: 3\n", "1: A key must be a word."),
        ("b: {c: 2}\n<<: {d: 3}\n", "2: <<: Merge keys are not used here. Inherit with like: instead."),
        ("a: .nan\n", "1: .nan (not a number) means nothing here. Give a number."),
        ("", "1: The file is empty. Remove it, or write one with: firstlight config new"),
        (" \n\n", "1: The file is empty."),
        ("[" * 60 + "]" * 60 + "\n", "1: More than 50 lists and mappings in each other. Make it flatter."),
        ('a: "\\z"\n', "1: This is not YAML: while scanning a double-quoted scalar found unknown escape character"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence_with_its_line(wrong: Wrong, text: str, told: str) -> None:
    problems = [one for one in wrong(text) if "has no such setting" not in one and "beamline has no name" not in one]
    assert len(problems) == 1
    where, found = problems[0].split(":", 1)
    assert where == "fl01.yml"
    assert told in found


def test_the_same_place_is_told_for_several_things_in_one_file(wrong: Wrong) -> None:
    told = wrong("beamline: fl01\ndefault: !x tomo\nbeamline: fl02\ndevices: []\ngroups: {a: [], a: []}\n")
    assert [one.split(": ")[0] for one in told] == ["fl01.yml:2", "fl01.yml:2", "fl01.yml:3", "fl01.yml:5"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"beamline: fl01\nnote: \xe9t\xe9\n", "fl01.yml:2: The file is not UTF-8 text (byte 0xe9). Save it as UTF-8."),
        ("beamline: fl01".encode("utf-16"), "fl01.yml:1: The file is not UTF-8 text (UTF-16). Save it as UTF-8."),
        (
            b"#" * (LARGEST + 1),
            "fl01.yml:1: The file has 4 MiB, and a configuration at most 4. Name the right file, or ",
        ),
    ],
)
def test_files_that_are_no_text_are_told(wrong: Wrong, write: Write, data: bytes, told: str) -> None:
    write("x")
    Path("fl01.yml").write_bytes(data)
    problems = wrong({})
    assert len(problems) == 1
    assert problems[0].startswith(told)


def test_a_bomb_of_anchors_is_refused_before_it_explodes(wrong: Wrong) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 30)
    )
    told = wrong(bomb)
    assert any(f"The file has more than {MOST} values, aliases counted." in one for one in told)


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_checked(wrong: Wrong) -> None:
    told = wrong(
        {
            "beamline.yml": "beamline: fl01\ndevices: [{name: d, kind: sim.diode, shutter: $rot}]\ngroups: {g: [rt]}\n",
            "broken.yml": "devices:\n  - {name: rot, kind: sim.axis\n",
            "other.yml": "devices:\n  - {name: ring, kind: sim.rng}\n",
        }
    )
    # Whether rot and rt exist is not known while the file that may define them cannot be read.
    assert len(told) == 2
    assert told[0].startswith("broken.yml:")
    assert told[1] == "other.yml:2: ring.kind: There is no kind of device 'sim.rng'. Did you mean sim.ring?"


def test_comments_alone_are_no_error(loaded: Loaded) -> None:
    files = {"beamline.yml": "beamline: fl01\n", "motors.yml": "# devices:\n#  - {name: rot, kind: sim.axis}\n"}
    assert dict(loaded(files).devices) == {}
