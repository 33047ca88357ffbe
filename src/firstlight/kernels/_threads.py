"""Work shared among threads: compiled loops, FFTs and NUFFTs all release the GIL."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


def each(function: Callable[[T], R], items: Iterable[T], workers: int | None = None) -> list[R]:
    """``[function(item) for item in items]`` by threads, one a core by default; an error is raised at the end."""
    work = list(items)
    threads = min(workers or cores(), len(work))
    if threads <= 1:
        return [function(item) for item in work]
    with ThreadPoolExecutor(threads, thread_name_prefix="kernel") as pool:
        return list(pool.map(function, work))


def slabs(count: int, parts: int) -> list[slice]:
    """Cut ``count`` items into at most ``parts`` slices of nearly equal length, none empty."""
    parts = max(1, min(parts, count))
    edges = [count * k // parts for k in range(parts + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(edges) if b > a]
