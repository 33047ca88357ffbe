"""Unix-domain sockets: paths that fit, stale files taken over, who is at the other end."""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import stat
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

from firstlight.model import Conflict, InvalidInput, WireError

LONGEST = 107
"""Bytes of a socket's path; Linux has 108 with the final zero."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end of a connection, as the kernel knows it."""

    pid: int
    uid: int
    gid: int


def peer(connection: socket.socket) -> Peer:
    """Who made this connection (``SO_PEERCRED``)."""
    form = "3i"
    return Peer(
        *struct.unpack(form, connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(form)))
    )


def address(name: str, scope: Path | str = "") -> Path:
    """Where a service of this user is found: a short path in a private folder, the same for everybody who asks.

    :param name: of the service.
    :param scope: what it belongs to, for instance the root of a buffer; services of one name in two scopes are two.
    :raises Conflict: the folder belongs to somebody else.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(runtime) / "firstlight" if runtime else Path(tempfile.gettempdir()) / f"firstlight-{os.getuid()}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError as error:
        raise WireError(f"No sockets can be made in {folder}: {error.strerror}.") from error
    # The folder for temporary files is open to everybody: somebody else may have made this one.
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise Conflict(f"{folder} does not belong to you.", hint="Set XDG_RUNTIME_DIR to a private folder.")
    belongs = hashlib.blake2b(os.fsencode(Path(scope).absolute()), digest_size=5).hexdigest()
    return folder / f"{name}-{belongs}"


def check(path: Path) -> None:
    """Refuse a path that the kernel would refuse or cut.

    :raises InvalidInput: too long.
    """
    size = len(os.fsencode(path))
    if size > LONGEST:
        raise InvalidInput(
            f"The path of the socket {path} has {size} bytes; Linux allows {LONGEST}.", hint="Use a shorter folder."
        )


def served(path: Path) -> bool:
    """Whether a process serves at the path now."""
    # Not by its lock: whoever looks at that in the moment when a server wants it would keep it from starting.
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as attempt:
        attempt.settimeout(1.0)
        try:
            attempt.connect(os.fsencode(path))
        except TimeoutError:
            return True
        except OSError:
            return False
    return True


class Claim:
    """The right to serve at a path, held by a lock beside it, and the listening socket.

    Whoever holds the lock knows that a socket file which lies there already belongs to nobody.

    :raises Conflict: another process serves there.
    :raises InvalidInput: the path is too long.
    """

    def __init__(self, path: Path) -> None:
        check(path)
        self.path = path
        self._lock_path = path.with_name(path.name + ".lock")
        self._lock = self._take()
        try:
            path.unlink(missing_ok=True)
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                # On Linux the mode of the socket becomes the mode of its file, so it is private from the first moment.
                os.fchmod(self.socket.fileno(), 0o600)
                self.socket.bind(os.fsencode(path))
                self.socket.listen(128)
            except OSError:
                self.socket.close()
                raise
        except OSError as error:
            self._give_back()
            raise WireError(f"Nothing can be served at {path}: {error.strerror}.") from error

    def release(self) -> None:
        """Remove the socket and give the path back."""
        self.socket.close()
        self.path.unlink(missing_ok=True)
        self._give_back()

    def _take(self) -> int:
        while True:
            try:
                lock = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise WireError(f"Nothing can be served at {self.path}: {error.strerror}.") from error
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(lock).st_ino == self._lock_path.stat().st_ino:
                    return lock
            except BlockingIOError:
                os.close(lock)
                raise Conflict(f"Another process serves at {self.path}.") from None
            except FileNotFoundError:
                pass
            # The former holder removed the file between the opening and the lock.
            os.close(lock)

    def _give_back(self) -> None:
        self._lock_path.unlink(missing_ok=True)
        os.close(self._lock)


def unreachable(path: Path, error: OSError) -> WireError:
    """The sentence for a connection that could not be made."""
    if isinstance(error, FileNotFoundError):
        return WireError(f"There is no socket {path}.", hint="Is the process that serves it running?")
    if isinstance(error, ConnectionRefusedError):
        return WireError(f"Nobody listens at {path}; the process that served it has ended.", hint="Start it again.")
    return WireError(f"No connection to {path}: {error.strerror or error}.")
