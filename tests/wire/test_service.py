from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import Field

from firstlight.model import Block, ChannelSpec, InvalidInput, NotFound, TriggerMode, TriggerPlan
from firstlight.wire import Role, Service, method
from firstlight.wire._service import find, handlers


@dataclass
class Limits:
    low: float
    high: float


class Desk(Service):
    @method(Role.VIEW)
    def look(self) -> str:
        return "seen"

    @method()
    def move(self, axis: str, target: Annotated[float, Field(ge=0)], *, limits: Limits | None = None) -> None: ...

    @method()
    async def prepare(self, plan: TriggerPlan, steps: list[dict[str, Any]] = [], path: Path = Path()) -> None: ...  # noqa: B006

    @method()
    def load(self, frame: NDArray[np.uint16], block: Block | None = None, spec: ChannelSpec | None = None) -> None: ...

    @method(Role.TERMINAL)
    def untyped(self, anything, more=1):  # type: ignore[no-untyped-def]
        """Offered all the same."""

    def hidden(self) -> None: ...


METHODS = handlers(Desk())


def test_only_marked_methods_are_offered_with_their_roles() -> None:
    assert {name: handler.role for name, handler in METHODS.items()} == {
        "look": Role.VIEW,
        "move": Role.OPERATE,
        "prepare": Role.OPERATE,
        "load": Role.OPERATE,
        "untyped": Role.TERMINAL,
    }
    assert METHODS["prepare"].is_async
    assert not METHODS["move"].is_async


def test_arguments_become_what_the_annotations_say() -> None:
    given = {"plan": {"mode": "time", "points": 1, "exposure": 0.1}, "path": "/data"}
    got = METHODS["prepare"].validate(given)
    assert got == {"plan": TriggerPlan(mode=TriggerMode.TIME, points=1, exposure=0.1), "path": Path("/data")}
    assert METHODS["move"].validate({"axis": "rot", "target": 1, "limits": {"low": 0, "high": 1}}) == {
        "axis": "rot",
        "target": 1.0,
        "limits": Limits(0.0, 1.0),
    }


def test_arrays_and_values_pass_as_they_are() -> None:
    frame = np.zeros((2, 3), "<u2")
    block = Block("cam", 0, frame, 1.0)
    spec = ChannelSpec("cam")
    got = METHODS["load"].validate({"frame": frame, "block": block, "spec": spec})
    assert got["frame"] is frame
    assert got["block"] is block
    assert got["spec"] is spec


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("move", {"axis": "rot", "target": "far"}, "move: target: Input should be a valid number"),
        ("move", {"axis": "rot", "target": -1}, "move: target: Input should be greater than or equal to 0"),
        ("move", {"axis": 3, "target": 1}, "move: axis: Input should be a valid string"),
        ("move", {"axis": "rot"}, "move: argument target is missing"),
        ("move", {"axis": "rot", "taget": 1}, "move has no argument 'taget'. Did you mean target?"),
        ("move", {"axis": "rot", "target": 1, "limits": {"low": 0}}, "high: Field required"),
        ("prepare", {"plan": {"mode": "time", "points": -1, "exposure": 1}}, "prepare: plan.points: "),
        ("load", {"frame": [1, 2]}, "load: frame: Input should be an instance of ndarray"),
        ("look", {"x": 1}, "look has no argument 'x'. There are: none."),
    ],
)
def test_a_wrong_argument_is_named(name: str, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        METHODS[name].validate(arguments)
    assert words in str(caught.value)


def test_an_unknown_method_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(NotFound, match="Did you mean prepare"):
        find(METHODS, "prepar")


def test_a_method_whose_arguments_have_no_names_cannot_be_offered() -> None:
    class Bad(Service):
        @method()
        def many(self, *values: int) -> None: ...

    with pytest.raises(TypeError, match="cannot be given by name"):
        handlers(Bad())


def test_events_without_a_server_go_nowhere() -> None:
    Desk().emit("topic", object())
