"""Groups, aliases, setups, scripts, sessions, storage, catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.configuration.conftest import Loaded, Wrong

HEAD = """\
beamline: fl01
devices:
  - {name: rot, kind: sim.axis}
  - {name: sx, kind: sim.axis}
  - {name: sz, kind: sim.axis}
  - {name: fshut, kind: sim.shutter}
  - {name: ring, kind: sim.ring}
  - {name: diode, kind: sim.diode, shutter: $fshut}
  - {name: cam, kind: sim.camera, rotation: $rot, shutter: $fshut}
"""


def test_groups_hold_devices_patterns_groups_and_parts(loaded: Loaded) -> None:
    beamline = loaded(
        HEAD
        + "groups: {light: [diode, $ring], all: [light, c*, 'cam:roi*', beam], stages: [s?]}\naliases: {beam: ring}\n"
    )
    assert beamline.groups["all"] == ("light", "c*", "cam:roi*", "beam")
    assert beamline.members("light") == ("diode", "ring")
    assert beamline.members("all") == ("diode", "ring", "cam", "cam:roi*")
    assert beamline.members("stages") == ("sx", "sz")


def test_aliases_setups_and_sessions_are_kept(loaded: Loaded) -> None:
    beamline = loaded(
        HEAD
        + """\
groups: {light: [diode, ring], tomo: [cam]}
default: light
aliases: {omega: rot}
setups:
  fast: {rot: {velocity: 40 deg/s}, sx: {velocity: 3, sign: -1}}
sessions:
  optics: {devices: ['s*', diode], default: light}
  users: {groups: [tomo]}
  stage: {devices: [sx], groups: [tomo]}
"""
    )
    assert beamline.aliases == {"omega": "rot"}
    assert beamline.setups["fast"]["sx"] == {"velocity": 3, "sign": -1}
    optics, users, stage = (beamline.sessions[name] for name in ("optics", "users", "stage"))
    assert optics.devices == ("sx", "sz", "fshut", "diode")
    assert optics.groups == ()
    assert optics.default == "light"
    assert users.devices == tuple(beamline.devices)
    assert users.groups == ("tomo",)
    assert users.default == ""
    assert stage.devices == ("rot", "sx", "fshut", "cam")


def test_scripts_are_found_from_the_file_that_names_them(loaded: Loaded, tmp_path: Path) -> None:
    beamline = loaded(
        {
            "beamline.yml": HEAD + "scripts: scripts/align.py\nsessions: {a: {scripts: ['f*']}, b: {}}\n",
            "scripts/align.py": "",
            "motors/more.yml": "scripts: [fine.py]\n",
            "motors/fine.py": "",
        }
    )
    assert beamline.scripts == (tmp_path / "scripts/align.py", tmp_path / "motors/fine.py")
    assert beamline.sessions["a"].scripts == (tmp_path / "motors/fine.py",)
    assert beamline.sessions["b"].scripts == beamline.scripts


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("groups: {a: [diod]}", "groups.a: There is no device or group 'diod'. Did you mean diode?"),
        ("groups: {a: [q*]}", "groups.a: No device or group is like q*. Known: "),
        ("groups: {a: ['cma:roi1']}", "groups.a: There is no device or group 'cma'. Did you mean cam?"),
        ("groups: {a: [b], b: [a]}", "groups.a: Groups hold each other: a -> b -> a. Take one away."),
        ("groups: {diode: [ring]}", "groups.diode: diode is a device too. Give the group another name."),
        ("groups: {my group: [ring]}", "groups: 'my group' cannot be the name of a group."),
        ("groups: {a: [5]}", "groups.a.0: Expected a text, got 5."),
        ("groups: [a]", "groups: Expected a mapping, got a list of 1."),
        ("default: light", "default: There is no group 'light'."),
        ("aliases: {omega: rott}", "aliases.omega: There is no device 'rott'. Did you mean rot?"),
        ("aliases: {rot: sx}", "aliases.rot: rot is a device too. Give the alias another name."),
        ("aliases: {my rot: sx}", "aliases: 'my rot' cannot be the name of an alias."),
        ("aliases: {omega: [rot]}", "aliases.omega: Expected a text, got a list of 1."),
        ("setups: {fast: {rott: {velocity: 1}}}", "setups.fast: There is no device 'rott'. Did you mean rot?"),
        ("setups: {fast: {rot: 5}}", "setups.fast.rot: Expected a mapping, got 5."),
        ("scripts: [align.py]", "scripts: There is no file "),
        ("sessions: {a: {device: [rot]}}", "sessions.a.device: a has no such setting. Did you mean devices?"),
        ("sessions: {a: {devices: [rott]}}", "sessions.a.devices: There is no device 'rott'. Did you mean rot?"),
        ("sessions: {a: {groups: [x]}}", "sessions.a.groups: There is no group 'x'."),
        ("sessions: {a: {default: x}}", "sessions.a.default: There is no group 'x'."),
        ("sessions: {a: {scripts: [x]}}", "sessions.a.scripts: There is no script 'x'."),
        ("storage: {compresion: none}", "storage.compresion: storage has no such setting. Did you mean compression?"),
        (
            "storage: {compression: lz4}",
            "storage.compression: Expected none or bitshuffle-lz4, got 'lz4'. Did you mean",
        ),
        ("storage: {merge: maybe}", "storage.merge: Expected true or false, got 'maybe'."),
        ("icat: {brokers: [broker]}", "icat.brokers.0: Expected a text like "),
        ("icat: {broker: ['a:1']}", "icat.broker: icat has no such setting. Did you mean brokers?"),
        ("suspend: {beam: {when: 5}}", "suspend.beam.when: Expected a text, got 5."),
        ("suspend: {beam: {when: ring.current < 5, wait: 3 kg}}", "suspend.beam.wait: '3 kg' is not a quantity in s."),
        ("suspend: {beam: {when: rign.current < 5}}", "suspend.beam.when: There is no device 'rign'. Did you mean"),
        ("suspend: {beam: {when: ring.current + 5 mA}}", "suspend.beam.when: 'ring.current + 5 mA' is no condition."),
        ("suspend: {beam: {when: rot > 5, resume: rot <}}", "suspend.beam.resume: 'rot <', column"),
        ("device: []", "device: A configuration has no such setting. Did you mean devices?"),
    ],
)
def test_what_is_wrong_in_a_section_is_one_sentence(wrong: Wrong, section: str, told: str) -> None:
    problems = wrong(f"{HEAD}{section}\n")
    assert len(problems) == 1
    assert problems[0].startswith("fl01.yml:10: ")
    assert told in problems[0]


def test_a_configuration_needs_a_name(wrong: Wrong) -> None:
    assert wrong("devices: []\n") == ["fl01.yml:1: beamline: The beamline has no name. Add for instance beamline: fl01"]


def test_data_go_beside_the_configuration_unless_it_says_where(loaded: Loaded, tmp_path: Path) -> None:
    assert loaded(HEAD).roots.root("hc1", "fl01") == tmp_path / "firstlight-data" / "visitor"
    roots = loaded(HEAD + "storage: {data: ../data, inhouse: '/data/{beamline}/own'}\n").roots
    assert roots.root("hc1", "fl01").resolve() == tmp_path.parent / "data" / "visitor"
    assert roots.root("fl012601", "fl01") == Path("/data/fl01/own")
    three = loaded(HEAD + "storage: {visitor: /v, inhouse: /i, tmp: ~/t}\n").roots
    assert (three.visitor, three.inhouse, three.tmp) == ("/v", "/i", str(Path("~/t").expanduser()))


def test_brokers_are_kept(loaded: Loaded) -> None:
    icat = loaded(HEAD + "icat: {brokers: ['a.example:61613', 'b:1'], spool: /spool}\n").icat
    assert icat is not None
    assert icat.brokers == ("a.example:61613", "b:1")
    assert loaded(HEAD).icat is None
