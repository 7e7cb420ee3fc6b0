"""Writing files that hold a user's data: whole or not at all, and for their owner only."""

import os
import tempfile
from pathlib import Path


def write_new(path: Path, content: bytes, *, replace: bool = False) -> None:
    """Write a file that is not there yet; with ``replace`` also one that is. Nobody sees half of it.

    Raises ``FileExistsError``, or ``OSError`` for what else stands in the way; then nothing has changed.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            Path(name).replace(path)
        else:
            os.link(name, path)
    finally:
        Path(name).unlink(missing_ok=True)
