"""Scan commands as a session offers them: the scan function's own signature, run, estimated or tried dry."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from firstlight.scanning import DryRun, Estimate, ScanSequence, describe

if TYPE_CHECKING:
    from firstlight.data import Run
    from firstlight.model import Scan
    from firstlight.session._face import Face


class Command:
    """One scan command bound to a session.

    ``session.ascan("rot", 0, 180, 10, 0.1)`` runs and returns the run; :meth:`scan` only describes,
    :meth:`estimate` says what it would take, :meth:`dry_run` which points it would visit.
    """

    def __init__(self, session: Face, function: Callable[..., Scan | ScanSequence]) -> None:
        self._session = session
        self._function = function
        self._signature = inspect.signature(function)
        functools.update_wrapper(self, function)

    def __call__(self, *arguments: Any, **keywords: Any) -> Run:
        return self._session.run(self.scan(*arguments, **keywords))

    def scan(self, *arguments: Any, **keywords: Any) -> Scan | ScanSequence:
        """The description alone; aliases stand for names, and the session's defaults for what is left out."""
        names = self._session.aliases
        given = [names.get(word, word) if isinstance(word, str) else word for word in arguments]
        named = {key: names.get(word, word) if isinstance(word, str) else word for key, word in keywords.items()}
        return describe(self._function, *given, **self._missing(given, named), **named)

    def _missing(self, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> dict[str, Any]:
        """The session's defaults for parameters that are not given."""
        defaults = self._session.defaults
        if not defaults:
            return {}
        try:
            bound = self._signature.bind_partial(*arguments, **keywords).arguments
        except TypeError:
            return {}
        return {key: value for key, value in defaults.items() if key in self._signature.parameters and key not in bound}

    def estimate(self, *arguments: Any, **keywords: Any) -> Estimate:
        """Time, data and room that it would take, and why it may not run, if so; nothing moves."""
        return self._session.estimate(self.scan(*arguments, **keywords))

    def dry_run(self, *arguments: Any, **keywords: Any) -> DryRun:
        """The points that it would visit and the chain that would acquire them; nothing moves.

        :raises FirstlightError: why it may not run.
        """
        return self._session.dry_run(self.scan(*arguments, **keywords))

    def __repr__(self) -> str:
        return f"<{self._function.__name__} of {self._session.name}>"
