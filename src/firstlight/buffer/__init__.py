"""Shared-memory logs and rings: what was acquired, for all processes of the machine, surviving each of them."""

from firstlight.buffer._buffer import Buffer, BufferWarning, default_root
from firstlight.buffer._channel import ChannelReader, LogReader, RaggedReader
from firstlight.buffer._index import IndexEntry
from firstlight.buffer._locks import Lock, acquire, held
from firstlight.buffer._log import LogWriter
from firstlight.buffer._member import RunMember, RunWriter
from firstlight.buffer._memory import Usage
from firstlight.buffer._policy import BackPressure, RingBusy
from firstlight.buffer._ragged import RaggedWriter
from firstlight.buffer._reader import RunReader
from firstlight.buffer._retain import RetainingReader
from firstlight.buffer._ring import RingWriter
from firstlight.buffer._ring_reader import RingReader
from firstlight.buffer._summary import ChannelSummary, RunDetails, RunSummary
from firstlight.buffer._words import UnsupportedPlatform, require_platform

__all__ = [
    "BackPressure",
    "Buffer",
    "BufferWarning",
    "ChannelReader",
    "ChannelSummary",
    "IndexEntry",
    "Lock",
    "LogReader",
    "LogWriter",
    "RaggedReader",
    "RaggedWriter",
    "RetainingReader",
    "RingBusy",
    "RingReader",
    "RingWriter",
    "RunDetails",
    "RunMember",
    "RunReader",
    "RunSummary",
    "RunWriter",
    "UnsupportedPlatform",
    "Usage",
    "acquire",
    "default_root",
    "held",
    "require_platform",
]
