"""A first configuration: a simulated beamline, with comments."""

from __future__ import annotations

import json
import os
from pathlib import Path

from firstlight.configuration._schema import schema
from firstlight.model import Conflict
from firstlight.storage import check_name

SCHEMA = "firstlight.schema.json"
"""Name of the schema's file beside a configuration."""

EXAMPLE = """\
# yaml-language-server: $schema={schema}
#
# A simulated beamline for Firstlight. Check it with: firstlight config check {file}
# Numbers may have a unit (20 deg/s, 5 ms). $name refers to another device; ${{NAME}} takes a text from the environment.

beamline: {name}

# Settings that several devices share; a device takes them with like: and may say otherwise.
templates:
  stepper: {{kind: sim.axis, unit: mm, velocity: 2 mm/s, acceleration: 8 mm/s**2}}

devices:
  - name: rot                       # the axis that turns the sample
    kind: sim.axis
    unit: deg
    velocity: 120 deg/s
    acceleration: 400 deg/s**2
    limits: [-190, 550]             # low and high, at the motor itself (dial)

  - {{name: sx, like: stepper, velocity: 10 mm/s, limits: [-10, 10], position: -0.9 mm}}
  - {{name: sz, like: stepper, limits: [-5, 5]}}

  - {{name: fshut, kind: sim.shutter, delay: 5 ms}}
  - {{name: card, kind: sim.trigger}}
  - {{name: ring, kind: sim.ring, current: 200 mA}}

  - name: diode
    kind: sim.diode
    shutter: $fshut
    rate: 2e6                       # counts per second
    peaks:
      $sx: {{centre: 0, fwhm: 1.6, background: 0.05}}

  - name: cam
    kind: sim.camera
    shape: [192, 320]               # height and width, pixels
    pixel_size: 10 um
    sample: tooth
    axis_offset: 7.3                # column of the rotation axis from the middle; find it by aligning
    rotation: $rot
    lateral: $sx
    height: $sz
    shutter: $fshut

# What is measured together, by name or by pattern (s*).
groups:
  tomo: [cam, diode, ring]
  light: [diode, ring]
default: light                      # measured when a scan names nothing

aliases:
  omega: rot

# Sets of parameters to switch to and back from.
setups:
  fast:
    rot: {{velocity: 180 deg/s}}
    sx: {{velocity: 12 mm/s}}

storage:
  data: data                        # a folder for everything, relative to this file
  # visitor: /data/visitor          # or one for each sort of proposal
  # inhouse: /data/{{beamline}}/inhouse
  # tmp: /data/{{beamline}}/tmp
  compression: none                 # or bitshuffle-lz4

# icat: {{brokers: ["broker.example:61613"]}}
# scripts: [scripts/align.py]
# include: [motors.yml, detectors]
"""


def new(path: Path, name: str = "fl01", *, full: bool = False) -> tuple[Path, ...]:
    """Write a first configuration, with the schema for editors beside it.

    :param path: of the new file, or of a folder for ``beamline.yml``.
    :param name: of the beamline.
    :param full: the whole simulated imaging beamline, from the machine to the camera, in place of a small one.
    :returns: the files that were written; a schema that is there is left alone.
    :raises Conflict: when the file exists.
    :raises InvalidInput: for a name that cannot stand in the paths of data.
    """
    check_name("beamline", name)
    if path.suffix not in (".yml", ".yaml"):
        path /= "beamline.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = _whole(name) if full else EXAMPLE.format(schema=SCHEMA, file=path.name, name=name)
    if not _create(path, text):
        raise Conflict(f"{path} exists, and is left as it is.", hint="Choose another name.")
    beside = path.parent / SCHEMA
    return (path, beside) if _create(beside, schema_text()) else (path,)


def _whole(name: str) -> str:
    from firstlight.simulation.beamlines import FL01

    return f"# yaml-language-server: $schema={SCHEMA}\n" + FL01.read_text().replace(
        "beamline: fl01", f"beamline: {name}", 1
    )


def schema_text() -> str:
    """The schema as it stands in a file."""
    return json.dumps(schema(), indent=1) + "\n"


def _create(path: Path, text: str) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return False
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - a descriptor has no path
        file.write(text)
    return True
