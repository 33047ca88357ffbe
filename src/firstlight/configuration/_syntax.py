"""What the YAML parser complains about, in words for people."""

from __future__ import annotations

import re
from pathlib import Path

from firstlight.configuration._problem import Where

_FIRST = re.compile(r"found character (?:'(.)'|\"(.)\"|'(\\t)') that cannot start any token")


def explain(path: Path, text: str, error: Exception) -> tuple[Where, str, str]:
    """Place, sentence and hint of an error of the YAML parser."""
    problem = str(getattr(error, "problem", None) or "")
    mark, context = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    lines = text.splitlines() or [""]
    if mark is None:
        position = getattr(error, "position", None)
        line = text[:position].count("\n") if isinstance(position, int) else 0
        character = getattr(error, "character", None)
        character = ord(character) if isinstance(character, str) else character
        found = f" (U+{character:04X})" if character is not None else ""
        return Where(path, line + 1), f"A character that text files do not hold{found}.", "Remove it."
    line, column = mark.line, mark.column
    here = lines[line] if line < len(lines) else ""
    began = f"line {context.line + 1}" if context is not None else "a line before"
    where = Where(path, min(line, len(lines) - 1) + 1, column + 1)
    if first := _FIRST.search(problem):
        if "\t" in here[: column + 1] or first[3]:
            return where, "A tab stands here, and YAML indents with blanks.", "Replace each tab by two blanks."
        return where, f"A value cannot begin with {first[1] or first[2]}.", "Put it in quotes."
    if "mapping values are not allowed here" in problem:
        for before in (line, line - 1):
            if 0 <= before < len(lines) and re.match(r"\s*(?:- )?[\w.-]+:[^\s:/]", lines[before]):
                return Where(path, before + 1), "A blank is missing after the colon.", "Write key: value."
        return where, "A colon stands where none may be.", "Put a text with a colon in quotes, or mend the indentation."
    if "found undefined alias" in problem:
        return where, f"{problem[0].upper()}{problem[1:]}.", "Define it before, with &."
    if "expected <block end>" in problem:
        return where, f"This line does not line up with the block that begins in {began}.", "Mend the indentation."
    if "expected ',' or" in problem:
        if "${" in here:
            return where, "Inside { } or [ ] a ${VARIABLE} needs quotes.", "Write for instance token: '${TOKEN}'."
        bracket = "}" if "}" in problem else "]"
        return where, f"A comma or {bracket} is missing; the bracket opens in {began}.", "Close it."
    if "unexpected end of stream" in problem:
        opened = Where(path, context.line + 1, context.column + 1) if context is not None else where
        return opened, "This quote is never closed.", "Close it."
    if "could not find expected ':'" in problem:
        began_at = Where(path, context.line + 1, context.column + 1) if context is not None else where
        return began_at, "A colon is missing after this key.", "Write key: value."
    said = " ".join(part for part in (str(getattr(error, "context", None) or ""), problem) if part)
    return where, f"This is not YAML: {said}.", "Mend the line, or the one before it."
