"""A simulated fast shutter that publishes its state."""

from __future__ import annotations

from firstlight.devices.sim._axis import LATENCY
from firstlight.devices.sim._faults import SHUTTER, Fault, Faults
from firstlight.devices.sim._published import MemoryBoard
from firstlight.model import Clock, OutOfBand, RealClock


class SimShutter:
    """A fast shutter, closed at the start.

    :param delay: seconds from an order to its effect.
    :ivar faults: what it does wrong on demand.
    """

    def __init__(
        self,
        name: str,
        *,
        delay: float = 0.005,
        clock: Clock | None = None,
        board: MemoryBoard | None = None,
        out_of_band: OutOfBand | None = None,
    ) -> None:
        self.name = name
        self.out_of_band = out_of_band
        self._delay = max(delay, LATENCY)
        self._clock: Clock = clock or RealClock()
        self._board = board if board is not None else MemoryBoard()
        self.faults = Faults(name, SHUTTER, self._clock, self._board)
        self._board.post_shutter(name, self._clock.now(), False)

    @property
    def is_open(self) -> bool:
        """Whether the beam passes now."""
        self.faults.check()
        rows = self._board.shutter(self.name, self._clock.now())
        return bool(rows[0, 1])

    async def open(self) -> None:
        """Return when it is open."""
        await self._go(True)

    async def close(self) -> None:
        """Return when it is closed; safe to call in any state."""
        await self._go(False)

    async def _go(self, is_open: bool) -> None:
        moment = self._clock.now() + self._delay
        if self.faults.active:
            await self.faults.answer()
            if self.faults.happens(Fault.STUCK) is not None and is_open != self.is_open:
                await self._clock.sleep_until(moment)
                self.faults.refuse(
                    f"did not {'open' if is_open else 'close'}: its switch says that it is still "
                    f"{'closed' if is_open else 'open'}.",
                    hint="Check its compressed air and its interlock.",
                )
        # Published before the first wait: a cancelled order is still carried out.
        self._board.post_shutter(self.name, moment, is_open)
        await self._clock.sleep_until(moment)
