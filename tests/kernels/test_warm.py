"""Compiling ahead."""

from __future__ import annotations

from firstlight.kernels import warm_up


def test_warming_up_reports_every_step_and_its_end() -> None:
    seen: list[tuple[str, int, int]] = []
    warm_up(lambda name, done, total: seen.append((name, done, total)))
    assert [done for _, done, _ in seen] == list(range(len(seen)))
    assert seen[-1][1:] == (len(seen) - 1, len(seen) - 1)
    assert all(name for name, _, _ in seen)
