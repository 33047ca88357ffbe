"""Diffractometers as stacks of rotation axes: data that the solver reads.

The frame of H. You, J. Appl. Cryst. 32, 614 (1999): x is up, y goes along the beam, z = x × y is horizontal, across it.
All angles zero: the detector arm points along the beam.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from firstlight.crystallography._rotation import Floats
from firstlight.model import InvalidInput

BEAM = np.array([0.0, 1.0, 0.0])
"""Direction of the incident beam."""

UP, ALONG, ACROSS = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Circle:
    """One rotation: its name and, at all angles zero, the direction about which it turns right-handed."""

    name: str
    axis: tuple[float, float, float]

    @property
    def direction(self) -> Floats:
        """The axis, of length one, shape (3,)."""
        axis = np.asarray(self.axis, np.float64)
        return axis / np.linalg.norm(axis)


@dataclass(frozen=True)
class Mode:
    """What is asked of the angles besides the reflection, so that finitely many answers are left."""

    summary: str
    """One sentence for people."""
    fixed: Mapping[str, float] = field(default_factory=dict)
    """Angles that stay, with their values (degrees) where neither frozen nor known; ``qaz`` may be among them."""
    half: tuple[str, str] | None = None
    """An angle of the sample that is half of one of the detector: bisecting."""
    condition: str = ""
    """``psi``, ``alpha``, ``beta``, ``alpha=beta``, ``zone`` or ``double``, or nothing."""


@dataclass(frozen=True)
class Geometry:
    """A kind of diffractometer."""

    name: str
    summary: str
    """One sentence for people."""
    sample: tuple[Circle, ...]
    """What turns the sample, outermost first."""
    detector: tuple[Circle, ...]
    """What turns the detector, outermost first; a circle that carries both is in both, outermost."""
    modes: Mapping[str, Mode]
    """By name; the first is the default."""
    eulerian: tuple[Circle, ...] = ()
    """For kappa: the circles of which modes may speak in place of :attr:`sample`."""

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the real axes: those of the sample, then those of the detector alone."""
        names = [circle.name for circle in self.sample]
        return (*names, *(circle.name for circle in self.detector if circle.name not in names))

    @property
    def default_mode(self) -> str:
        """Name of the first mode."""
        return next(iter(self.modes))

    def mode(self, name: str) -> Mode:
        """A mode by name.

        :raises InvalidInput: when there is no such mode; the others are named.
        """
        if name not in self.modes:
            raise InvalidInput(f"{self.name} has no mode {name!r}.", hint=f"Its modes: {', '.join(self.modes)}.")
        return self.modes[name]


def _negative(axis: tuple[float, float, float]) -> tuple[float, float, float]:
    return (-axis[0], -axis[1], -axis[2])


def _with(
    fixed: Mapping[str, float], bisected: tuple[str, str], held: tuple[str, ...], end: str = ""
) -> dict[str, Mode]:
    """The modes of a four-circle diffractometer, with further circles at rest."""
    # With chi at zero, phi turns about the first circle's axis: nothing would be left to choose.
    upright = bisected[0] != "mu"
    modes = {f"bisecting{end}": Mode(f"{bisected[0]} is half of {bisected[1]}.", fixed, half=bisected)}
    for name in held:
        modes[f"constant_{name}{end}"] = Mode(
            f"{name} stays.", {**fixed, name: 90.0 if name == "chi" and upright else 0.0}
        )
    modes |= {
        f"constant_psi{end}": Mode("The azimuth of the reference about Q stays.", fixed, condition="psi"),
        f"constant_alpha{end}": Mode("The angle between beam and surface stays.", fixed, condition="alpha"),
        f"constant_beta{end}": Mode("The angle between surface and diffracted beam stays.", fixed, condition="beta"),
        f"alpha_equals_beta{end}": Mode("Both beams make one angle with the surface.", fixed, condition="alpha=beta"),
        f"zone{end}": Mode("All reflections of a zone lie in the plane of scattering.", fixed, condition="zone"),
        f"double_diffraction{end}": Mode("A second reflection diffracts too.", fixed, condition="double"),
    }
    return modes


_EULERIAN = (Circle("omega", _negative(ACROSS)), Circle("chi", ALONG), Circle("phi", _negative(ACROSS)))
_FOUR = _with({}, ("omega", "tth"), ("omega", "chi", "phi"))


def _kappa(alpha: float) -> tuple[float, float, float]:
    return (-math.sin(math.radians(alpha)), 0.0, -math.cos(math.radians(alpha)))


def _lifting(names: tuple[str, ...], others: tuple[str, ...]) -> dict[str, Mode]:
    """One circle of the sample moves (chi cannot: it turns about the beam), the detector leaves the plane."""
    return {
        f"lifting_detector_{name}": Mode(
            f"Of the sample only {name} moves; the detector leaves the plane.",
            {other: 0.0 for other in (*names, *others) if other != name},
        )
        for name in names
    }


def e4cv() -> Geometry:
    """Four Eulerian circles, scattering in the vertical plane (Busing and Levy 1967)."""
    return Geometry("E4CV", "four circles, vertical plane", _EULERIAN, (Circle("tth", _negative(ACROSS)),), _FOUR)


def e4ch() -> Geometry:
    """Four Eulerian circles, scattering in the horizontal plane."""
    circles = (Circle("omega", UP), Circle("chi", ALONG), Circle("phi", UP))
    return Geometry("E4CH", "four circles, horizontal plane", circles, (Circle("tth", UP),), _FOUR)


def psic() -> Geometry:
    """Four circles for the sample and two for the detector (You 1999)."""
    sample = (
        Circle("mu", UP),
        Circle("eta", _negative(ACROSS)),
        Circle("chi", ALONG),
        Circle("phi", _negative(ACROSS)),
    )
    modes = (
        _with({"mu": 0.0, "nu": 0.0}, ("eta", "delta"), ("eta", "chi", "phi"), "_vertical")
        | _with({"eta": 0.0, "delta": 0.0}, ("mu", "nu"), ("mu", "chi", "phi"), "_horizontal")
        | _lifting(("mu", "eta", "phi"), ("chi",))
        | {
            "constant_qaz_psi": Mode("qaz, mu and the azimuth stay.", {"mu": 0.0, "qaz": 90.0}, condition="psi"),
            "constant_qaz_alpha": Mode("qaz, mu and alpha stay.", {"mu": 0.0, "qaz": 90.0}, condition="alpha"),
            "constant_qaz_eta": Mode("qaz, mu and eta stay.", {"mu": 0.0, "eta": 0.0, "qaz": 90.0}),
            "constant_alpha_chi_phi": Mode("alpha, chi and phi stay.", {"chi": 0.0, "phi": 0.0}, condition="alpha"),
            "constant_alpha_mu_chi": Mode("alpha, mu and chi stay.", {"mu": 0.0, "chi": 90.0}, condition="alpha"),
        }
    )
    return Geometry("psic", "4S+2D, six circles", sample, (Circle("nu", UP), Circle("delta", _negative(ACROSS))), modes)


_SURFACE = {
    "constant_incidence": ("alpha", "The angle between beam and surface stays."),
    "constant_emergence": ("beta", "The angle between surface and diffracted beam stays."),
    "reflectivity": ("alpha=beta", "Both beams make one angle with the surface."),
}


def sixc() -> Geometry:
    """Six circles, of which mu carries sample and detector (Lohmeier and Vlieg, J. Appl. Cryst. 26, 706 (1993))."""
    mu = Circle("mu", UP)
    rest = {"mu": 0.0, "gamma": 0.0}
    inside = {"chi": 0.0, "phi": 0.0}
    modes = (
        _with(rest, ("omega", "delta"), ("omega", "chi", "phi"))
        | {"zaxis": Mode("mu, chi and phi stay; omega, delta and gamma move.", {"mu": 0.0, **inside})}
        | {name: Mode(text, inside, condition=what) for name, (what, text) in _SURFACE.items()}
    )
    return Geometry(
        "sixc",
        "six circles, mu carries all",
        (mu, *_EULERIAN),
        (mu, Circle("delta", _negative(ACROSS)), Circle("gamma", UP)),
        modes,
    )


def zaxis() -> Geometry:
    """A surface diffractometer (J. M. Bloch, J. Appl. Cryst. 18, 33 (1985)): mu carries the sample's omega and the
    detector's delta and gamma; with the surface across omega, mu is the angle of incidence."""
    mu = Circle("mu", UP)
    modes = {"zaxis": Mode("mu stays.", {"mu": 0.0})}
    modes |= {name: Mode(text, {}, condition=what) for name, (what, text) in _SURFACE.items()}
    detector = (mu, Circle("delta", _negative(ACROSS)), Circle("gamma", UP))
    return Geometry("zaxis", "surface, mu carries all", (mu, Circle("omega", _negative(ACROSS))), detector, modes)


def k4cv(alpha: float = 50.0) -> Geometry:
    """Kappa, scattering in the vertical plane; modes speak of the Eulerian angles.

    :param alpha: between the axes of komega and kappa, degrees.
    """
    sample = (Circle("komega", _negative(ACROSS)), Circle("kappa", _kappa(alpha)), Circle("kphi", _negative(ACROSS)))
    modes = _FOUR | {"constant_kphi": Mode("kphi stays.", {"kphi": 0.0})}
    return Geometry("K4CV", "kappa, vertical plane", sample, (Circle("tth", _negative(ACROSS)),), modes, _EULERIAN)


def k6c(alpha: float = 50.0) -> Geometry:
    """Kappa on mu, and two circles for the detector; modes speak of the Eulerian angles.

    :param alpha: between the axes of komega and kappa, degrees.
    """
    mu = Circle("mu", UP)
    kappa = k4cv(alpha)
    modes = (
        _with({"mu": 0.0, "gamma": 0.0}, ("omega", "delta"), ("omega", "chi", "phi"), "_vertical")
        | _with({"omega": 0.0, "delta": 0.0}, ("mu", "gamma"), ("mu", "chi", "phi"), "_horizontal")
        | _lifting(("mu", "omega", "phi"), ("chi",))
        | {"constant_kphi_vertical": Mode("mu, gamma and kphi stay.", {"mu": 0.0, "gamma": 0.0, "kphi": 0.0})}
    )
    detector = (Circle("gamma", UP), Circle("delta", _negative(ACROSS)))
    return Geometry("K6C", "kappa, six circles", (mu, *kappa.sample), detector, modes, (mu, *_EULERIAN))


GEOMETRIES = {make().name: make for make in (e4cv, e4ch, psic, sixc, k4cv, k6c, zaxis)}
"""What makes each known geometry, by name."""


def geometry(name: str) -> Geometry:
    """A known geometry by name, upper or lower case.

    :raises InvalidInput: when there is none; the known ones are named.
    """
    for known, make in GEOMETRIES.items():
        if known.lower() == name.lower():
            return make()
    raise InvalidInput(f"{name!r} is no known diffractometer.", hint=f"Known: {', '.join(GEOMETRIES)}.")
