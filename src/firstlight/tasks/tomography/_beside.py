"""Files appear whole or not at all: write beside, flush, rename."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from firstlight.model import Conflict, InvalidInput, StorageFull


def check_target(path: Path, *, overwrite: bool) -> Path:
    """Absolute path of a result, refused early when it cannot be written.

    :raises Conflict: when the file exists and must not be replaced.
    :raises InvalidInput: when it is a folder, or its folder cannot be made.
    """
    target = path.absolute()
    if target.is_dir():
        raise InvalidInput(f"{target} is a folder.", hint="Give the name of a file.")
    if target.exists() and not overwrite:
        raise Conflict(f"{target} exists already.", hint="Choose another name, or allow to overwrite it.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"The folder {target.parent} cannot be made: {error.strerror}.") from error
    return target


@contextmanager
def beside(target: Path, *, overwrite: bool) -> Iterator[Path]:
    """A name beside the target to write to: it is renamed when all went well, and removed otherwise.

    :raises Conflict: when the file appeared meanwhile and must not be replaced.
    :raises InvalidInput: when the folder cannot be written.
    :raises StorageFull: when the disk is full.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(3)}.part")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        if overwrite:
            part.replace(target)
        else:
            _publish(part, target)
    except FileExistsError as error:
        raise Conflict(f"{target} appeared meanwhile.", hint="Choose another name.") from error
    except PermissionError as error:
        raise InvalidInput(f"{target} cannot be written: {error.strerror}.") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(f"{target} could not be written: the disk is full.", hint="Free some space.") from error
        if error.errno == errno.EROFS:
            raise InvalidInput(f"{target} cannot be written: the disk is read-only.") from error
        raise
    finally:
        part.unlink(missing_ok=True)


def _publish(part: Path, target: Path) -> None:
    """Give a file its name, unless the name is taken."""
    try:
        # A link refuses an existing name, where a rename would replace it.
        os.link(part, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        # A file system without links: the name may be taken between the two calls, which nobody can prevent there.
        if target.exists():
            raise FileExistsError(errno.EEXIST, "exists", str(target)) from error
        part.rename(target)
