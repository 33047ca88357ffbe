"""A recorded tomography: its frames by kind, and the angles of its projections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from firstlight.model import InvalidInput


@dataclass(frozen=True)
class Stack:
    """Frames of one kind, read one at a time.

    :param count: how many.
    :param shape: (height, width).
    :param read: returns frame k, 0 ≤ k < count.
    """

    count: int
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    read: Callable[[int], NDArray[Any]]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> NDArray[Any]:
        """Frame ``index``, (height, width)."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        frame = np.asarray(self.read(index))
        if frame.shape != self.shape:
            raise InvalidInput(f"Frame {index} is {frame.shape}, the others are {self.shape}.")
        return frame

    @classmethod
    def of(cls, frames: Any, indices: Sequence[int] | NDArray[np.int64] | None = None) -> Stack:
        """The frames of an array or data set (n, height, width), or some of them in the order given."""
        chosen = np.arange(len(frames)) if indices is None else np.asarray(indices, dtype=np.int64)
        return cls(len(chosen), (frames.shape[1], frames.shape[2]), frames.dtype, lambda k: frames[int(chosen[k])])

    @classmethod
    def join(cls, stacks: Sequence[Stack]) -> Stack | None:
        """All frames one after the other; None of none."""
        stacks = [stack for stack in stacks if len(stack)]
        if not stacks:
            return None
        if len({stack.shape for stack in stacks}) > 1:
            raise InvalidInput(f"Frames of one kind differ in shape: {', '.join(str(s.shape) for s in stacks)}.")
        ends = np.cumsum([len(stack) for stack in stacks])

        def read(index: int) -> NDArray[Any]:
            which = int(np.searchsorted(ends, index, side="right"))
            return stacks[which][index - (int(ends[which - 1]) if which else 0)]

        return cls(int(ends[-1]), stacks[0].shape, stacks[0].dtype, read)


@dataclass(frozen=True)
class Recording:
    """What a replay camera serves. Where the rotation axis was is not part of it: that is to be found.

    :param name: of the file, for errors.
    :param angles: of the projections, degrees, shape (n,).
    :param pixel_size: (vertical, horizontal) at the sample, metres; None when unknown.
    """

    name: str
    projections: Stack
    angles: NDArray[np.float64]
    darks: Stack | None = None
    flats: Stack | None = None
    pixel_size: tuple[float, float] | None = None
    close: Callable[[], None] = field(default=lambda: None, repr=False)
    """Close the files behind it."""

    def __post_init__(self) -> None:
        if not len(self.projections):
            raise InvalidInput(f"{self.name} holds no projections.")
        angles = np.asarray(self.angles, dtype=np.float64)
        object.__setattr__(self, "angles", angles)
        if angles.shape != (len(self.projections),):
            raise InvalidInput(f"{self.name} holds {len(self.projections)} projections, but {angles.size} angles.")
        if not np.isfinite(angles).all():
            raise InvalidInput(f"{self.name} holds angles that are no numbers.")
        for kind, stack in (("darks", self.darks), ("flats", self.flats)):
            if stack is not None and stack.shape != self.projections.shape:
                raise InvalidInput(
                    f"The {kind} of {self.name} are {stack.shape}, its projections {self.projections.shape}."
                )

    @property
    def step(self) -> float:
        """Typical distance between neighbouring angles, degrees; infinite for a single projection."""
        if len(self.angles) < 2:
            return float("inf")
        return float(np.median(np.abs(np.diff(self.angles))))

    def scan(self) -> tuple[float, float, int]:
        """Start, stop and intervals of the continuous scan whose exposures have their middles at the recorded angles.

        :raises InvalidInput: when the angles are not evenly spaced to a tenth of a step.
        """
        n = len(self.angles)
        if n < 2:
            return float(self.angles[0]), float(self.angles[0]) + 1.0, 1
        step = float(self.angles[-1] - self.angles[0]) / (n - 1)
        if not step or np.abs(self.angles - self.angles[0] - step * np.arange(n)).max() > 0.1 * abs(step):
            raise InvalidInput(f"The angles of {self.name} are not evenly spaced.")
        return float(self.angles[0]) - step / 2, float(self.angles[-1]) + step / 2, n

    def nearest(self, angle: float) -> tuple[int, float]:
        """The projection whose angle is nearest (whole turns apart or not), and how far it is, degrees."""
        distance = np.abs(apart(self.angles, angle))
        index = int(np.argmin(distance))
        return index, float(distance[index])


def apart(angles: ArrayLike, angle: float) -> NDArray[np.float64]:
    """Distance from ``angle`` to each of ``angles`` without whole turns, -180 to 180 degrees."""
    return np.asarray((np.asarray(angles, dtype=np.float64) - angle + 180.0) % 360.0 - 180.0)


def in_degrees(values: ArrayLike, unit: str) -> NDArray[np.float64]:
    """Angles in degrees; without a unit they are taken to be so already."""
    angles = np.asarray(values, dtype=np.float64).ravel()
    return np.degrees(angles) if unit.strip().lower().startswith("rad") else angles
