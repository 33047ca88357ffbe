"""Mapped files."""

from __future__ import annotations

import errno
import gc
import os
from pathlib import Path

import numpy as np
import pytest

from firstlight.buffer import _mapping
from firstlight.buffer._mapping import PAGE, Mapping
from firstlight.model import NotFound, StorageFull


def test_a_new_file_is_allocated_in_full_and_zero(buffer_root: Path) -> None:
    mapping = Mapping.create(buffer_root / "file", 3 * PAGE)
    status = (buffer_root / "file").stat()
    assert status.st_size == 3 * PAGE
    assert status.st_blocks * 512 >= 3 * PAGE
    assert not any(mapping.memory)


def test_two_mappings_of_a_file_share_its_bytes(buffer_root: Path) -> None:
    mine = Mapping.create(buffer_root / "file", PAGE)
    theirs = Mapping.open(buffer_root / "file")
    mine.memory[10] = 7
    assert theirs.memory[10] == 7


def test_a_mapping_for_reading_can_not_be_written(buffer_root: Path) -> None:
    Mapping.create(buffer_root / "file", PAGE)
    theirs = Mapping.open(buffer_root / "file")
    with pytest.raises(TypeError):
        theirs.memory[0] = 1
    assert not np.frombuffer(theirs.memory, np.uint8).flags.writeable


def test_an_existing_file_is_never_overwritten(buffer_root: Path) -> None:
    Mapping.create(buffer_root / "file", PAGE).memory[0] = 9
    with pytest.raises(FileExistsError):
        Mapping.create(buffer_root / "file", PAGE)
    assert Mapping.open(buffer_root / "file").memory[0] == 9


def test_an_absent_file_is_not_found(buffer_root: Path) -> None:
    with pytest.raises(NotFound):
        Mapping.open(buffer_root / "nothing")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.ENOMEM])
def test_a_full_memory_is_a_clear_error_and_leaves_no_file(
    code: int, buffer_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, size: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(_mapping, "allocate", refuse)
    with pytest.raises(StorageFull, match="No room"):
        Mapping.create(buffer_root / "file", PAGE)
    assert not list(buffer_root.iterdir())


def test_a_mapping_keeps_no_file_descriptor(buffer_root: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    mappings = [Mapping.create(buffer_root / f"{k}", PAGE) for k in range(20)]
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert len(mappings) == 20


def test_memory_stays_mapped_while_an_array_on_it_lives_and_no_longer(buffer_root: Path) -> None:
    mapping = Mapping.create(buffer_root / "file", PAGE)
    array = np.frombuffer(mapping.memory, np.uint8)[10:20]
    address = f"{mapping.address:x}-"
    del mapping
    gc.collect()
    array[:] = 3
    assert address in Path("/proc/self/maps").read_text()
    del array
    gc.collect()
    assert str(buffer_root / "file") not in Path("/proc/self/maps").read_text()
