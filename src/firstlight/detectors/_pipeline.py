"""The steps of a receiver: one thread, one frame at a time, in the order given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from firstlight.buffer import LogWriter, RaggedWriter, RingWriter, RunMember
from firstlight.detectors._load import call
from firstlight.model import ChannelKind, ChannelSpec, DeviceError, FirstlightError, InvalidInput, Step
from firstlight.wire import register

Writer = LogWriter | RaggedWriter | RingWriter


@register
@dataclass(frozen=True, slots=True)
class StepSpec:
    """A step before it exists.

    :param target: ``module:function`` that makes the :class:`Step`.
    :param arguments: JSON values.
    """

    target: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def build(self) -> Step:
        """Make the step.

        :raises InvalidInput: it cannot be made.
        """
        step: Step = call(self.target, self.arguments)
        return step


class Pipeline:
    """Steps and the channels they publish.

    Channels that get an item of every frame keep the frames' indices: a frame that is missing gives them the missing
    value (no values at all, if ragged). Others (totals, every tenth frame) get what their step gives.
    """

    def __init__(self, camera: str, steps: Sequence[Step]) -> None:
        self._camera = camera
        self._steps: list[tuple[Step, dict[str, Writer]]] = [(step, {}) for step in steps]
        # Frames that were missing before any came: only then is it known which channels get an item of each.
        self._leading = 0

    def open(self, member: RunMember, frame: ChannelSpec, *, points: int, slots: int) -> list[ChannelSpec]:
        """Prepare all steps and make their channels.

        :param points: frames to expect; 0 when open-ended.
        :param slots: for channels that are rings.
        """
        made = []
        for step, writers in self._steps:
            for spec in self._try(step, "to prepare", partial(step.prepare, frame)):
                match spec.kind:
                    case ChannelKind.LOG:
                        writers[spec.name] = member.create_log(spec, capacity=points or None)
                    case ChannelKind.RAGGED:
                        writers[spec.name] = member.create_ragged(spec, capacity=points or None)
                    case ChannelKind.RING:
                        writers[spec.name] = member.create_ring(spec, slots)
                    case _:
                        raise InvalidInput(f"{self._camera}: step {step.name} cannot publish a {spec.kind} channel.")
                made.append(spec)
        return made

    def process(self, index: int, frame: NDArray[Any]) -> None:
        """Reduce one frame and publish the results.

        :param frame: read-only.
        :raises DeviceError: a step failed, or does not give what it said.
        """
        for step, writers in self._steps:
            values = self._try(step, f"at frame {index}", partial(step.process, index, frame))
            if unknown := values.keys() - writers.keys():
                raise DeviceError(self._camera, f"step {step.name} has no channel {min(unknown)}; it gave one.")
            for name, value in values.items():
                writer = writers[name]
                if self._leading and writer.count == 0 and index == self._leading:
                    for _ in range(self._leading):
                        _append(writer, _fill(writer))
                _append(writer, np.asarray(value))

    def missing(self, index: int) -> None:
        """Frame ``index`` never came."""
        if index == self._leading:
            self._leading += 1
            return
        for _, writers in self._steps:
            for writer in writers.values():
                if writer.count == index:
                    _append(writer, _fill(writer))

    def finish(self) -> None:
        """Publish what the steps kept until the end."""
        for step, writers in self._steps:
            for block in self._try(step, "to finish", step.finish):
                if block.channel not in writers:
                    raise DeviceError(self._camera, f"step {step.name} has no channel {block.channel}.")
                writer = writers[block.channel]
                if isinstance(writer, RaggedWriter):
                    for values in block.values:
                        writer.append_one(np.asarray(values))
                else:
                    writer.append(np.asarray(block.values))

    def seal(self, reason: str) -> None:
        """End all channels."""
        for _, writers in self._steps:
            for writer in writers.values():
                writer.seal(reason)

    def _try(self, step: Step, doing: str, function: Callable[[], Any]) -> Any:
        try:
            return function()
        except FirstlightError:
            raise
        except Exception as error:
            raise DeviceError(
                self._camera, f"step {step.name} failed {doing}: {type(error).__name__}: {error}."
            ) from error


def _fill(writer: Writer) -> NDArray[Any]:
    shape = (0,) if isinstance(writer, RaggedWriter) else writer.spec.shape
    return np.full(shape, writer.spec.fill, np.dtype(writer.spec.dtype))


def _append(writer: Writer, value: NDArray[Any]) -> None:
    if isinstance(writer, RaggedWriter):
        writer.append_one(value)
    else:
        writer.append(value[np.newaxis])
