"""The head of a channel: one file that holds its words, its description and its first items.

Page 0, in words of 8 bytes (signed, native):

=======  ==================================================================================
words    content
=======  ==================================================================================
0-7      magic, format version, kind, offset and length of the description, readers, epoch
8-15     offsets and capacities of the first parts of up to four columns
16-23    written by the producer: count, blocks, values, oldest in memory, spilled, missing, first kept spill record
24-25    seal: 1 when sealed, length of the reason (written by the producer, or by who adopts it)
32, 40   doorbell of a ring's producer (waits for room), and its flag
64 + 8r  written by retaining reader ``r``: released items, pinned from, pinned until
=======  ==================================================================================

Bytes 2048 to 4096 hold the reason of the seal. The JSON description follows, then the first parts of the columns.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Any

from firstlight.buffer._mapping import PAGE, Mapping
from firstlight.buffer._words import FAR, LINE, words
from firstlight.model import ChannelKind, ChannelSpec, DataError

VERSION = 1
_MAGIC = int.from_bytes(b"FLchann1", "little")

(MAGIC, FORMAT, KIND, SPEC_OFFSET, SPEC_LENGTH, READERS, EPOCH) = range(7)
COLUMNS = 8
COUNT, BLOCKS, VALUES, OLDEST, SPILLED, MISSING, KEPT = range(16, 23)
SEALED, REASON_LENGTH = 24, 25
ROOM_BELL = 32
READER = 64
RELEASED, PINNED_FROM, PINNED_UNTIL = range(3)
MAX_READERS = 16
_REASON = 2048
_KINDS = list(ChannelKind)

SUFFIX = ".head"


@dataclass(frozen=True, slots=True)
class Part:
    """First part of a column, inside the head.

    :param item_nbytes: bytes of one item of the column.
    :param capacity: items of the first part.
    """

    item_nbytes: int
    capacity: int


class Head:
    """The mapped head of one channel."""

    def __init__(self, mapping: Mapping, spec: ChannelSpec | None = None) -> None:
        self.mapping = mapping
        self.words = words(mapping.memory[:PAGE])
        if self.words[MAGIC] != _MAGIC or self.words[FORMAT] != VERSION:
            raise DataError(f"{mapping.path} is not a channel of this version of the buffer.")
        offset, length = self.words[SPEC_OFFSET], self.words[SPEC_LENGTH]
        self.description: dict[str, Any] = json.loads(bytes(mapping.memory[offset : offset + length]))
        self.spec = spec or ChannelSpec.from_json(self.description["spec"])
        self.readers: list[str] = self.description["readers"]
        self.epoch: int = self.words[EPOCH]

    @classmethod
    def create(
        cls,
        path: Path,
        spec: ChannelSpec,
        *,
        readers: list[str],
        parts: list[Part],
        extra: MappingType[str, Any],
    ) -> Head:
        """Write a complete head; the caller makes it visible by renaming it.

        :param extra: further JSON values of the description.
        """
        text = json.dumps({"spec": spec.to_json(), "readers": readers, **extra}).encode()
        offset = _align(PAGE + len(text), 64)
        places = []
        for part in parts:
            places.append((offset, part.capacity))
            offset = _align(offset + part.item_nbytes * part.capacity, 64)
        mapping = Mapping.create(path, _align(offset, PAGE))
        mapping.memory[PAGE : PAGE + len(text)] = text
        w = words(mapping.memory[:PAGE])
        w[FORMAT], w[KIND] = VERSION, _KINDS.index(spec.kind)
        w[SPEC_OFFSET], w[SPEC_LENGTH], w[READERS] = PAGE, len(text), len(readers)
        w[EPOCH] = SystemRandom().getrandbits(62)
        for k, (place, capacity) in enumerate(places):
            w[COLUMNS + 2 * k], w[COLUMNS + 2 * k + 1] = place, capacity
        for r in range(len(readers)):
            w[READER + r * LINE + PINNED_FROM] = FAR
        w[MAGIC] = _MAGIC
        return cls(mapping, spec)

    def first_part(self, column: int) -> tuple[memoryview, int]:
        """Memory from the start of the first part of a column on, and its capacity in items."""
        offset, capacity = self.words[COLUMNS + 2 * column], self.words[COLUMNS + 2 * column + 1]
        return self.mapping.memory[offset:], capacity

    @property
    def sealed(self) -> bool:
        """Whether no item will ever be added."""
        return bool(self.words[SEALED])

    @property
    def reason(self) -> str:
        """Why it was sealed; empty for the normal end."""
        if not self.sealed:
            return ""
        return bytes(self.mapping.memory[_REASON : _REASON + self.words[REASON_LENGTH]]).decode(errors="replace")

    def seal(self, reason: str) -> None:
        """End the channel; the first reason stands. Only the producer, or who holds its lock after its death."""
        if self.words[SEALED]:
            return
        text = reason.encode()[: PAGE - _REASON]
        # The text first: until the last word is stored this seal never happened, and an adopter writes its own.
        self.mapping.memory[_REASON : _REASON + len(text)] = text
        self.words[REASON_LENGTH] = len(text)
        self.words[SEALED] = 1

    def released(self, reader: int) -> int:
        """Items that retaining reader ``reader`` (its place in the list) has released."""
        count: int = self.words[READER + reader * LINE + RELEASED]
        return count


def _align(offset: int, to: int) -> int:
    return -(-offset // to) * to


LONGEST_NAME = 200
"""Bytes of the longest name of a channel: that of its files must fit into a folder."""


def head_path(channels: Path, name: str) -> Path:
    """Where the head of a channel is once it is visible."""
    return channels / (name + SUFFIX)


def visible(channels: Path) -> list[str]:
    """Names of the channels that have appeared, in order of their names."""
    with os.scandir(channels) as entries:
        return sorted(e.name[: -len(SUFFIX)] for e in entries if e.name.endswith(SUFFIX))
