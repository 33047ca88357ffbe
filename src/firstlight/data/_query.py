"""What people type to find runs: words, and ``key:value`` pairs."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from dataclasses import dataclass

from firstlight.model import InvalidInput

_TEXT = {
    "proposal": "proposal",
    "beamline": "beamline",
    "session": "session",
    "sample": "sample",
    "dataset": "dataset",
    "command": "name",
    "title": "title",
    "technique": "technique",
    "reason": "reason",
    "problem": "problem",
}
_LISTS = {"axis": "axes", "channel": "channels", "counter": "channels"}
_TIMES = {"after": ">=", "before": "<"}
_NUMBERS = {"scan": "number"}
KEYS = (*_TEXT, *_LISTS, *_TIMES, *_NUMBERS)
"""Words that may stand before a colon."""

_ANYWHERE = ("proposal", "sample", "dataset", "name", "title", "description", "technique", "axes", "channels")
_AGO = re.compile(r"(\d+)\s*([hdw])")
_SPANS = {"h": dt.timedelta(hours=1), "d": dt.timedelta(days=1), "w": dt.timedelta(weeks=1)}
# A word may have a part in quotes: sample:"two words".
_WORD = re.compile(r'(?:[^\s"]|"[^"]*")+')


@dataclass(frozen=True, slots=True)
class Query:
    """A search.

    A plain word must occur somewhere: in proposal, sample, dataset, command, description, technique, axes or channels.
    ``key:value`` looks in one of them; ``*`` and ``?`` stand for any letters. ``after:`` and ``before:`` take a date
    (``2026-11-25``, ``20261125``, ``2026-11-25T14:30``), ``today``, ``yesterday`` or an age (``3h``, ``2d``, ``1w``). A
    minus before a word excludes what it fits. Upper and lower case are the same; quotes keep blanks together.

    :param text: for instance ``tooth command:flyscan axis:rot after:2d -reason:failure``.
    """

    text: str

    def sql(self, now: dt.datetime | None = None) -> tuple[str, list[str | float | int]]:
        """A condition over the tables of the catalogue, and its values.

        :param now: for ages; the present local time when None.
        :raises InvalidInput: naming the word that is wrong.
        """
        if self.text.count('"') % 2:
            raise InvalidInput(f"In the search {self.text!r} a quote is not closed.", hint="Close it, or leave it out.")
        now = now or dt.datetime.now().astimezone()
        conditions: list[str] = []
        values: list[str | float | int] = []
        for word in _WORD.findall(self.text):
            negative = len(word) > 1 and word.startswith("-")
            condition, found = _one(word[1:] if negative else word, now)
            conditions.append(f"NOT ({condition})" if negative else f"({condition})")
            values += found
        return " AND ".join(conditions) or "1", values


def _one(word: str, now: dt.datetime) -> tuple[str, list[str | float | int]]:
    key, colon, value = word.partition(":")
    value = value.replace('"', "")
    # A colon inside quotes, or in the name of a channel (cam:roi1), is part of the word.
    if not colon or '"' in key:
        plain = word.replace('"', "")
        return " OR ".join(f"{column} LIKE ? ESCAPE '\\'" for column in _ANYWHERE), [f"%{_escaped(plain)}%"] * len(
            _ANYWHERE
        )
    key = key.lower()
    if not value and key in KEYS:
        raise InvalidInput(f"In the search, {key}: has no value.", hint=f"Write for instance {key}:{_example(key)}.")
    if key in _TEXT:
        return f"{_TEXT[key]} LIKE ? ESCAPE '\\'", [_pattern(value)]
    if key in _LISTS:
        # The lists are JSON: a whole element stands between quotes.
        return f"{_LISTS[key]} LIKE ? ESCAPE '\\'", [f'%"{_pattern(value)}"%']
    if key in _TIMES:
        return f"start {_TIMES[key]} ?", [_moment(key, value, now)]
    if key in _NUMBERS:
        if not value.isdigit():
            raise InvalidInput(f"In the search, {key}:{value} is no number.", hint=f"Write for instance {key}:3.")
        return f"{_NUMBERS[key]} = ?", [int(value)]
    close = difflib.get_close_matches(key, KEYS, n=1)
    if close:
        raise InvalidInput(f"In the search, there is no key {key}.", hint=f"Did you mean {close[0]}:{value}?")
    return _one(f'"{word}"', now)


def _escaped(text: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", text)


def _pattern(value: str) -> str:
    return _escaped(value).replace("*", "%").replace("?", "_")


def _moment(key: str, value: str, now: dt.datetime) -> float:
    """UTC seconds of a date or an age."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if value.lower() == "today":
        return midnight.timestamp()
    if value.lower() == "yesterday":
        return (midnight - dt.timedelta(days=1)).timestamp()
    age = _AGO.fullmatch(value.lower())
    try:
        if age:
            return (now - int(age[1]) * _SPANS[age[2]]).timestamp()
        found = dt.datetime.fromisoformat(value)
        return (found if found.tzinfo else found.astimezone()).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidInput(
            f"In the search, {key}:{value} is no date.",
            hint=f"Write for instance {key}:2026-11-25, {key}:today or {key}:2d.",
        ) from error


def _example(key: str) -> str:
    return {"after": "2026-11-25", "before": "today", "scan": "3", "axis": "rot", "reason": "failure"}.get(key, "t*")
