"""Taking a password out of the arguments of this process, which everybody on the machine may read."""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

_STAT: Final = Path("/proc/self/stat")
_ARGUMENTS: Final = Path("/proc/self/cmdline")
_START, _END = 45, 46
"""Where proc(5) has ``arg_start`` and ``arg_end``, counted from behind the name of the program."""


def conceal(password: str | None) -> None:
    """Write stars over a password in the arguments, on Linux; elsewhere they stay as they are.

    Whoever looked before has seen it: a variable or ``~/.pgpass`` is the place for it.
    """
    if not password or not any(password in argument for argument in sys.argv) or not _STAT.exists():
        return
    with suppress(OSError, ValueError, IndexError):
        fields = _STAT.read_text().rpartition(")")[2].split()
        _write_over(password.encode(), int(fields[_START]), int(fields[_END]))


def _write_over(secret: bytes, start: int, end: int) -> None:
    import ctypes  # noqa: PLC0415 - for a password among the arguments alone

    there = _ARGUMENTS.read_bytes()
    if not start or end - start != len(there) or ctypes.string_at(start, len(there)) != there:
        return
    at = there.find(secret)
    while at >= 0:
        ctypes.memset(start + at, ord("*"), len(secret))
        at = there.find(secret, at + len(secret))
