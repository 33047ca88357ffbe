"""Settings of simulated devices that name others: axes, shutters, the ring, the beamline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from firstlight.devices._configuration import Misfit, Naming

if TYPE_CHECKING:
    from collections.abc import Mapping

    from firstlight.devices._configuration import Configuration

Name = Annotated[str, Field(min_length=1)]
AxisName = Annotated[str, Naming("sim.axis")]
"""Empty for none, as the next ones."""
ShutterName = Annotated[str, Naming("sim.shutter")]
RingName = Annotated[str, Naming("sim.ring")]
BeamlineName = Annotated[str, Naming("sim.beamline")]


def misplaced(
    others: Mapping[str, Configuration], beamline: str, at: str | float, key: str, kind: str = ""
) -> Iterator[Misfit]:
    """That a beamline has no such place.

    :param beamline: its name; empty for none.
    :param at: an element, or a distance.
    :param key: the setting that says so.
    :param kind: of element that it has to be.
    """
    elements: Sequence[object] | None = getattr(others.get(beamline), "elements", None)
    if elements is None or not isinstance(at, str) or not at:
        return
    known = {str(getattr(one, "name", "")): str(getattr(one, "kind", "")) for one in elements}
    fitting = tuple(name for name, found in known.items() if kind in ("", found))
    if at not in known:
        yield Misfit((key,), f"The beamline {beamline} has no element {at!r}.", at, fitting)
    elif at not in fitting:
        message = f"Expected an element of kind {kind} of {beamline}, and {at} is of kind {known[at]}."
        yield Misfit((key,), message, at, fitting)
