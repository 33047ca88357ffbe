"""Every figure that Firstlight promises, who measures it, and what it has to reach."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

from benchmarks._harness import Promise, Row


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Rows that one function measures together.

    :param function: ``module:function`` below ``benchmarks``, imported when it is wanted.
    :param promises: what each row has to reach, by its name.
    """

    function: str
    promises: dict[str, Promise]

    def measure(self) -> list[Row]:
        """Do the work."""
        module, _, name = self.function.partition(":")
        function: Callable[[], list[Row]] = getattr(import_module(f"benchmarks.{module}"), name)
        return function()


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark(
        "_buffer:samples",
        {
            "buffer.samples.1": Promise(least=1e6),
            "buffer.samples.100": Promise(least=100e6),
            "buffer.samples.10000": Promise(least=200e6),
        },
    ),
    Benchmark("_buffer:frames", {"buffer.frames": Promise(ratio=0.8)}),
    Benchmark("_buffer:latency", {"buffer.latency": Promise(most=60e-6), "buffer.latency99": Promise(most=200e-6)}),
    Benchmark("_scan:loop", {"scan.loop": Promise(least=10_000)}),
    Benchmark("_scan:step", {"scan.step": Promise(least=3_000)}),
    Benchmark("_scan:pause", {"scan.pause": Promise(most=0.05)}),
    Benchmark("_scan:single", {"scan.single": Promise(most=0.015)}),
    Benchmark("_storage:frames", {"storage.frames": Promise(ratio=0.9)}),
    Benchmark("_storage:channels", {"storage.channels": Promise(least=1e6)}),
    Benchmark(
        "_tomography:fbp",
        {
            "tomography.fbp": Promise(ratio=30),
            "tomography.fbp.cpu": Promise(ratio=15),
            "tomography.fbp.rmse": Promise(most=0.0155),
        },
    ),
    Benchmark(
        "_tomography:fbp1024", {"tomography.fbp1024": Promise(ratio=80), "tomography.fbp1024.cpu": Promise(ratio=45)}
    ),
    Benchmark("_crystallography:plan", {"hkl.plan": Promise(least=1_000)}),
    Benchmark("_tomography:phantoms", {"tomography.phantoms": Promise(most=1.0)}),
    Benchmark(
        "_tomography:real",
        {"tomography.tooth": Promise(least=0.99), "tomography.tooth.axis": Promise(least=295.0, most=296.1)},
    ),
    Benchmark(
        "_simulation:frames",
        {
            "simulation.powder": Promise(most=0.02),
            "simulation.crystal": Promise(most=0.03),
            "simulation.darkfield": Promise(most=0.03),
        },
    ),
    Benchmark("_simulation:spectrum", {"simulation.spectrum": Promise(most=0.005)}),
    Benchmark("_session:loading", {"session.load": Promise(most=1.0)}),
    Benchmark("_session:wa", {"session.wa": Promise(most=0.05)}),
    Benchmark("_session:client", {"session.client": Promise(most=0.01)}),
    Benchmark("_start:importing", {"start.import": Promise(most=0.3)}),
    Benchmark("_start:command_line", {"start.cli": Promise(most=0.4)}),
    Benchmark("_web:curve", {"web.curve": Promise(least=20), "web.curve.latency": Promise(most=0.02)}),
    Benchmark("_web:image", {"web.image": Promise(least=10), "web.image.latency": Promise(most=0.1)}),
    Benchmark("_web:mesh", {"web.map": Promise(least=5)}),
    Benchmark("_web:points", {"web.points": Promise(least=5)}),
    Benchmark("_web:first_load", {"web.first_load": Promise(most=2.0)}),
    Benchmark("_web:slowdown", {"web.slowdown": Promise()}),
)


def promises() -> dict[str, Promise]:
    """What each row has to reach."""
    return {name: promise for benchmark in BENCHMARKS for name, promise in benchmark.promises.items()}


def chosen(names: Sequence[str]) -> list[Benchmark]:
    """The benchmarks with rows of these names, or of names that begin so (``buffer``); all without a name.

    :raises LookupError: when a name fits none; the message names the closest ones.
    """
    known = promises()
    for name in names:
        if not any(fits(name, row) for row in known):
            close = difflib.get_close_matches(name, known, n=3, cutoff=0.3) or sorted(known)
            raise LookupError(f"There is no benchmark {name!r}. There is {', '.join(close)}.")
    return [b for b in BENCHMARKS if not names or any(fits(name, row) for name in names for row in b.promises)]


def fits(name: str, row: str) -> bool:
    """Whether a name that was asked for means this row."""
    return row == name or row.startswith(f"{name}.")
