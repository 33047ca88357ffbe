"""Names to devices, as people use them: attributes, items, nearest names; always those of now."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, Mapping, ValuesView
from typing import Any, TypeVar

from firstlight.model import NotFound
from firstlight.scanning import nearest

_T = TypeVar("_T")
_D = TypeVar("_D")


class View(Mapping[str, _T]):
    """A mapping that looks at another one each time.

    :param what: one of these, for errors: ``axis``.
    :param look: gives the mapping.
    """

    def __init__(self, what: str, look: Callable[[], Mapping[str, _T]]) -> None:
        self._what = what
        self._look = look

    def __getitem__(self, name: str) -> _T:
        found = self._look()
        if name not in found:
            raise NotFound(f"There is no {self._what} {name}.", hint=nearest(name, found))
        return found[name]

    def get(self, name: str, default: _D | None = None) -> _T | _D | None:  # type: ignore[override]
        """The one of that name, or the default."""
        return self._look().get(name, default)

    def __getattr__(self, name: str) -> _T:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except NotFound as error:
            raise AttributeError(str(error)) from None

    def __contains__(self, name: object) -> bool:
        return name in self._look()

    def __iter__(self) -> Iterator[str]:
        return iter(self._look())

    def __len__(self) -> int:
        return len(self._look())

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._look()})

    def items(self) -> ItemsView[str, _T]:
        """Names and what they stand for; one look for all."""
        return self._look().items()

    def values(self) -> ValuesView[_T]:
        """What there is; one look for all."""
        return self._look().values()

    def __repr__(self) -> str:
        found: dict[str, Any] = dict(self._look())
        return "\n".join(f"{name}: {value!r}" for name, value in found.items()) or f"No {self._what}."
