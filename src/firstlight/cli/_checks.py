"""What ``firstlight doctor`` looks at: each check tries the thing itself, and says what to do when it does not work."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import platform
import resource
import shutil
import socket
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from firstlight.cli._print import size

_SMALL_MEMORY = 1 << 30
_SMALL_DISK = 10 << 30
_MANY_FILES = 1024
_BITSHUFFLE = 32008
"""Its registered number among the HDF5 filters."""
_NOT_FOR_USERS = {"test", "check", "docs", "dev", "bench"}


class Verdict(StrEnum):
    """How a check ended."""

    GOOD = "good"
    NOTE = "note"
    """Works, but something is missing or slow."""
    BAD = "bad"
    """An experiment would fail."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    :param found: what is there.
    :param advice: what to do about it; empty when it is good.
    """

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


def examine() -> Iterator[Check]:
    """Look at everything, one by one."""
    for check in (
        _python,
        _processor,
        _packages,
        _memory,
        _shared_files,
        _locks,
        _futex,
        _buffer,
        _sockets,
        _open_files,
    ):
        yield _guarded(check)
    yield from _disks()
    yield _guarded(_compression)
    yield _guarded(_kernels)
    yield from _extras()


def _guarded(check: Callable[[], Check]) -> Check:
    """A check that breaks is a bad one, and the others are still made."""
    from firstlight.model import FirstlightError

    name = check.__name__.strip("_").replace("_", " ")
    try:
        return check()
    except FirstlightError as error:
        return Check(name, Verdict.BAD, error.message, error.hint)
    except (OSError, ImportError) as error:
        return Check(name, Verdict.BAD, f"{type(error).__name__}: {error}", "Correct this first, then ask again.")


def _python() -> Check:
    version = platform.python_version()
    found = f"Python {version} in {sys.prefix}"
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Check("python", Verdict.GOOD, found)
    return Check("python", Verdict.BAD, found, "Install Firstlight into a Python 3.11, 3.12 or 3.13.")


def _processor() -> Check:
    from firstlight.buffer import require_platform

    require_platform()
    cores = len(os.sched_getaffinity(0))
    found = f"{platform.system()} on {platform.machine()}, {cores} cores"
    if cores < 2:
        return Check("processor", Verdict.NOTE, found, "Acquisition and saving share one core; give it two or more.")
    return Check("processor", Verdict.GOOD, found)


def _packages() -> Check:
    from importlib.metadata import PackageNotFoundError, version

    needed = [name for name, extra in _requirements() if not extra]
    missing = []
    for name in needed:
        try:
            version(name)
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        advice = "Install them with: pip install --upgrade firstlight"
        return Check("packages", Verdict.BAD, f"{', '.join(missing)} missing", advice)
    return Check("packages", Verdict.GOOD, f"all {len(needed)} that Firstlight needs")


def _requirements() -> Iterator[tuple[str, str]]:
    """Names of the distributions that the installed package declares, each with the extra that brings it."""
    import re
    from importlib.metadata import requires

    for line in requires("firstlight") or ():
        name = re.match(r"[\w.-]+", line)
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", line)
        if name:
            yield name[0], extra[1] if extra else ""


def _root() -> Path:
    """The buffer's root, without the warning about a slow place, which is a check of its own."""
    from firstlight.buffer import default_root

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return default_root()


def existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


@contextmanager
def _trial_folder() -> Iterator[Path]:
    """A folder beside the buffer's own, where things can be tried."""
    folder = Path(tempfile.mkdtemp(prefix="firstlight-doctor-", dir=existing(_root().parent)))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _memory() -> Check:
    root = _root()
    disk = os.statvfs(existing(root))
    total, free = disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize
    found = f"{root}: {size(free)} free of {size(total)}"
    if not str(root).startswith("/dev/shm/") and "FIRSTLIGHT_BUFFER" not in os.environ:  # noqa: S108 - where Linux keeps shared memory
        advice = "Shared memory is absent or too small, so the buffer is slower. Containers: start with --shm-size=2g."
        return Check("buffer memory", Verdict.NOTE, found, advice)
    if free < _SMALL_MEMORY:
        advice = "Fast detectors will spill to disk. Free some (firstlight buffer clean), or set FIRSTLIGHT_BUFFER."
        return Check("buffer memory", Verdict.NOTE, found, advice)
    return Check("buffer memory", Verdict.GOOD, found)


def _shared_files() -> Check:
    with _trial_folder() as folder:
        descriptor = os.open(folder / "segment", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, 1 << 20)
            with mmap.mmap(descriptor, 1 << 20) as first, mmap.mmap(descriptor, 1 << 20) as second:
                first[-3:] = b"fit"
                seen = second[-3:]
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
            seen = b""
        finally:
            os.close(descriptor)
        if seen != b"fit":
            advice = "The buffer cannot live there; set FIRSTLIGHT_BUFFER to a folder in memory or on a local disk."
            return Check("shared files", Verdict.BAD, f"allocation and mapping do not work in {folder.parent}", advice)
        return Check("shared files", Verdict.GOOD, f"allocation and mapping work in {folder.parent}")


def _locks_work(folder: Path) -> bool:
    """Whether a second holder of a flock is refused there."""
    handle, name = tempfile.mkstemp(prefix=".firstlight-doctor-", dir=folder)
    try:
        other = os.open(name, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(other)
        return False
    finally:
        os.close(handle)
        Path(name).unlink()


def _locks() -> Check:
    with _trial_folder() as folder:
        if _locks_work(folder):
            return Check("locks", Verdict.GOOD, f"flock works in {folder.parent}")
        advice = "Without locks nobody can tell who lives; set FIRSTLIGHT_BUFFER to a folder on another file system."
        return Check("locks", Verdict.BAD, f"flock does not exclude in {folder.parent}", advice)


def _futex() -> Check:
    from firstlight.buffer import Buffer
    from firstlight.model import RunInfo

    with _trial_folder() as folder:
        buffer = Buffer(folder / "root", budget=1 << 24, spill=folder / "spill")
        with buffer.create_run(RunInfo(name="doctor", title="doctor", start_epoch=0.0)) as run:
            # A wait that times out went through the kernel; where futexes are forbidden it raises.
            buffer.run(run.key).wait(lambda: False, 0.01)
    return Check("wake-up", Verdict.GOOD, "readers can wait for producers (futex)")


def _buffer() -> Check:
    import subprocess

    import numpy as np

    from firstlight.buffer import Buffer
    from firstlight.model import ChannelSpec, RunInfo

    with _trial_folder() as folder:
        buffer = Buffer(folder / "root", budget=1 << 26, spill=folder / "spill")
        with buffer.create_run(RunInfo(name="doctor", title="doctor", start_epoch=0.0)) as run:
            log = run.create_log(ChannelSpec("numbers"))
            log.append(np.arange(1000.0))
            script = (
                "import sys; from pathlib import Path; from firstlight.buffer import Buffer\n"
                "root, spill, key = sys.argv[1:]\n"
                "print(Buffer(Path(root), spill=Path(spill)).run(key).channel('numbers').read(0, 1000).sum())"
            )
            command = [sys.executable, "-c", script, str(buffer.root), str(folder / "spill"), run.key]
            child = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if child.stdout.strip() == "499500.0":
        return Check("buffer", Verdict.GOOD, "another process reads what this one wrote")
    last = (child.stderr.strip().splitlines() or ["no answer"])[-1]
    return Check(
        "buffer", Verdict.BAD, f"another process could not read it: {last}", "Correct what is bad above first."
    )


def _sockets() -> Check:
    with tempfile.TemporaryDirectory(prefix="firstlight-") as folder:
        path = Path(folder) / "socket"
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            server.bind(str(path))
            server.listen()
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.connect(str(path))
        return Check("sockets", Verdict.GOOD, f"local sockets work in {Path(folder).parent}")


def _open_files() -> Check:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= _MANY_FILES:
        return Check("open files", Verdict.GOOD, f"up to {soft} a process")
    advice = f"Runs with many channels need more: ulimit -n {min(hard, 4096) if hard > 0 else 4096}"
    return Check("open files", Verdict.NOTE, f"up to {soft} a process", advice)


def _disks() -> Iterator[Check]:
    spill = os.environ.get("FIRSTLIGHT_SPILL") or os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    for name, folder in (("spill disk", existing(Path(spill))), ("this folder", Path.cwd())):
        disk = os.statvfs(folder)
        free = disk.f_bavail * disk.f_frsize
        found = f"{folder}: {size(free)} free"
        if not os.access(folder, os.W_OK):
            verdict = Verdict.BAD if name == "spill disk" else Verdict.NOTE
            advice = "Set FIRSTLIGHT_SPILL to a folder that can be written." if name == "spill disk" else ""
            yield Check(name, verdict, f"{folder} cannot be written", advice or "Data need another place.")
        elif free < _SMALL_DISK:
            yield Check(name, Verdict.NOTE, found, "A fast detector fills that in seconds; free some space.")
        elif not _locks_work(folder):
            advice = "HDF5 files there cannot be locked while they are written; mount it with locks."
            yield Check(name, Verdict.NOTE, f"{found}, but flock does not exclude", advice)
        else:
            yield Check(name, Verdict.GOOD, found)


def _compression() -> Check:
    import h5py
    import hdf5plugin  # noqa: F401 - registers its filters

    if h5py.h5z.filter_avail(_BITSHUFFLE):
        found = f"HDF5 {h5py.version.hdf5_version} with bitshuffle-LZ4"
        return Check("compression", Verdict.GOOD, found)
    advice = "Install it again: pip install --force-reinstall hdf5plugin h5py"
    return Check("compression", Verdict.BAD, "HDF5 does not find bitshuffle", advice)


def _kernels() -> Check:
    """Compile all kernels, or load them when that was done before."""
    from firstlight.kernels import warm_up

    warm_up()
    hits = misses = 0
    folder = ""
    for name, module in list(sys.modules.items()):
        if name.startswith("firstlight."):
            for function in vars(module).values():
                stats = getattr(function, "stats", None)
                if stats is not None and hasattr(stats, "cache_hits"):
                    hits += sum(stats.cache_hits.values())
                    misses += sum(stats.cache_misses.values())
                    folder = folder or str(stats.cache_path)
    if misses:
        return Check("kernels", Verdict.GOOD, f"{misses} were compiled now and are kept in {folder}")
    return Check("kernels", Verdict.GOOD, f"{hits} compiled, kept in {folder}")


def _extras() -> Iterator[Check]:
    from importlib.metadata import PackageNotFoundError, version

    extras: dict[str, list[str]] = {}
    for name, extra in _requirements():
        if extra and extra not in _NOT_FOR_USERS:
            extras.setdefault(extra, []).append(name)
    for extra, names in sorted(extras.items()):
        there, missing = [], []
        for name in names:
            try:
                there.append(f"{name} {version(name)}")
            except PackageNotFoundError:
                missing.append(name)
        if missing:
            advice = f"If you want it: pip install 'firstlight[{extra}]'"
            yield Check(f"extra {extra}", Verdict.NOTE, f"without {', '.join(missing)}", advice)
        else:
            yield Check(f"extra {extra}", Verdict.GOOD, ", ".join(there))
