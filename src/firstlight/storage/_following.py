"""The frames of one channel on their way from the ring to their files, in a thread of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from firstlight.buffer import ChannelReader, RetainingReader
from firstlight.model import DataError, Ragged
from firstlight.storage._frames import FrameWriter, Part

_NAP = 0.25


class FrameFollower:
    """Writes what comes into a ring, frame after frame, and releases it.

    :param reader: of the run, as its saver.
    :param channel: the ring.
    :param writer: of its files; it may hold frames already.
    :param flush: seconds between two flushes.
    """

    def __init__(self, reader: RetainingReader, channel: ChannelReader, writer: FrameWriter, flush: float) -> None:
        self.channel = channel
        self._reader = reader
        self._writer = writer
        self._flush = flush
        self._stop = threading.Event()
        self._end = threading.Event()
        self._visible: tuple[Sequence[Part], float | None] = (writer.parts(), None)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"frames {channel.name}")
        self._work: Future[None] | None = None
        position = reader.position(channel.name)
        if position > writer.count:
            raise DataError(
                f"Frames {writer.count} to {position - 1} of {channel.name} were saved, but their files are gone.",
                hint="Bring the frame files and their journals back to the run's folder.",
            )
        reader.release(channel.name, writer.count)

    @property
    def visible(self) -> tuple[Sequence[Part], float | None]:
        """The frames that readers can see, and when the newest was acknowledged."""
        return self._visible

    @property
    def count(self) -> int:
        """Frames saved."""
        return self._writer.count

    @property
    def done(self) -> bool:
        """Whether all frames are saved and their files closed, or it failed."""
        return self._work is not None and self._work.done()

    @property
    def error(self) -> BaseException | None:
        """Why it ended early; None when it did not."""
        return self._work.exception() if self._work is not None and self._work.done() else None

    def start(self) -> None:
        """Begin."""
        self._work = self._pool.submit(self._run)

    def finish(self) -> None:
        """Take the channel as ended, close the files; raises why it failed, if it did."""
        self._end.set()
        self._pool.shutdown(wait=True)
        if self._work is not None:
            self._work.result()

    def stop(self) -> None:
        """Leave off; what is not saved stays in the ring."""
        self._stop.set()
        self._pool.shutdown(wait=True)
        self._writer.give_up()

    def _run(self) -> None:
        if self._follow():
            self._writer.close()
            self._note()

    def _follow(self) -> bool:
        name, channel, writer = self.channel.name, self.channel, self._writer
        due = time.monotonic()
        while not self._stop.is_set():
            sealed = channel.sealed
            saved, count = writer.count, channel.count
            if saved < count:
                with self._reader.view(name, saved, count) as frames:
                    assert not isinstance(frames, Ragged)
                    writer.write(frames)
                    del frames
                self._reader.release(name, writer.count)
            elif sealed or self._end.is_set():
                return True
            if time.monotonic() >= due:
                self._show()
                due = time.monotonic() + self._flush
            if saved == count:
                channel.wait(saved + 1, min(_NAP, self._flush))
        return False

    def _show(self) -> None:
        self._writer.flush()
        self._note()

    def _note(self) -> None:
        count = self._writer.count
        newest = float(self.channel.times(count - 1, count)[0]) if count else None
        self._visible = (self._writer.parts(), newest)
