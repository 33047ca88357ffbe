"""User scripts: files of Python that see the session's names, loaded again when they change."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from firstlight.model import FirstlightError, NotFound
from firstlight.scanning import nearest


class ScriptError(FirstlightError):
    """A script of a user failed; the message begins with its file and line.

    :param file: of the line that failed.
    :param line: its number.
    """

    def __init__(self, message: str, *, hint: str = "", file: str = "", line: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.file = file
        self.line = line


class Scripts(Mapping[str, Path]):
    """The scripts of a session: name to file.

    :param files: those of the configuration.
    :param folders: gives folders in which further ones are looked for.
    :param names: gives the names that scripts see.
    """

    def __init__(
        self,
        files: Callable[[], Iterable[Path]],
        folders: Callable[[], Iterable[Path]],
        names: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._files = files
        self._folders = folders
        self._names = names
        self._loaded: dict[Path, tuple[tuple[int, int], ModuleType]] = {}

    def load(self, name: str | Path) -> ModuleType:
        """Run a script, and return what it defines; one that was loaded already runs again only when it has changed.

        :param name: of a script, or the path of a file.
        :raises NotFound: when there is no such file.
        :raises ScriptError: with file and line, when it fails; what was loaded before stays.
        """
        path = self.find(name)
        status = path.stat()
        version = (status.st_mtime_ns, status.st_size)
        known = self._loaded.get(path)
        if known is not None and known[0] == version:
            return known[1]
        module = run_file(path, self._names())
        self._loaded[path] = (version, module)
        return module

    def run(self, name: str | Path, names: Mapping[str, Any]) -> ModuleType:
        """Run a script, whether it was run before or not, and return what it defines.

        :param names: what it sees beside the session's names: the commands of a prompt.
        :raises ScriptError: with file and line, when it fails.
        """
        return run_file(self.find(name), {**self._names(), **names})

    def find(self, name: str | Path) -> Path:
        """The file of a script.

        :raises NotFound: when there is none.
        """
        text = str(name)
        known = self._known()
        stem = text.removesuffix(".py")
        if stem in known:
            return known[stem]
        path = Path(text).expanduser()
        for candidate in (path, path.with_name(path.name + ".py")):
            if candidate.is_file():
                return candidate.absolute()
        raise NotFound(
            f"There is no script {text}.", hint=nearest(stem, known) if known else "Give the path of a file."
        )

    def __getitem__(self, name: str) -> Path:
        known = self._known()
        if name not in known:
            raise NotFound(f"There is no script {name}.", hint=nearest(name, known))
        return known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._known()

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())

    def __repr__(self) -> str:
        return "\n".join(f"{name}: {path}" for name, path in self._known().items()) or "No scripts."

    def _known(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for folder in self._folders():
            if folder.is_dir():
                found |= {path.stem: path for path in sorted(folder.glob("*.py"))}
        return found | {path.stem: path for path in self._files()}


def run_file(path: Path, names: Mapping[str, Any]) -> ModuleType:
    """Run a file of Python that sees these names; what it leaves behind.

    :raises ScriptError: with file and line.
    """
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    module.__dict__.update(names)
    try:
        # Compiled under its own path: tracebacks and debuggers show its lines.
        code = compile(path.read_text(), str(path), "exec")
        exec(code, module.__dict__)  # noqa: S102 - running the user's own file is what was asked for
    except SyntaxError as error:
        text = (error.text or "").strip()
        raise ScriptError(
            f"{path.name}:{error.lineno}: {error.msg}{f': {text}' if text else ''}.",
            file=str(error.filename or path),
            line=error.lineno or 0,
        ) from error
    except SystemExit as error:
        # A script leaves itself, not the session.
        if error.code not in (None, 0):
            line = _line_in(path, error.__traceback__)
            raise ScriptError(f"{path.name}:{line}: it left with {error.code}.", file=str(path), line=line) from error
    except OSError as error:
        if error.filename != str(path):
            raise _failed(path, error, names) from error
        raise NotFound(f"The script {path} cannot be read: {error.strerror}.") from error
    except Exception as error:
        raise _failed(path, error, names) from error
    return module


def _failed(path: Path, error: Exception, names: Mapping[str, Any]) -> ScriptError:
    line = _line_in(path, error.__traceback__)
    where = f"{path.name}:{line}"
    if isinstance(error, FirstlightError):
        return ScriptError(f"{where}: {error.message}", hint=error.hint, file=str(path), line=line)
    hint = nearest(error.name, names) if isinstance(error, NameError) and error.name else ""
    if not hint.startswith("Did you mean"):
        hint = ""  # all names that there are would be a page
    text = str(error).strip().rstrip(".")
    said = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return ScriptError(f"{where}: {said}.", hint=hint, file=str(path), line=line)


def _line_in(path: Path, trace: TracebackType | None) -> int:
    """The innermost line of the file."""
    lines = [frame.lineno or 0 for frame in traceback.extract_tb(trace) if frame.filename == str(path)]
    return lines[-1] if lines else 0
