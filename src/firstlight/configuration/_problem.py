"""Everything that is wrong with a configuration, each with its place, told at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from firstlight.model import InvalidInput


@dataclass(frozen=True, slots=True, order=True)
class Where:
    """A place in a file.

    :param line: from 1.
    :param column: from 1.
    """

    file: Path
    line: int
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    :param where: the place to mend, which is that of an inherited value where it was written.
    :param key: what it is about, ``rot.velocity``; empty for a whole file.
    :param message: what is wrong and what was expected, one sentence.
    :param hint: what to do, with the nearest valid word; empty when the message says all.
    """

    where: Where
    key: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        parts = [f"{self.where}:", f"{self.key}:" if self.key else "", self.message, self.hint]
        return " ".join(part for part in parts if part)


class ConfigurationError(InvalidInput):
    """A configuration is wrong; :attr:`problems` holds everything that is.

    :param path: what was loaded.
    """

    def __init__(self, path: Path, problems: Iterable[Problem]) -> None:
        self.path = path
        self.problems = tuple(problems)
        if len(self.problems) == 1:
            super().__init__(_without_hint(self.problems[0]), hint=self.problems[0].hint)
        else:
            lines = "".join(f"\n  {problem}" for problem in self.problems)
            super().__init__(f"{path} has {len(self.problems)} problems:{lines}")


class Problems:
    """Collects what is wrong while a configuration is read."""

    def __init__(self) -> None:
        self._found: dict[tuple[Where, str, str], Problem] = {}
        self._heirs: dict[tuple[Where, str, str], list[str]] = {}
        self.broken = False
        """Whether a file could not be read, so that names defined in it are not known."""

    def add(self, where: Where, key: str, message: str, hint: str = "", *, heir: str = "") -> None:
        """Note one problem.

        :param heir: the device that inherits the wrong value; a value that several inherit is one problem.
        """
        identity = (where, key, message)
        self._found.setdefault(identity, Problem(where, key, message, hint))
        heirs = self._heirs.setdefault(identity, [])
        if heir and heir not in heirs:
            heirs.append(heir)

    def __len__(self) -> int:
        return len(self._found)

    def all(self) -> tuple[Problem, ...]:
        """By file and line."""
        told = []
        for identity, problem in self._found.items():
            if heirs := self._heirs[identity]:
                more = f" and {len(heirs) - 3} more" if len(heirs) > 3 else ""
                told.append(
                    Problem(
                        problem.where,
                        problem.key,
                        f"{problem.message.removesuffix('.')} (inherited by {', '.join(heirs[:3])}{more}).",
                        problem.hint,
                    )
                )
            else:
                told.append(problem)
        return tuple(sorted(told, key=lambda problem: (str(problem.where.file), problem.where)))


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint with the known word that is most like one that is not, or with all of them."""
    words = list(dict.fromkeys(known))
    lowered = {candidate.lower(): candidate for candidate in words}
    low = word.lower()
    close = difflib.get_close_matches(low, list(lowered), n=1)
    if not close and len(low) > 2:
        # A part of a word is meant as that word: lz4 as bitshuffle-lz4, velocity_limit as velocity.
        close = [one for one in lowered if len(one) > 2 and (low in one or one in low)]
    if close:
        return f"Did you mean {lowered[close[0]]}?"
    if not words:
        return ""
    listed = ", ".join(words[:20]) + (f" and {len(words) - 20} more" if len(words) > 20 else "")
    return f"Known: {listed}."


def _without_hint(problem: Problem) -> str:
    return str(Problem(problem.where, problem.key, problem.message))
