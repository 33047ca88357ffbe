"""The order in which devices can be built, from what each refers to."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from firstlight.model import InvalidInput


def levels(references: Mapping[str, Collection[str]]) -> tuple[tuple[str, ...], ...]:
    """Names in levels: all of one level can be built at once, when those before it are.

    :param references: what each name needs; needed names that are no keys are left aside.
    :raises InvalidInput: for a circle, which it names: ``a -> b -> a``.
    """
    waiting = {name: {other for other in needed if other in references} for name, needed in references.items()}
    found: list[tuple[str, ...]] = []
    while waiting:
        free = tuple(name for name, needed in waiting.items() if not needed)
        if not free:
            circle = circles(references)[0]
            raise InvalidInput(f"Devices need each other: {' -> '.join(circle)}.", hint="Take one reference away.")
        found.append(free)
        for name in free:
            del waiting[name]
        done = set(free)
        for needed in waiting.values():
            needed -= done
    return tuple(found)


def circles(references: Mapping[str, Collection[str]]) -> list[tuple[str, ...]]:
    """Circles of references, each from one name back to it; breaking them all leaves none.

    :param references: what each name needs.
    """
    found: list[tuple[str, ...]] = []
    done: set[str] = set()
    for start in references:
        if start in done:
            continue
        path = [start]
        on_path = {start: 0}
        stack = [(start, iter(references[start]))]
        while stack:
            name, rest = stack[-1]
            for other in rest:
                if other in on_path:
                    found.append((*path[on_path[other] :], other))
                elif other in references and other not in done:
                    on_path[other] = len(path)
                    path.append(other)
                    stack.append((other, iter(references[other])))
                    break
            else:
                stack.pop()
                path.pop()
                del on_path[name]
                done.add(name)
    return found


def needed(names: Collection[str], references: Mapping[str, Collection[str]]) -> set[str]:
    """The names, and all that they need, directly or not."""
    found: set[str] = set()
    waiting = [name for name in names if name in references]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [other for other in references[name] if other in references]
    return found
