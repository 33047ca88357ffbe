"""Adoption: ending in order what dead processes left open.

Whoever obtains the lock of a dead process may write its words from then on. Each step can be repeated by the next
adopter, should this one die too.
"""

from __future__ import annotations

import time

from firstlight.buffer._folder import CLAIM, OWNER, RunFolder
from firstlight.buffer._head import head_path
from firstlight.buffer._locks import Lock, acquire, held
from firstlight.model import EndReason, NotFound, RunEnd, RunState

DIED = "The process that produced it died."
LOST = "The process that owned the run died."


def adopt(folder: RunFolder) -> bool:
    """Seal the channels of dead members, and end the run if its owner is dead.

    :return: whether anything had to be done.
    """
    touched = False
    for member in sorted(path.name for path in folder.joined()):
        if member != OWNER:
            touched |= adopt_member(folder, member)
    lock = _lock(folder, OWNER)
    if lock is None:
        return touched
    with lock:
        touched |= _seal(folder, OWNER)
        if folder.state < RunState.STOPPED and not _acquiring(folder):
            folder.write_end(RunEnd(reason=EndReason.LOST, message=LOST, epoch=time.time()))
            folder.advance(RunState.STOPPED)
            touched = True
        if folder.state is RunState.STOPPED and not folder.readers and not unsealed(folder):
            folder.close()
            touched = True
        if folder.state is RunState.CLOSED or (folder.state is RunState.STOPPED and folder.readers):
            folder.forget(OWNER)
    return touched


def adopt_member(folder: RunFolder, member: str) -> bool:
    """Seal the channels of one member if it is dead."""
    lock = _lock(folder, member)
    if lock is None:
        return False
    with lock:
        touched = _seal(folder, member)
        folder.forget(member)
        return touched


def free_claim(folder: RunFolder, channel: str) -> bool:
    """Remove the claim of a channel that never appeared and whose claimant is dead; say whether it is free now."""
    member = folder.claims().get(channel)
    if member is None:
        return True
    lock = _lock(folder, member)
    if lock is None:
        return False
    with lock:
        # Looked at again under the lock: another process may have freed and claimed it meanwhile.
        if folder.claims().get(channel) != member or head_path(folder.channels, channel).exists():
            return False
        _drop_claim(folder, channel)
        return True


def unsealed(folder: RunFolder) -> list[str]:
    """Channels that may still grow."""
    return [name for name in folder.visible() if not folder.head(name).sealed]


def _acquiring(folder: RunFolder) -> bool:
    """Whether a living member still produces acquired channels."""
    claims = folder.claims()
    return any(
        name not in folder.info.online and held(folder.members / claims.get(name, OWNER)) for name in unsealed(folder)
    )


def _seal(folder: RunFolder, member: str) -> bool:
    touched = False
    for channel, claimant in folder.claims().items():
        if claimant != member:
            continue
        try:
            head = folder.head(channel)
        except NotFound:
            _drop_claim(folder, channel)
            continue
        if not head.sealed:
            head.seal(DIED)
            touched = True
    if touched:
        folder.bell.ring()
    return touched


def _drop_claim(folder: RunFolder, channel: str) -> None:
    # Its unfinished files first: while the claim stands nobody makes new ones.
    for path in folder.channels.iterdir():
        stem, _, suffix = path.name.rpartition(".")
        if stem == channel and "." + suffix != CLAIM:
            if path.is_symlink():
                path.resolve().unlink(missing_ok=True)
            path.unlink(missing_ok=True)
    folder.claim_path(channel).unlink(missing_ok=True)


def _lock(folder: RunFolder, member: str) -> Lock | None:
    try:
        return acquire(folder.members / member, create=False)
    except FileNotFoundError:
        return None
