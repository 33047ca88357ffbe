"""Regions of interest by name: of spectra and of frames, edited at run time, checked at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any, Generic, TypeVar

from firstlight.model import InvalidInput, NotFound, nearest

_R = TypeVar("_R")

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Regions(MutableMapping[str, _R], Generic[_R]):
    """Regions of one detector, in the order in which they were made.

    Assigning accepts whatever the detector understands, such as a tuple of numbers, and refuses what does not fit.

    :param device: whose, for errors.
    :param read: makes a region of what was assigned, and refuses what does not fit the detector.
    :param changed: called after every change.
    :param taken: names that a region cannot have, because channels of the detector are called so.
    """

    def __init__(
        self,
        device: str,
        read: Callable[[str, Any], _R],
        changed: Callable[[], None] = lambda: None,
        taken: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self._device = device
        self._read = read
        self._changed = changed
        self._taken = taken
        self._regions: dict[str, _R] = {}

    def __getitem__(self, name: str) -> _R:
        try:
            return self._regions[name]
        except KeyError:
            raise NotFound(
                f"{self._device}: there is no region {name}.", hint=nearest(name, self._regions) or "It has none."
            ) from None

    def __setitem__(self, name: str, region: Any) -> None:
        self._regions[name] = self._checked(name, region)
        self._changed()

    def __delitem__(self, name: str) -> None:
        self[name]
        del self._regions[name]
        self._changed()

    def __contains__(self, name: object) -> bool:
        return name in self._regions

    def __iter__(self) -> Iterator[str]:
        return iter(self._regions)

    def __len__(self) -> int:
        return len(self._regions)

    def __repr__(self) -> str:
        return f"<Regions of {self._device}: {', '.join(self._regions) or 'none'}>"

    def clear(self) -> None:
        """Take all out."""
        self.replace({})

    def replace(self, regions: Mapping[str, Any]) -> None:
        """These and no others; nothing changes when one of them does not fit.

        :raises InvalidInput: the first that does not fit.
        """
        checked = {name: self._checked(name, region) for name, region in regions.items()}
        if checked != self._regions:
            self._regions = checked
            self._changed()

    def _checked(self, name: str, region: Any) -> _R:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise InvalidInput(
                f"{self._device}: {name!r} cannot name a region.", hint="Use letters, digits and underscores."
            )
        if name in self._taken():
            raise InvalidInput(f"{self._device}: a channel is called {name} already.", hint="Choose another name.")
        return self._read(name, region)
