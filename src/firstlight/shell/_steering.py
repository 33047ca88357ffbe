"""Steering the scan that runs, from another prompt than the one that started it."""

from __future__ import annotations

from firstlight.shell._desk import Desk


def pause(desk: Desk, why: str = "") -> None:
    """Let the scan that runs wait at its next safe point: before the next point, or between parts of a sequence.

    ::

        pause
        pause "sample is drying"

    :param why: told to everybody, and kept with the data.
    """
    desk.session.pause(why)
    desk.say("The scan waits at its next safe point; resume lets it go on.")


def resume(desk: Desk, *, anyway: bool = False) -> None:
    """Let the scan that waits go on.

    ::

        resume
        resume anyway=True

    :param anyway: also when a condition such as the loss of the beam wants it to wait.
    """
    desk.session.resume(anyway=anyway)
    desk.say("The scan goes on.")


def stop_scan(desk: Desk, why: str = "") -> None:
    """End the scan that runs at its next safe point, as if it were complete; Ctrl-C at its prompt aborts it at once.

    ::

        stop_scan
        stop_scan "seen enough"

    :param why: kept with the data.
    """
    desk.session.stop_scan(why)
    desk.say("The scan ends at its next safe point.")


def skip(desk: Desk, why: str = "") -> None:
    """End one scan of the sequence that runs, as if it were complete, and go on with the next.

    ::

        skip

    :param why: kept with the data.
    """
    desk.session.skip(why)
    desk.say("This scan ends at its next safe point, and the next one begins.")
