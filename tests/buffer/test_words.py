"""Words shared between processes."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from firstlight.buffer import Buffer, UnsupportedPlatform
from firstlight.buffer._mapping import PAGE, Mapping
from firstlight.buffer._words import Fence, _is_supported, snapshot, words

COUNTING = """
import sys
from pathlib import Path
from firstlight.buffer._mapping import Mapping
from firstlight.buffer._words import words
w = words(Mapping.open(Path(sys.argv[1]), writable=True).memory)
w[1] = 1
count = w[0]
while not w[2]:
    # Crosses byte boundaries all the time: a store in pieces would show.
    count += 255
    w[0] = count
"""


def test_a_counter_never_goes_backwards_in_another_process(buffer_root: Path) -> None:
    path = buffer_root / "page"
    w = words(Mapping.create(path, PAGE).memory)
    child = subprocess.Popen([sys.executable, "-c", COUNTING, str(path)])
    try:
        while not w[1]:
            assert child.poll() is None
        last = changes = 0
        while changes < 50_000:
            now = w[0]
            assert now >= last
            changes += now != last
            last = now
    finally:
        w[2] = 1
        assert child.wait(20) == 0


def test_a_word_keeps_every_value_of_64_bits(buffer_root: Path) -> None:
    w = words(Mapping.create(buffer_root / "page", PAGE).memory)
    for value in (0, 1, -1, 2**63 - 1, -(2**63)):
        w[3] = value
        assert w[3] == value
        assert w[2] == w[4] == 0


def test_a_snapshot_shows_words_as_an_array(buffer_root: Path) -> None:
    mapping = Mapping.create(buffer_root / "page", PAGE)
    words(mapping.memory)[5] = 42
    assert np.flatnonzero(snapshot(mapping.memory)).tolist() == [5]


def test_a_fence_can_be_crossed_again_and_again() -> None:
    fence = Fence()
    for _ in range(3):
        fence()


@pytest.mark.parametrize("machine", ["aarch64", "ppc64le", ""])
def test_other_processors_are_refused_in_one_sentence(
    machine: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, buffer_root: Path
) -> None:
    _is_supported.cache_clear()
    request.addfinalizer(_is_supported.cache_clear)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(UnsupportedPlatform, match="x86-64"):
        Buffer(buffer_root / "root")
    with pytest.raises(UnsupportedPlatform):
        words(memoryview(bytearray(8)))
