"""Whatever a person mistypes: the right file and line, the right word, and all of it at once; and never a traceback."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firstlight.configuration import Beamline, ConfigurationError, Problem, load

FILES = {
    "beamline.yml": [
        "beamline: fl01",
        "templates:",
        "  stepper:",
        "    kind: sim.axis",
        "    acceleration: 40 deg/s**2",
        "groups:",
        "  tomography: [camera1, diode, current]",
        "default: tomography",
        "storage:",
        "  compression: bitshuffle-lz4",
    ],
    "motors/rotation.yml": [
        "devices:",
        "  - name: rotation",
        "    like: stepper",
        "    velocity: 20 deg/s",
        "    limits: [-180, 540]",
        "  - name: lateral",
        "    kind: sim.axis",
        "    unit: mm",
        "    position: 3 um",
        "  - {name: current, kind: sim.ring, lifetime: 20 h}",
    ],
    "detectors/camera.yml": [
        "devices:",
        "  - name: camera1",
        "    kind: sim.camera",
        "    rotation: $rotation",
        "    height: $lateral",
        "    dead_time: 1 ms",
        "    detector:",
        "      read_noise: 3.5",
        "  - name: fshutter",
        "    kind: sim.shutter",
        "  - name: diode",
        "    kind: sim.diode",
        "    shutter: $fshutter",
        "    noise: false",
    ],
}


@dataclass(frozen=True)
class Edit:
    """One mistake: a word of a line is replaced; a message about that line holds the text."""

    file: str
    line: int
    old: str
    new: str
    told: str


def misspelled(random: random.Random, word: str) -> str:
    """A slip of the finger: a letter left out, doubled, exchanged with the next, or another one."""
    at = random.randrange(1, len(word) - 1)
    slip = random.randrange(4)
    if slip == 0:
        return word[:at] + word[at + 1 :]
    if slip == 1:
        return word[:at] + word[at] + word[at:]
    if slip == 2 and word[at] != word[at + 1]:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return f"{word[:at]}q{word[at + 1 :]}"


MISSPELLED = [
    # file, line, the word, where it stands in the line, the nearest that must be named
    ("beamline.yml", 2, "templates", "templates:", "templates"),
    ("beamline.yml", 5, "acceleration", "acceleration:", "acceleration"),
    ("beamline.yml", 6, "groups", "groups:", "groups"),
    ("beamline.yml", 7, "camera1", "camera1", "camera1"),
    ("beamline.yml", 7, "diode", "diode", "diode"),
    ("beamline.yml", 8, "tomography", "default: tomography", "tomography"),
    ("beamline.yml", 10, "compression", "compression:", "compression"),
    ("beamline.yml", 10, "bitshuffle-lz4", ": bitshuffle-lz4", "bitshuffle-lz4"),
    ("motors/rotation.yml", 3, "stepper", "like: stepper", "stepper"),
    ("motors/rotation.yml", 4, "velocity", "velocity:", "velocity"),
    ("motors/rotation.yml", 5, "limits", "limits:", "limits"),
    ("motors/rotation.yml", 7, "sim.axis", "kind: sim.axis", "sim.axis"),
    ("motors/rotation.yml", 9, "position", "position:", "position"),
    ("motors/rotation.yml", 10, "lifetime", "lifetime:", "lifetime"),
    ("detectors/camera.yml", 3, "sim.camera", "kind: sim.camera", "sim.camera"),
    ("detectors/camera.yml", 4, "rotation", "$rotation", "rotation"),
    ("detectors/camera.yml", 4, "rotation", "rotation:", "rotation"),
    ("detectors/camera.yml", 5, "lateral", "$lateral", "lateral"),
    ("detectors/camera.yml", 6, "dead_time", "dead_time:", "dead_time"),
    ("detectors/camera.yml", 8, "read_noise", "read_noise:", "read_noise"),
    ("detectors/camera.yml", 10, "sim.shutter", "kind: sim.shutter", "sim.shutter"),
    ("detectors/camera.yml", 13, "fshutter", "$fshutter", "fshutter"),
]

WRONG_VALUES = [
    Edit(
        "beamline.yml", 5, "40 deg/s**2", "40 deg/s", "'40 deg/s' is not a quantity in deg/s**2 (inherited by rotation)"
    ),
    Edit("beamline.yml", 5, "40 deg/s**2", "[4]", "Expected a number"),
    Edit("beamline.yml", 7, "[camera1, diode, current]", "5", "Expected a list, got 5."),
    Edit("motors/rotation.yml", 4, "20 deg/s", "20 mm/s", "'20 mm/s' is not a quantity in deg/s."),
    Edit("motors/rotation.yml", 4, "20 deg/s", "-3", "Expected more than 0, got -3."),
    Edit("motors/rotation.yml", 5, "[-180, 540]", "[-180]", "Expected 2 values, got 1."),
    Edit("motors/rotation.yml", 5, "[-180, 540]", "wide", "Expected a list"),
    Edit("motors/rotation.yml", 8, "mm", "[mm]", "Expected a text, got a list of 1."),
    Edit("motors/rotation.yml", 10, "20 h", "20 kHz", "'20 kHz' is not a quantity in s."),
    Edit("detectors/camera.yml", 6, "1 ms", "-1 ms", "Expected at least 0 s, got"),
    Edit("detectors/camera.yml", 8, "3.5", "loud", "Expected a number, got 'loud'."),
    Edit("detectors/camera.yml", 14, "false", "perhaps", "Expected true or false, got 'perhaps'."),
]


def edits() -> Iterable[st.SearchStrategy[Edit]]:
    def slip(seed: int, file: str, line: int, word: str, place: str, nearest: str) -> Edit:
        new = place.replace(word, misspelled(random.Random(seed), word))
        return Edit(file, line, place, new, f"Did you mean {nearest}?")

    for file, line, word, place, nearest in MISSPELLED:
        yield st.integers(0, 1000).map(
            lambda seed, f=file, n=line, w=word, p=place, k=nearest: slip(seed, f, n, w, p, k)  # type: ignore[misc]
        )
    yield st.sampled_from(WRONG_VALUES)


EDITS = st.lists(st.one_of(*edits()), min_size=1, max_size=6, unique_by=lambda edit: (edit.file, edit.line))


def attempt(folder: Path, files: dict[str, list[str]]) -> Beamline | tuple[Problem, ...]:
    for name, lines in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
    try:
        return load(folder, {})
    except ConfigurationError as error:
        return error.problems


def test_without_a_mistake_it_is_right(tmp_path: Path) -> None:
    assert isinstance(attempt(tmp_path, FILES), Beamline)


@pytest.mark.parametrize("edit", WRONG_VALUES, ids=lambda edit: f"{edit.old} to {edit.new}")
def test_every_wrong_value_is_told_as_it_should_be(tmp_path: Path, edit: Edit) -> None:
    files = {name: list(lines) for name, lines in FILES.items()}
    files[edit.file][edit.line - 1] = files[edit.file][edit.line - 1].replace(edit.old, edit.new, 1)
    problems = attempt(tmp_path, files)
    assert isinstance(problems, tuple)
    assert edit.told in str(problems[0])


@given(EDITS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_mistake_is_told_at_its_file_and_line_with_what_was_meant(tmp_path: Path, edits: list[Edit]) -> None:
    # A section, kind or template that is not understood hides what depends on it; those are tried alone.
    hides = [edit for edit in edits if edit.old.startswith(("templates", "groups", "kind", "like", "default"))]
    chosen = hides[:1] or edits
    files = {name: list(lines) for name, lines in FILES.items()}
    for edit in chosen:
        before = files[edit.file][edit.line - 1]
        assert edit.old in before
        files[edit.file][edit.line - 1] = before.replace(edit.old, edit.new, 1)
    problems = attempt(tmp_path, files)
    assert isinstance(problems, tuple)
    for edit in chosen:
        here = [str(one) for one in problems if one.where.file == tmp_path / edit.file and one.where.line == edit.line]
        assert any(edit.told in one for one in here), (edit, here)
    if not hides:
        touched = {(tmp_path / edit.file, edit.line) for edit in chosen}
        assert {(one.where.file, one.where.line) for one in problems} == touched


TEXTS = st.text(st.sampled_from("ab: -[]{}#&*!|>'\"%@`$\t\n~0.,?<=é\\") | st.characters(codec="utf-8"), max_size=60)
PARTS = st.sampled_from(
    [
        *(
            "beamline: fl01",
            "devices:",
            "  - {name: a, kind: sim.axis}",
            "  - name: b",
            "    kind: sim.ring",
            "storage:",
        ),
        *("include: fl01.yml", "    like: a", "    velocity: $b", "templates: {a: {like: b}}", "default: a", "  - "),
        *("&x ", "*x", "${HOME}", "icat: {}", "sessions: {a: {devices: [b]}}", "aliases: {b: a}", "groups: {a: [b]}"),
        "setups: {a: {b: 5}}",
    ]
)


@given(st.lists(PARTS | TEXTS, max_size=12).map("\n".join))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_whatever_gives_anything_but_a_beamline_or_sentences(tmp_path: Path, text: str) -> None:
    path = tmp_path / "fl01.yml"
    path.write_text(text, encoding="utf-8")
    found: Beamline | tuple[Problem, ...]
    try:
        found = load(path, {"HOME": "here"})
    except ConfigurationError as error:
        found = error.problems
    assert found
    if isinstance(found, tuple):
        assert all("\n" not in str(one) and one.where.line >= 1 for one in found)


@given(st.binary(max_size=80))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_whatever_give_anything_but_sentences(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "fl01.yml"
    path.write_bytes(data)
    with pytest.raises(ConfigurationError) as caught:
        load(path, {})
    assert caught.value.problems
