"""What a reload must do."""

from __future__ import annotations

from firstlight.configuration import Difference, compare
from tests.configuration.conftest import Loaded

TEXT = """\
beamline: fl01
devices:
  - {name: rot, kind: sim.axis, velocity: 20 deg/s}
  - {name: fshut, kind: sim.shutter}
  - {name: cam, kind: sim.camera, rotation: $rot}
  - {name: diode, kind: sim.diode, shutter: $fshut}
groups: {tomo: [cam]}
"""


def difference(loaded: Loaded, before: str, after: str) -> Difference:
    return compare(loaded(before), loaded(after))


def test_the_same_configuration_differs_in_nothing(loaded: Loaded) -> None:
    found = difference(loaded, TEXT, f"# a comment\n{TEXT}")
    assert not found
    assert found == Difference((), (), (), (), ())


def test_what_was_added_removed_and_changed_is_named_and_what_needs_it(loaded: Loaded) -> None:
    after = TEXT.replace("20 deg/s", "10 deg/s").replace("  - {name: fshut, kind: sim.shutter}\n", "")
    after = after.replace(", shutter: $fshut", "").replace("groups:", "  - {name: ring, kind: sim.ring}\ngroups:")
    found = difference(loaded, TEXT, after)
    assert found
    assert found == Difference(
        added=("ring",), removed=("fshut",), changed=("rot", "diode"), affected=("cam",), sections=()
    )


def test_the_same_number_in_another_unit_and_a_default_written_out_are_no_change(loaded: Loaded) -> None:
    assert not difference(loaded, TEXT, TEXT.replace("20 deg/s", "20000 mdeg/s, sign: 1"))


def test_the_order_and_the_place_of_devices_are_no_change(loaded: Loaded) -> None:
    lines = TEXT.splitlines(keepends=True)
    assert not difference(loaded, TEXT, "".join([*lines[:2], *reversed(lines[2:6]), *lines[6:]]))


def test_another_kind_is_a_change(loaded: Loaded) -> None:
    text = TEXT.replace("groups:", "  - {name: peek, kind: soft.counter, device: fshut, attribute: state}\ngroups:")
    text = text.replace(", shutter: $fshut", "")
    found = difference(loaded, text, text.replace("kind: sim.shutter", "kind: sim.trigger"))
    assert (found.changed, found.affected) == (("fshut",), ("peek",))


def test_other_sections_are_named(loaded: Loaded) -> None:
    after = TEXT.replace("[cam]", "[cam, diode]") + "aliases: {omega: rot}\nstorage: {merge: false}\n"
    found = difference(loaded, TEXT, after)
    assert found.sections == ("groups", "aliases", "storage")
    assert not found.changed
