"""Commands without brackets: ``mv rot 10`` becomes ``mv(rot, 10)`` before Python reads it.

What is valid Python stays as it is, but for one thing: the name of a command alone, ``wa``, is a call. Everything else
is tried line by line where Python would only find a mistake.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import io
import keyword
import re
import tokenize
from collections.abc import Callable, Mapping
from typing import Any

_START = re.compile(r"(\s*)((?:[^\W\d]\w*\s*=(?!=)\s*)?)([^\W\d]\w*)(?=\s|$)[^\S\n]*(.*)", re.DOTALL)
_NUMBER = re.compile(r"[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?j?")
_QUANTITY = re.compile(
    r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*[^\W\d]\w*(?:[/*^]\w+)*|[-+]?(?:\d+\.?\d*|\.\d+)[°%µ]\w*"
)
_KEYWORD = re.compile(r"([^\W\d]\w*)=(?!=)(.+)", re.DOTALL)
_PAIRS = {"(": ")", "[": "]", "{": "}"}

_SYNTAX = frozenset(keyword.kwlist) - {"None", "True", "False"}
"""Words that make a line Python, however broken."""

Known = Callable[[], Mapping[str, Any]]


class Typing:
    """Rewrites what is typed.

    :param commands: the commands by name.
    :param names: gives the user's namespace; a command that was given another meaning there is none any more.
    """

    def __init__(self, commands: Mapping[str, Any], names: Known) -> None:
        self._commands = commands
        self._names = names

    def __call__(self, lines: list[str]) -> list[str]:
        """The lines of one input, as IPython passes them."""
        text = "".join(lines)
        changed = self.rewrite(text)
        return lines if changed == text else changed.splitlines(keepends=True)

    def rewrite(self, text: str) -> str:
        """An input as Python."""
        names = self._names()
        commands = {n: c for n, c in self._commands.items() if names.get(n, c) is c}
        tree = _parsed(text)
        if tree is not None and not _calculates(tree, commands):
            return _called(text, tree, commands)
        return self._by_line(text, commands, names)

    def _by_line(self, text: str, commands: Mapping[str, Any], names: Mapping[str, Any]) -> str:
        lines = text.splitlines(keepends=True)
        if not any(self._begins(line, commands) for line in lines):
            return text
        known = set(names) | set(dir(builtins)) | _words(line for line in lines if not self._begins(line, commands))
        done: list[str] = []
        for line in lines:
            if self._begins(line, commands) and not _inside("".join(done)):
                line = self._line(line, commands, known) or line
            done.append(line)
        return "".join(done)

    def _begins(self, line: str, commands: Mapping[str, Any]) -> bool:
        found = _START.match(line)
        return found is not None and found[3] in commands

    def _line(self, line: str, commands: Mapping[str, Any], known: set[str]) -> str | None:
        """One line as a call; None when it is none."""
        body = line.rstrip("\r\n")
        end = line[len(body) :]
        found = _START.match(body)
        assert found is not None
        indent, target, name, rest = found.groups()
        tree = _parsed(body.strip())
        if tree is not None and not _calculates(tree, commands):
            # Python by itself, inside an input that is not.
            return f"{indent}{target}{name}(){end}" if not target and not rest.strip() else None
        command = commands[name]
        if getattr(command, "verbatim", False) and rest[:1] not in ("'", '"'):
            return f"{indent}{target}{name}({rest.strip()!r}){end}"
        words = split(rest)
        if words is None or rest.rstrip().endswith("?") or any(word in _SYNTAX for word in words):
            return None
        texts = _texts(command)
        arguments = [_argument(word, texts, index, known) for index, word in enumerate(words)]
        call = f"{target}{name}({', '.join(arguments)})"
        return f"{indent}{call}{end}" if _parsed(call) is not None else None


def split(text: str) -> list[str] | None:
    """Words of a line: blanks and commas part them, but not inside quotes and brackets; None when one is not closed.

    A ``#`` after a blank begins a comment.
    """
    words: list[str] = []
    word = ""
    closing: list[str] = []
    quote = ""
    position = 0
    while position < len(text):
        mark = text[position]
        if quote:
            word += mark
            if mark == "\\" and position + 1 < len(text):
                position += 1
                word += text[position]
            elif mark == quote:
                quote = ""
        elif mark in "'\"":
            quote = mark
            word += mark
        elif closing:
            word += mark
            if mark == closing[-1]:
                closing.pop()
            elif mark in _PAIRS:
                closing.append(_PAIRS[mark])
        elif mark in _PAIRS:
            closing.append(_PAIRS[mark])
            word += mark
        elif mark in ")]}":
            return None
        elif mark == "#" and not word:
            break
        elif mark.isspace() or mark == ",":
            if word:
                words.append(word)
            word = ""
        else:
            word += mark
        position += 1
    if quote or closing:
        return None
    return [*words, word] if word else words


def _argument(word: str, texts: tuple[set[str], list[str], bool], index: int, known: set[str]) -> str:
    named, positional, rest = texts
    given = _KEYWORD.fullmatch(word)
    if given is not None and not keyword.iskeyword(given[1]):
        return f"{given[1]}={_value(given[2], known, text=given[1] in named)}"
    text = positional[index] in named if index < len(positional) else rest
    return _value(word, known, text=text)


def _value(word: str, known: set[str], *, text: bool) -> str:
    """One word as a Python expression.

    :param text: the command wants a text here.
    """
    if word[0] in "'\"" or (len(word) > 1 and word[0] in "rfbRFB" and word[1] in "'\""):
        return word if _expression(word) is not None else repr(word)
    if _NUMBER.fullmatch(word):
        return repr(word) if text else word
    if text and not word.startswith("("):
        return repr(word)
    if _QUANTITY.fullmatch(word):
        return repr(word)
    tree = _expression(word)
    if tree is None:
        return repr(word)
    roots = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    bound = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    bound |= {
        n.id
        for c in ast.walk(tree)
        if isinstance(c, ast.comprehension)
        for n in ast.walk(c.target)
        if isinstance(n, ast.Name)
    }
    if roots - bound <= known or word[0] == "(":
        return word
    if word[0] in "[{":
        # Names in a list: devices are known, other words are texts.
        return _quoted(word, tree, known | bound)
    return repr(word)


def _quoted(word: str, tree: ast.Expression, known: set[str]) -> str:
    class Quote(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            return node if node.id in known else ast.Constant(node.id)

    return ast.unparse(Quote().visit(tree))


def _texts(command: Any) -> tuple[set[str], list[str], bool]:
    """Parameters that want a text, the positional ones in order, and whether any further ones are texts."""
    signature = inspect.signature(command)
    named: set[str] = set()
    positional: list[str] = []
    rest = False
    for parameter in signature.parameters.values():
        wants = parameter.annotation in (str, "str")
        if parameter.kind is parameter.VAR_POSITIONAL:
            rest = wants
            continue
        if wants:
            named.add(parameter.name)
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            positional.append(parameter.name)
    return named, positional, rest


def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _calculates(tree: ast.Module, commands: Mapping[str, Any]) -> bool:
    """Whether a line calculates with a command and nothing else: ``ct -1`` and ``script /home/mine.py`` are no sums."""

    def first(node: ast.expr) -> ast.expr:
        return first(node.left) if isinstance(node, ast.BinOp) else node

    sums = [node.value for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.BinOp)]
    return any(isinstance(name := first(value), ast.Name) and name.id in commands for value in sums)


def _expression(text: str) -> ast.Expression | None:
    try:
        return ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _called(text: str, tree: ast.Module, commands: Mapping[str, Any]) -> str:
    """Statements that are the name of a command and nothing else become calls."""
    alone = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Name) and node.value.id in commands
    ]
    if not alone:
        return text
    lines = text.encode().splitlines(keepends=True)
    for name in sorted(alone, key=lambda node: (node.lineno, node.col_offset), reverse=True):
        line = lines[name.lineno - 1]
        end = name.end_col_offset or 0
        lines[name.lineno - 1] = line[:end] + b"()" + line[end:]
    return b"".join(lines).decode()


def _inside(text: str) -> bool:
    """Whether a text ends within brackets or a string that goes on."""
    if text.rstrip("\n").endswith("\\"):
        return True
    try:
        for _ in tokenize.generate_tokens(io.StringIO(text).readline):
            pass
    except tokenize.TokenError:
        return True
    except (SyntaxError, ValueError):
        return False
    return False


def _words(lines: Any) -> set[str]:
    return set(re.findall(r"[^\W\d]\w*", "".join(lines)))
