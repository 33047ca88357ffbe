"""Filtered backprojection in Fourier space: each filtered projection is a line through the spectrum of the slice.

f(x, y) = Σ_a w_a q_a(x cos θ_a + y sin θ_a), with q_a the projection convolved with the ramp and w_a the arc it stands
for. With q_a given by its N Fourier coefficients, the double sum over angles and coefficients is a non-uniform Fourier
transform of type 1 with points (ω_m cos θ_a, ω_m sin θ_a); ``finufft`` computes it. The rotation axis, and the half
pixel between the grid of an even image and its middle, are phase ramps on the coefficients.

Three things make it fast. Two slices are one complex transform: real and imaginary part stay apart because every
operation is real in space. Projections are padded for the convolution with the ramp only, then cut to the window that
the disc can see, which halves the points of the transform. Threads work on different pairs, each with its own
single-threaded plan, so nothing waits for anything.
"""

from __future__ import annotations

import queue
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.kernels._angles import angle_weights
from firstlight.kernels._filters import filter_response
from firstlight.kernels._threads import cores, each
from firstlight.model import InvalidInput

Floats = NDArray[np.float32]
Complex = NDArray[np.complex64]

TOLERANCE = 1e-3
"""Requested precision of the transform, relative; the error it makes is far below that of the reconstruction."""

_UPSAMPLING = 1.25
_MARGIN = 8  # pixels on each side of the disc, so that the ends of the window do not ring into it
_BLOCK_BYTES = 1 << 20  # rows that are filtered together stay in the cache


@dataclass(frozen=True, slots=True)
class _Grid:
    """What the geometry fixes, shared by all threads."""

    size: int
    omega: NDArray[np.float64]
    """(samples,) frequency of each coefficient, rad/pixel."""
    table: Complex
    """(angles, samples) weight of each projection and half a pixel of an even image."""
    rows: Floats
    """(angles * samples,) vertical frequency of each point."""
    columns: Floats
    squares: Floats
    """(size,) squared distance of each row or column from the middle."""
    limit: float
    outside: float
    tolerance: float

    @property
    def window(self) -> int:
        return self.omega.size

    def first(self, axis: float) -> int:
        """First detector pixel of the window around an axis."""
        return int(np.floor(axis)) - self.window // 2

    def ramp(self, axis: float) -> NDArray[np.complex128]:
        """Phase ramp that puts the axis at the origin of its window."""
        phase = self.omega * (axis - self.first(axis))
        return np.cos(phase) + 1j * np.sin(phase)


class Gridrec:
    """Reconstructs slices that share angles and geometry; plans are made once and reused.

    The image is square; its middle, ``(size - 1) / 2`` in both directions, is the rotation axis. Column ``j`` is
    x = j - (size - 1) / 2, row ``i`` is y = i - (size - 1) / 2, and a point (x, y) is seen at detector pixel
    ``axis + x cos θ + y sin θ``. Pixel k's centre is at k. Calls from several threads at once are safe.

    :param angles: degrees, any order.
    :param width: pixels of a projection.
    :param axis: detector pixel of the rotation axis, any fraction.
    :param size: pixels of the image's side; the width by default.
    :param pixel_size: length of a pixel; the result is attenuation per unit of that length.
    :param filter: one of ``FILTERS``.
    :param cutoff: fraction of the Nyquist frequency above which nothing passes.
    :param valid: False for projections to ignore.
    :param circle: radius of the disc that is kept, as a fraction of half the size; None keeps the whole square.
    :param outside: value beyond the disc.
    :param padding: what lies beyond the ends of a projection for the filter: ``zero``, or ``edge`` for samples wider
        than the detector.
    :param tolerance: requested relative precision of the transform.
    :param workers: threads; all cores by default.
    :raises InvalidInput: when the geometry is impossible.
    """

    def __init__(
        self,
        angles: ArrayLike,
        width: int,
        axis: float,
        *,
        size: int | None = None,
        pixel_size: float = 1.0,
        filter: str = "ramp",  # noqa: A002
        cutoff: float = 1.0,
        valid: ArrayLike | None = None,
        circle: float | None = 1.0,
        outside: float = 0.0,
        padding: Literal["zero", "edge"] = "zero",
        tolerance: float = TOLERANCE,
        workers: int | None = None,
    ) -> None:
        side = width if size is None else size
        if width < 2 or side < 1:
            raise InvalidInput(f"A projection of {width} pixels cannot give an image of {side}.")
        if not pixel_size > 0.0:
            raise InvalidInput(f"A pixel size of {pixel_size} is impossible.")
        if padding not in ("zero", "edge"):
            raise InvalidInput(f"There is no padding {padding!r}.", hint="Choose zero or edge.")
        if circle is not None and not circle > 0.0:
            raise InvalidInput(f"A disc of radius {circle} is empty.")
        if not np.isfinite(axis):
            raise InvalidInput(f"A rotation axis at {axis} is impossible.")
        filter_response(filter, 2, cutoff)  # refuses a wrong name now, not in a thread
        self.angles = np.asarray(angles, dtype=np.float64)
        self.width = width
        self.size = side
        self.axis = float(axis)
        """Detector pixel of the rotation axis where a call names no other."""
        self.workers = workers or cores()
        weights = angle_weights(angles, valid)
        used = np.flatnonzero(weights)
        self._used = None if used.size == weights.size else used
        self._filter = (filter, cutoff)
        self._edge = padding == "edge"
        reach = side * (np.sqrt(2.0) if circle is None else min(circle, np.sqrt(2.0)))
        self._grid = _grid(
            np.deg2rad(self.angles[used]),
            weights[used] / pixel_size,
            size=side,
            window=_fast_odd(int(np.ceil(reach)) + 2 * _MARGIN),
            limit=np.inf if circle is None else (circle * side / 2.0) ** 2,
            outside=outside,
            tolerance=tolerance,
        )
        self._responses: dict[int, Floats] = {}
        self._benches: queue.SimpleQueue[_Bench] = queue.SimpleQueue()

    def __call__(self, sinograms: NDArray[Any], *, axes: ArrayLike | None = None, out: Floats | None = None) -> Floats:
        """Reconstruct one sinogram (angles, width) or a stack (slices, angles, width).

        :param sinograms: attenuation (line integrals), finite; float32 is not copied.
        :param axes: rotation axis of each slice, for a tilted axis; with one sinogram, any number of axes to try, each
            giving one image. ``self.axis`` by default.
        :param out: (images, size, size) float32 to write to.
        :return: float32 image (size, size), or (slices, size, size); attenuation per unit of the pixel size.
        :raises InvalidInput: when the shapes do not fit.
        """
        stack = np.asarray(sinograms, dtype=np.float32)
        single = stack.ndim == 2
        if stack.ndim not in (2, 3) or stack.shape[-2:] != (self.angles.size, self.width):
            raise InvalidInput(
                f"Sinograms of shape {np.shape(sinograms)} do not fit {self.angles.size} angles x {self.width} pixels."
            )
        wanted = np.size(axes) if single and axes is not None else 1 if single else len(stack)
        where = np.full(wanted, self.axis) if axes is None else np.atleast_1d(np.asarray(axes, dtype=np.float64))
        if where.shape != (wanted,) or not np.isfinite(where).all():
            raise InvalidInput(f"{wanted} slices need as many rotation axes, not {where.size}.")
        images = np.empty((wanted, self.size, self.size), np.float32) if out is None else out
        if images.shape != (wanted, self.size, self.size) or images.dtype != np.float32:
            raise InvalidInput(f"Images go to a float32 array of shape {(wanted, self.size, self.size)}.")
        if not wanted:
            return images
        response = self._response(where)

        def sinogram(index: int) -> Floats:
            lines = stack if single else stack[index]
            return np.ascontiguousarray(lines if self._used is None else lines[self._used])

        def reconstruct(first: int) -> None:
            second = min(first + 1, wanted - 1)
            pair = (sinogram(first), sinogram(second))
            bench = self._take()
            try:
                bench.transform(pair[0], pair[1], where[first], where[second], response, self._edge)
                bench.keep(images[first], images[second])
            finally:
                self._benches.put(bench)

        each(reconstruct, range(0, wanted, 2), self.workers)
        return images[0] if single and (axes is None or np.ndim(axes) == 0) else images

    def _response(self, axes: NDArray[np.float64]) -> Floats:
        """Filter on rows long enough that no pixel of a window is reached around the end of the row."""
        first = np.array([self._grid.first(axis) for axis in (axes.min(), axes.max())])
        longest = max(int((self.width - first).max()), int((self._grid.window + first).max()))
        length = _fast(2 * longest)
        if length not in self._responses:
            self._responses[length] = filter_response(self._filter[0], length, self._filter[1])
        return self._responses[length]

    def _take(self) -> _Bench:
        try:
            return self._benches.get_nowait()
        except queue.Empty:
            return _Bench(self._grid)


class _Bench:
    """What one thread needs: a plan and its arrays."""

    def __init__(self, grid: _Grid) -> None:
        import finufft

        self._grid = grid
        self._strengths = np.empty(grid.table.shape, np.complex64)
        self._image = np.empty((grid.size, grid.size), np.complex64)
        self._plan = finufft.Plan(
            1,
            (grid.size, grid.size),
            eps=grid.tolerance,
            isign=1,
            dtype="complex64",
            nthreads=1,
            upsampfac=_UPSAMPLING,
        )
        self._plan.setpts(grid.rows, grid.columns)

    def transform(
        self, first: Floats, second: Floats, first_axis: float, second_axis: float, response: Floats, edge: bool
    ) -> None:
        """Two slices, each with its own axis, as real and imaginary part of one image."""
        from scipy.fft import fft, ifft

        from firstlight.kernels import _loops

        grid = self._grid
        length = response.size
        starts = (-grid.first(first_axis) % length, -grid.first(second_axis) % length)
        ramps = (grid.ramp(first_axis), grid.ramp(second_axis))
        same = (0.5 * (ramps[0] + ramps[1])).astype(np.complex64)
        cross = (0.5 * (ramps[0] - ramps[1])).astype(np.complex64)
        block = max(1, _BLOCK_BYTES // (8 * length))
        buffer = np.empty((block, length), np.complex64)
        for begin in range(0, len(grid.table), block):
            rows = slice(begin, min(begin + block, len(grid.table)))
            padded = buffer[: rows.stop - begin]
            _loops.pack(first[rows], second[rows], starts[0], starts[1], edge, padded.view(np.float32))
            spectrum = fft(padded, axis=1, overwrite_x=True)
            _loops.scale_rows(spectrum, response)
            filtered = ifft(spectrum, axis=1, overwrite_x=True)
            lines = fft(filtered[:, : grid.window], axis=1)
            if first_axis == second_axis:
                _loops.place(lines, grid.table[rows], same, self._strengths[rows])
            else:
                _loops.place_apart(lines, grid.table[rows], same, cross, self._strengths[rows])
        self._plan.execute(self._strengths.reshape(-1), out=self._image)

    def keep(self, first: Floats, second: Floats) -> None:
        """Copy both parts of the image to where they belong, and mask them."""
        from firstlight.kernels import _loops

        grid = self._grid
        _loops.split(self._image, grid.squares, grid.limit, grid.outside, first, second)


def reconstruct(sinograms: NDArray[Any], angles: ArrayLike, axis: float, **options: Any) -> Floats:
    """Reconstruct one sinogram (angles, width) or a stack (slices, angles, width).

    A shorthand for ``Gridrec(angles, width, axis, **options)(sinograms)``, see :class:`Gridrec` for the conventions;
    keep a :class:`Gridrec` to reconstruct more than once.
    """
    return Gridrec(angles, np.shape(sinograms)[-1], axis, **options)(sinograms)


def _grid(
    theta: NDArray[np.float64],
    weights: NDArray[np.float64],
    *,
    size: int,
    window: int,
    limit: float,
    outside: float,
    tolerance: float,
) -> _Grid:
    omega = np.asarray(2 * np.pi * np.fft.fftfreq(window), dtype=np.float64)
    half = 0.5 if size % 2 == 0 else 0.0
    phase = np.outer(half * (np.cos(theta) + np.sin(theta)), omega)
    return _Grid(
        size=size,
        omega=omega,
        table=(weights[:, None] / window * np.exp(1j * phase)).astype(np.complex64),
        rows=np.outer(np.sin(theta), omega).astype(np.float32).ravel(),
        columns=np.outer(np.cos(theta), omega).astype(np.float32).ravel(),
        squares=((np.arange(size) - (size - 1) / 2.0) ** 2).astype(np.float32),
        limit=limit,
        outside=outside,
        tolerance=tolerance,
    )


def _fast(least: int) -> int:
    """Smallest length of at least ``least`` that FFTs do fast."""
    from scipy.fft import next_fast_len

    return int(next_fast_len(least))


def _fast_odd(least: int) -> int:
    """Smallest odd length of small prime factors; odd, because an even one has a coefficient with two meanings."""
    length = least | 1
    while True:
        rest = length
        for factor in (3, 5, 7, 11):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 2
