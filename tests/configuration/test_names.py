"""Everything in a configuration that names something else, found before anything is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from firstlight.configuration import load, schema
from firstlight.devices import configuration, kinds
from firstlight.simulation import beamlines
from tests.configuration.conftest import Loaded, Wrong

HEAD = """\
beamline: fl01
devices:
  - {name: ring, kind: sim.ring}
  - {name: rot, kind: sim.axis, unit: deg}
  - {name: up, kind: sim.axis, unit: mm}
  - {name: down, kind: sim.axis, unit: mm}
  - {name: fshut, kind: sim.shutter}
  - {name: slits, kind: calc.slits, positive: up, negative: down}
  - {name: beam, kind: sim.beamline, ring: ring, elements: [{name: i0, kind: gas, distance: 1},
     {name: air, kind: absorber, distance: 2, foil: {material: Al, thickness: 1}}]}
  - {name: mca, kind: sim.mca, beamline: beam, at: air, rois: {fe_ka: [620, 660]}}
  - {name: diode, kind: sim.diode, shutter: $fshut, peaks: {rot: {}, $up: {}}}
"""

CASES = [
    # names of devices, written with and without a dollar
    ("{name: x, kind: sim.diode, shutter: fshutt}", "x.shutter: There is no device 'fshutt'. Did you mean fshut?"),
    ("{name: x, kind: sim.diode, peaks: {roti: {}}}", "x.peaks.roti: There is no device 'roti'. Did you mean rot?"),
    ("{name: x, kind: sim.diode, shutter: ring}", "x.shutter: Expected a sim.shutter, and ring is a sim.ring."),
    ("{name: x, kind: sim.diode, shutter: $ring}", "x.shutter: Expected a sim.shutter, and ring is a sim.ring."),
    ("{name: x, kind: sim.camera, rotation: roti}", "x.rotation: There is no device 'roti'. Did you mean rot?"),
    ("{name: x, kind: sim.camera, pitch: $roti}", "x.pitch: There is no device 'roti'. Did you mean rot?"),
    ("{name: x, kind: sim.camera, beamline: beem, at: 3}", "x.beamline: There is no device 'beem'. Did you mean beam?"),
    ("{name: x, kind: replay, file: a.h5, rotation: roti}", "x.rotation: There is no device 'roti'. Did you mean rot?"),
    ("{name: x, kind: replay, file: a.h5, rotation: rot, shutter: fshutt}", "x.shutter: There is no device 'fshutt'."),
    ("{name: x, kind: sim.mca, inputs: {x: upp}}", "x.inputs.x: There is no device 'upp'. Did you mean up?"),
    ("{name: x, kind: sim.ion_chamber, beamline: rig}", "x.beamline: There is no device 'rig'. Did you mean ring?"),
    ("{name: x, kind: sim.beamline, ring: rig}", "x.ring: There is no device 'rig'. Did you mean ring?"),
    (
        "{name: x, kind: sim.beamline, elements: [{name: s, kind: slits, distance: 1, left: upp}]}",
        "x.elements.0.left: There is no device 'upp'. Did you mean up?",
    ),
    (
        "{name: x, kind: sim.beamline, elements: [{name: s, kind: shutter, distance: 1, shutter: rot}]}",
        "x.elements.0.shutter: Expected a sim.shutter, and rot is a sim.axis.",
    ),
    (
        "{name: x, kind: sim.faults, faults: [{device: rit, what: stuck}]}",
        "x.faults.0.device: There is no device 'rit'.",
    ),
    ("{name: x, kind: calc.monochromator, crystal: Si111, axis: ring}", "x.axis: Expected an axis, and ring is a sim."),
    (
        "{name: x, kind: calc.monochromator, crystal: Si111, axis: slits}",
        "x.axis: Expected an axis, and slits (calc.slits) has several. Known: slits.gap, slits.offset.",
    ),
    (
        "{name: x, kind: calc.monochromator, crystal: Si111, axis: slits.gapp}",
        "x.axis: slits (calc.slits) has no axis 'gapp'. Did you mean gap?",
    ),
    ("{name: x, kind: calc.slits, positive: up, negative: up}", "x.negative: up is given for two of its real axes."),
    # places in a beamline
    ("{name: x, kind: sim.photodiode, beamline: beam, at: aer}", "x.at: The beamline beam has no element 'aer'."),
    ("{name: x, kind: sim.camera, beamline: beam, at: aer}", "x.at: The beamline beam has no element 'aer'."),
    ("{name: x, kind: sim.ion_chamber, beamline: beam}", "x.gas: The beamline beam has no element 'x'. Known: i0."),
    ("{name: x, kind: sim.ion_chamber, beamline: beam, gas: air}", "x.gas: Expected an element of kind gas of beam"),
    # channels and devices in expressions
    ("{name: x, kind: calc.counter, expression: diod / ring}", "x.expression: There is no device 'diod'. Did you mean"),
    ("{name: x, kind: calc.counter, expression: 'mca:fe_kb / ring'}", "x.expression: There is no channel 'mca:fe_kb'."),
    (
        "{name: x, kind: calc.counter, expression: a / b, names: {a: diode, b: rin}}",
        "x.names.b: There is no device 'rin'",
    ),
    (
        "{name: x, kind: calc.counter, expression: a, names: {a: diode, b: ring}}",
        "x.names.b: The expression 'a' does not",
    ),
    ("{name: x, kind: calc.counter, expression: '3 mm'}", "x.expression: the expression '3 mm' names no counter."),
    (
        "{name: x, kind: calc.expression, axes: {a: up}, calculated: {c: {formula: a + d, unit: mm}}, inverse: {a: c}}",
        "x.calculated.c.formula: 'a + d', column 5: there is no 'd'. There is: a.",
    ),
    (
        "{name: x, kind: calc.expression, axes: {a: up}, calculated: {c: {formula: a,unit: V}}, inverse: {a: c*1mm/V}}",
        "x.calculated.c.formula: 'a', column 1: it gives mm, not V.",
    ),
    (
        "{name: x, kind: calc.expression, axes: {a: up}, calculated: {c: {formula: a, unit: mm}}, inverse: {b: c}}",
        "x.inverse.b: It has no such axis. Known: a.",
    ),
    # what only a builder knew
    ("{name: x, kind: sim.axis, unit: mm, limits: [0, 5], position: 1 cm}", "x.position: it starts at 10, outside its"),
    ("{name: x, kind: sim.axis, switches: [5, 0]}", "x.switches: its negative limit switch is above its positive one."),
    ("{name: x, kind: sim.axis, tolerance: 1}", "x: a tolerance needs an encoder, and it has none."),
    (
        "{name: x, kind: sim.camera, sample: toth}",
        "x.sample: Expected shepp-logan or tooth or none, got 'toth'. Did you",
    ),
    ("{name: x, kind: sim.camera, dtype: float32}", "x.dtype: pixels of type 'float32' cannot be had."),
    (
        "{name: x, kind: sim.camera, shape: [10, 10], rois: {a: [5, 5, 9, 1]}}",
        "x.rois.a: columns 5 to 13 and rows 5 to 5",
    ),
    (
        "{name: x, kind: sim.camera, shape: [10, 10], rois: {a: {x: 0, y: 0, columns: 3, rows: 1, cell: [4, 4]}}}",
        "x.rois.a: columns 0 to 11 and rows 0 to 3",
    ),
    (
        "{name: x, kind: sim.area_detector, shape: [10, 10], rois: {a: [[0, 0, 2, 2], [9, 0, 2, 2]]}}",
        "x.rois.a: r1: columns 9 to 10 and rows 0 to 1",
    ),
    ("{name: x, kind: sim.mca, inputs: {y: up}}", "x.inputs.y: the sample has no input 'y'. Known: x, z, energy."),
    ("{name: x, kind: sim.mca, rois: {a: [10, 9000]}}", "x: x: region a: channels 10 to 9000 are not in the spectrum."),
    ("{name: x, kind: sim.mca, beamline: beam}", "x.at: its place in the beamline beam is missing."),
    ("{name: x, kind: calc.monochromator, crystal: Sl111, axis: rot}", "x.crystal: 'Sl111' is no known crystal."),
    (
        "{name: x, kind: calc.table, legs: [up, down, rot], places: [[0, 0], [1, 1], [2, 2]]}",
        "x.places: The legs of a table stand on one line.",
    ),
    (
        "{name: x, kind: calc.slits, positive: up, negative: rot, limits: {gp: [0, 1]}}",
        "x.limits.gp: It has no such axis.",
    ),
    (
        "{name: x, kind: sim.point_detector, sample: {technique: diffractometer, material: Sii}}",
        "x.sample.material: Expected CeO2 or LaB6 or Si or Al2O3 or lysozyme, got 'Sii'. Did you mean Si?",
    ),
    (
        "{name: x, kind: sim.area_detector, sample: {technique: powder}, inputs: {omega: rot}}",
        "x.inputs.omega: the sample has no input 'omega'. Known: distance, lateral, energy.",
    ),
    (
        "{name: x, kind: sim.beamline, elements: [{name: m, kind: monochromator, distance: 1, crystal: Si112}]}",
        "x.elements.0.crystal: Expected Si111 or Si220 or Si311 or Ge111, got 'Si112'.",
    ),
    (
        "{name: x, kind: sim.beamline, elements: [{name: m, kind: mirror, distance: 1, coating: Xx}]}",
        "x.elements.0.coating: There is no element 'Xx'.",
    ),
    (
        "{name: x, kind: sim.beamline, elements: [{name: a, kind: absorber, distance: 1, foil: {material: Kaptn}}]}",
        "x.elements.0.foil: 'Kaptn' is no chemical formula.",
    ),
]


@pytest.mark.parametrize(("device", "told"), CASES, ids=[f"{device[15:60]}" for device, _ in CASES])
def test_what_names_nothing_is_told_at_its_line_before_building(wrong: Wrong, device: str, told: str) -> None:
    found = wrong(f"{HEAD}  - {device}\n")
    assert len(found) == 1, found
    assert found[0].startswith(f"fl01.yml:{len(HEAD.splitlines()) + 1}: {told}")


def test_all_wrong_names_of_a_device_are_told_with_its_other_errors(wrong: Wrong) -> None:
    found = wrong(
        f"{HEAD}  - {{name: x, kind: sim.camera, sample: toth, rotation: roti, lateral: slits.gap, shutter: up}}\n"
    )
    assert [one.partition(": x.")[2].partition(":")[0] for one in found] == ["sample", "rotation", "lateral", "shutter"]


def test_names_in_keys_and_expressions_are_references_too(loaded: Loaded) -> None:
    beamline = loaded(
        HEAD
        + "  - {name: norm, kind: calc.counter, expression: 'mca:fe_ka / i', names: {i: ring}}\n"
        + "  - {name: d2, kind: sim.diode, peaks: {omega: {}}}\n"
        + "  - {name: bad, kind: sim.faults, faults: [{device: rot, what: stuck}]}\n"
        + "aliases: {omega: rot}\nsessions: {s: {devices: [norm]}}\n"
    )
    assert set(beamline.device("diode").references) == {"fshut", "rot", "up"}
    assert set(beamline.device("norm").references) == {"mca", "ring"}
    assert set(beamline.sessions["s"].devices) == {"ring", "beam", "mca", "norm"}
    assert beamline.device("d2").settings["peaks"] == {"rot": {}}
    # What goes wrong is set before, whatever is built when.
    assert beamline.device("bad").references == ()


def test_the_simulated_beamline_has_nothing_wrong_and_needs_what_it_names() -> None:
    beamline = load(Path(beamlines.__file__).parent / "fl01.yml", {})
    assert {"rot", "sx", "sz", "beam"} <= set(beamline.device("cam").references)
    levels = beamline.levels()
    assert "cam" in levels[-1]


def test_every_field_keeps_its_description_in_the_schema() -> None:
    definitions = schema()["definitions"]
    bare = []
    for kind in kinds():
        if kind.startswith(("sim.", "replay")):
            described = definitions[kind]["properties"]
            names = [name for name in configuration(kind).model_fields if name != "name"]
            bare += [f"{kind}.{name}" for name in names if not described[name].get("description")]
    # These have a type of their own, which is described.
    assert not [one for one in bare if one.rpartition(".")[2] not in ("detector", "beam", "ring", "undulator")]
    assert "reference" not in definitions["sim.camera"]["properties"]["rotation"]
    assert definitions["sim.camera"]["properties"]["rotation"]["description"].startswith("Name of the axis")
