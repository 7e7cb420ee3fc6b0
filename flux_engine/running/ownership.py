"""Who has a run in hand, and whether they are still there."""

import functools
import os
import socket
import subprocess
import uuid
from pathlib import Path

import msgspec
from msgspec import Struct


class Owner(Struct, frozen=True, kw_only=True):
    """An engine in a process on a host.

    ``started`` identifies the process beyond its ``pid``, which the system gives away again.
    """

    host: str
    pid: int
    started: str
    engine: str

    def encode(self) -> str:
        """Return the owner as the store keeps it."""
        return msgspec.json.encode(self).decode()


def this_owner() -> Owner:
    """Return an owner for a new engine in this process."""
    return Owner(
        host=this_host(),
        pid=os.getpid(),
        started=process_identity(os.getpid()) or "",
        engine=uuid.uuid4().hex[:12],
    )


def decode_owner(text: str) -> Owner | None:
    """Read an owner from the store; ``None`` when the text is not one."""
    try:
        return msgspec.json.decode(text, type=Owner)
    except msgspec.MsgspecError:
        return None


def is_gone(owner: Owner) -> bool:
    """Say whether the owner's process has certainly ended. Never true of a process on another host."""
    if owner.host != this_host():
        return False
    identity = process_identity(owner.pid)
    return identity is None or owner.started not in ("", identity)


def abandoned(owner_text: str | None, lease_until: float | None = None, now: float | None = None) -> bool:
    """Say whether a run with these columns is in nobody's hands.

    The lease counts for owners on other hosts, of which nothing else is known. ``lease_until`` and ``now``
    are seconds since the epoch.
    """
    owner = None if owner_text is None else decode_owner(owner_text)
    if owner is None or is_gone(owner):
        return True
    if owner.host == this_host() or lease_until is None or now is None:
        return False
    return lease_until < now


@functools.cache
def this_host() -> str:
    """Return a name for this host that is stable while it runs, and that no other host has."""
    name = socket.gethostname() or "localhost"
    if name.startswith(("localhost", "169.254.")):  # what sandboxes of functions in the cloud are all named
        return f"{name}-{_boot_id() or uuid.uuid4().hex[:8]}"
    return name


def process_identity(pid: int) -> str | None:
    """Return what identifies a living process beyond its pid; ``None`` when there is no such process."""
    stat = Path("/proc") / str(pid) / "stat"
    try:
        fields = stat.read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return None if Path("/proc/self/stat").exists() else _identity_without_proc(pid)
    except OSError:
        return None
    state, started = fields[0], fields[19]  # proc(5): fields 3 and 22
    return None if state in "ZX" else f"{_boot_id()}:{started}"


@functools.cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        return ""


def _identity_without_proc(pid: int) -> str | None:
    try:
        found = subprocess.run(  # noqa: S603
            ["/bin/ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return found.stdout.strip() or None
