"""The order of building, and circles in it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firstlight.configuration import levels
from firstlight.configuration._order import circles, needed
from firstlight.model import InvalidInput

NAMES = [f"d{n}" for n in range(8)]
GRAPHS = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=4, unique=True), max_size=8)


def test_each_level_needs_only_those_before_it() -> None:
    found = levels({"mono": ["bragg", "gap"], "bragg": [], "gap": ["bragg"], "ring": [], "cam": ["elsewhere"]})
    assert found == (("bragg", "ring", "cam"), ("gap",), ("mono",))


def test_a_circle_is_named() -> None:
    with pytest.raises(InvalidInput, match="a -> b -> a"):
        levels({"x": ["a"], "a": ["b"], "b": ["a"]})
    assert circles({"x": ["a"], "a": ["b"], "b": ["a"], "c": ["c"]}) == [("a", "b", "a"), ("c", "c")]


def test_a_long_chain_needs_no_deep_recursion() -> None:
    chain = {f"d{n}": [f"d{n + 1}"] for n in range(5000)} | {"d5000": []}
    assert circles(chain) == []
    assert len(needed(["d0"], chain)) == 5001


@given(GRAPHS)
def test_there_are_levels_or_circles(graph: dict[str, list[str]]) -> None:
    found = circles(graph)
    for circle in found:
        assert circle[0] == circle[-1]
        assert all(after in graph[before] for before, after in pairwise(circle))
    if found:
        with pytest.raises(InvalidInput):
            levels(graph)
        return
    order = levels(graph)
    done: set[str] = set()
    for level in order:
        assert all(other in done for name in level for other in graph[name] if other in graph)
        done |= set(level)
    assert sorted(name for level in order for name in level) == sorted(graph)
    # Nothing could have been built earlier.
    for index, level in enumerate(order[1:], 1):
        assert all(set(graph[name]) & set(order[index - 1]) for name in level)


@given(GRAPHS, st.sampled_from(NAMES))
def test_what_is_needed_is_closed(graph: dict[str, list[str]], name: str) -> None:
    found = needed([name], graph)
    assert all(other in found for one in found for other in graph[one] if other in graph)
    assert (name in found) == (name in graph)
