"""Whether a device is of the sort that another one asks for, before either is built."""

from __future__ import annotations

from firstlight.devices import DEVICES, SOURCES, Axis, Configuration, makes

AXIS = "axis"


def unlike(wanted: str, kind: str, settings: Configuration, name: str) -> tuple[str, str, tuple[str, ...]] | None:
    """What is wrong with a device for whoever names it; None when nothing is.

    :param wanted: a kind, or ``axis`` for any axis; empty for any device.
    :param kind: of the device.
    :param name: of the device, or of a part of it: ``slits.gap``.
    :returns: a sentence, the word that is wrong, and those that would be right.
    """
    whole, dot, part = name.partition(".")
    brings = settings.brings()
    made = makes(kind)
    if brings is None and made is not None and not hasattr(made, "axes"):
        brings = ()
    if dot:
        if brings is not None and part not in brings:
            return f"{whole} ({kind}) has no axis {part!r}.", part, brings
        if wanted not in ("", AXIS):
            return f"Expected a {wanted}, and {name} is part of a {kind}.", "", ()
    elif wanted == AXIS:
        if brings:
            known = tuple(f"{whole}.{one}" for one in brings)
            return f"Expected an axis, and {whole} ({kind}) has several.", "", known
        if made is not None and not issubclass(made, Axis):
            return f"Expected an axis, and {whole} is a {kind}.", "", ()
    elif wanted and wanted != kind and (kind in DEVICES or kind in SOURCES):
        # A plug-in may well behave like a simulated device.
        return f"Expected a {wanted}, and {whole} is a {kind}.", "", ()
    return None
