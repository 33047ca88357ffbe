"""What a ring does when its retaining readers lag so far behind that no slot is free."""

from __future__ import annotations

from enum import StrEnum

from firstlight.model import FirstlightError


class BackPressure(StrEnum):
    """What gives when readers are too slow."""

    SPILL = "spill"
    """Frames go to disk; when the disk is full too, the producer gets an error and the run stops."""
    BLOCK = "block"
    """The producer waits: only for sources that can pause."""
    DROP = "drop"
    """New frames are not kept while no slot is free; each is recorded as missing."""
    DEGRADE = "degrade"
    """As the ring fills, only every 2nd, 4th, 8th frame is kept; the others are recorded as missing."""


class RingBusy(FirstlightError, TimeoutError):
    """No slot of a ring became free within the timeout of its producer."""
