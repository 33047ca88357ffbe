"""Regions of frames, as users and configurations write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic.functional_validators import BeforeValidator

from firstlight.devices._configuration import Configuration, WrongSetting
from firstlight.model import InvalidInput

Statistic = Literal["sum", "mean", "std", "min", "max"]
Profile = Literal["horizontal", "vertical"]
Pixels = Annotated[int, Field(ge=1)]

STATISTICS: tuple[Statistic, ...] = ("sum", "mean", "std", "min", "max")


class Rectangle(Configuration):
    """A rectangle of pixels."""

    x: int = Field(ge=0)
    """First column."""
    y: int = Field(ge=0)
    """First row."""
    width: int = Field(ge=1)
    """Columns."""
    height: int = Field(ge=1)
    """Rows."""
    statistics: tuple[Statistic, ...] = STATISTICS
    """What is counted."""
    profiles: tuple[Profile, ...] = ()
    """Sums over the rows (``horizontal``) or over the columns (``vertical``)."""

    def spans(self, shape: tuple[int, int]) -> NDArray[np.int64]:
        """Row, first column, and column after the last; a line each.

        :raises InvalidInput: when it leaves a frame of that shape.
        """
        if self.y + self.height > shape[0] or self.x + self.width > shape[1]:
            raise InvalidInput(
                f"columns {self.x} to {self.x + self.width - 1} and rows {self.y} to {self.y + self.height - 1} "
                f"leave the frame of {shape[1]} × {shape[0]} pixels"
            )
        rows = np.arange(self.y, self.y + self.height)
        return np.stack([rows, np.full_like(rows, self.x), np.full_like(rows, self.x + self.width)], axis=1)

    @property
    def selection(self) -> dict[str, Any]:
        """The region for the file of a run."""
        return {"kind": "rectangle", "x": self.x, "y": self.y, "width": self.width, "height": self.height}


class Arc(Configuration):
    """A part of a ring: pixels whose middle lies between two circles and two angles."""

    x: float
    """Column of the centre, which may lie outside; pixel k's middle is at k."""
    y: float
    """Row of the centre."""
    inner: float = Field(ge=0)
    """Radius of the smaller circle, pixels."""
    outer: float = Field(gt=0)
    """Radius of the larger circle, pixels."""
    start: float = 0.0
    """Angle from which it goes on, deg, from the direction of the columns towards that of the rows."""
    stop: float = 360.0
    """Angle up to which it goes."""
    statistics: tuple[Statistic, ...] = STATISTICS
    """What is counted."""

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """None: rows and columns say little about a ring."""
        return ()

    def spans(self, shape: tuple[int, int]) -> NDArray[np.int64]:
        """Row, first column, and column after the last; a line each, several lines for some rows.

        :raises InvalidInput: when it holds no pixel of a frame of that shape.
        """
        rows = np.arange(max(0, int(self.y - self.outer)), min(shape[0], int(self.y + self.outer) + 2))
        columns = np.arange(max(0, int(self.x - self.outer)), min(shape[1], int(self.x + self.outer) + 2))
        dy, dx = np.meshgrid(rows - self.y, columns - self.x, indexing="ij")
        radius = np.hypot(dx, dy)
        inside = (radius >= self.inner) & (radius < self.outer)
        if self.stop - self.start < 360.0:
            inside &= np.mod(np.degrees(np.arctan2(dy, dx)) - self.start, 360.0) < (self.stop - self.start)
        if not inside.any():
            raise InvalidInput(f"it holds no pixel of the frame of {shape[1]} × {shape[0]} pixels")
        padded = np.pad(inside, ((0, 0), (1, 1))).astype(np.int8)
        edges = np.diff(padded, axis=1)
        row, first = np.nonzero(edges == 1)
        last = np.nonzero(edges == -1)[1]
        return np.stack([rows[row], columns[0] + first, columns[0] + last], axis=1).astype(np.int64)

    @property
    def selection(self) -> dict[str, Any]:
        """The region for the file of a run."""
        return {
            "kind": "arc", "cx": self.x, "cy": self.y, "r1": self.inner, "r2": self.outer, "a1": self.start,
            "a2": self.stop,
        }  # fmt: skip


_NUMBERS = {4: ("x", "y", "width", "height"), 6: ("x", "y", "inner", "outer", "start", "stop")}


def _one(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        keys = _NUMBERS.get(len(value))
        if keys is None:
            raise InvalidInput("a region is (x, y, width, height), or (x, y, inner, outer, start, stop) of an arc")
        value = dict(zip(keys, value, strict=True))
    if isinstance(value, Mapping):
        return (Arc if "outer" in value or "inner" in value else Rectangle).model_validate(dict(value))
    return value


OneRegion: TypeAlias = Annotated[Rectangle | Arc, BeforeValidator(_one)]
"""A single region: ``[x, y, width, height]``, or a mapping of its settings."""


class Grid(Configuration):
    """Rectangles of one size in rows and columns, counted at once: an array a frame."""

    x: int = Field(ge=0)
    """First column of pixels of the first cell."""
    y: int = Field(ge=0)
    """First row of pixels of the first cell."""
    columns: int = Field(ge=1)
    """Cells side by side."""
    rows: int = Field(ge=1)
    """Cells below each other."""
    cell: tuple[Pixels, Pixels]
    """Width and height of a cell, pixels."""
    step: tuple[Pixels, Pixels] | None = None
    """Columns and rows of pixels from one cell to the next; its size when not given, so that no pixel is left out."""
    statistics: tuple[Statistic, ...] = Field(default=("sum",), min_length=1)
    """What is counted."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what a frame gives: rows and columns."""
        return (self.rows, self.columns)

    def each(self, shape: tuple[int, int]) -> list[NDArray[np.int64]]:
        """The spans of each cell, row by row; see :meth:`Rectangle.spans`.

        :raises InvalidInput: when it leaves a frame of that shape.
        """
        (width, height), (across, down) = self.cell, self.step or self.cell
        right, bottom = self.x + (self.columns - 1) * across + width, self.y + (self.rows - 1) * down + height
        if right > shape[1] or bottom > shape[0]:
            raise InvalidInput(
                f"columns {self.x} to {right - 1} and rows {self.y} to {bottom - 1} leave the frame of "
                f"{shape[1]} × {shape[0]} pixels"
            )
        corners = [(self.x + k * across, self.y + n * down) for n in range(self.rows) for k in range(self.columns)]
        return [Rectangle(x=x, y=y, width=width, height=height).spans(shape) for x, y in corners]

    def spans(self, shape: tuple[int, int]) -> NDArray[np.int64]:
        """All of them."""
        return np.concatenate(self.each(shape))

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """None."""
        return ()

    @property
    def selection(self) -> dict[str, Any]:
        """The regions for the file of a run."""
        return {
            "kind": "grid", "x": self.x, "y": self.y, "columns": self.columns, "rows": self.rows,
            "cell": list(self.cell), "step": list(self.step or self.cell),
        }  # fmt: skip


class Collection(Configuration):
    """Many regions, counted at once: an array a frame, in the order in which they are written."""

    regions: dict[str, OneRegion] = Field(min_length=1)
    """The regions by name."""
    statistics: tuple[Statistic, ...] = Field(default=("sum",), min_length=1)
    """What is counted in each."""

    @model_validator(mode="after")
    def _plain(self) -> Collection:
        for name, region in self.regions.items():
            if {"statistics", "profiles"} & region.model_fields_set:
                raise InvalidInput(f"region {name} has statistics of its own; what is counted belongs to all of them")
        return self

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what a frame gives."""
        return (len(self.regions),)

    def each(self, shape: tuple[int, int]) -> list[NDArray[np.int64]]:
        """The spans of each region; see :meth:`Rectangle.spans`.

        :raises InvalidInput: when one leaves a frame of that shape.
        """
        found = []
        for name, region in self.regions.items():
            try:
                found.append(region.spans(shape))
            except InvalidInput as error:
                raise InvalidInput(f"{name}: {error.message}") from error
        return found

    def spans(self, shape: tuple[int, int]) -> NDArray[np.int64]:
        """All of them."""
        return np.concatenate(self.each(shape))

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """None."""
        return ()

    @property
    def selection(self) -> dict[str, Any]:
        """The regions for the file of a run."""
        selections = {name: region.selection for name, region in self.regions.items()}
        return {"kind": "collection", "names": list(self.regions), "regions": selections}

    @model_serializer(mode="wrap")
    def _short(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # As they were written: what is counted belongs to all of them.
        dumped: dict[str, Any] = handler(self)
        for region in dumped["regions"].values():
            region.pop("statistics", None)
            region.pop("profiles", None)
        return dumped


def _from_numbers(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], (list, tuple, Mapping)):
        value = {"regions": {f"r{k}": region for k, region in enumerate(value)}}
    if isinstance(value, Mapping) and ("columns" in value or "rows" in value):
        return Grid.model_validate(dict(value))
    if isinstance(value, Mapping) and "regions" in value:
        return Collection.model_validate(dict(value))
    return _one(value)


AnyRegion: TypeAlias = Rectangle | Arc | Grid | Collection
"""What can be counted under one name."""

AreaRegion: TypeAlias = Annotated[AnyRegion, BeforeValidator(_from_numbers)]
"""A region of frames: ``[x, y, width, height]``, a list of such, or a mapping of its settings."""

_adapter: TypeAdapter[AnyRegion] = TypeAdapter(AreaRegion)


def area_region(device: str, name: str, given: Any, shape: tuple[int, int]) -> AnyRegion:
    """A region from what a user wrote, checked against the frames.

    :raises InvalidInput: when it is none, or leaves the frame.
    """
    try:
        region = _adapter.validate_python(given)
        region.spans(shape)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = str(first["loc"][-1]) if first["loc"] else ""
        reason = str(first["msg"]).removeprefix("Value error, ").rstrip(".")
        known = where in {name for kind in (Rectangle, Arc, Grid, Collection) for name in kind.model_fields}
        raise InvalidInput(
            f"{device}: region {name}: {f'{where}: ' if known else ''}{reason}.",
            hint="Write (x, y, width, height) in pixels, or a list of such.",
        ) from error
    except InvalidInput as error:
        raise InvalidInput(f"{device}: region {name}: {error.message}.", hint="Make it smaller or move it.") from error
    return region


class SourceConfiguration(Configuration):
    """Base of the configurations of frame sources: what the camera counts, whatever takes its frames."""

    rois: dict[str, AreaRegion] = Field(default_factory=dict)
    """Regions that are counted, by name: ``[x, y, width, height]`` in pixels; a list or a grid gives an array."""

    @model_validator(mode="after")
    def _within(self) -> SourceConfiguration:
        shape: tuple[int, int] | None = getattr(self, "shape", None)
        for name, region in self.rois.items():
            if shape is None:
                break
            try:
                region.spans(shape)
            except InvalidInput as error:
                raise WrongSetting(("rois", name), f"{error.message}.", hint="Make it smaller or move it.") from error
        return self
