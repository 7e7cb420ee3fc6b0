"""The trace as a file: one line of JSON for each event, appended by any number of processes.

Each line, or several at once, is one ``write`` to a descriptor opened with ``O_APPEND``, which the system
does not mix with another one; so writers need no lock, and a reader sees the line at once.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from flux_engine.errors import StorageError
from flux_engine.trace.events import TraceEvent, encode_event, encode_events


class JsonFileTraceSink:
    """Appends events to a file, which is created with its folder for this user only.

    ``reset`` empties the file when the first event is written. With ``max_bytes`` a file that would
    grow beyond that is renamed to ``<name>.1``, in place of the one before, and a new one begun; all
    processes that write the file should then be given the same size.

    The file is opened by the first event, and again when it was closed, deleted or replaced meanwhile.
    Safe to use from several threads.
    """

    def __init__(self, path: str | Path, *, reset: bool = False, max_bytes: int | None = None) -> None:
        if max_bytes is not None and max_bytes < 1:
            raise ValueError(f"max_bytes must be at least 1, got {max_bytes!r}; leave it out for no limit.")
        self.path = Path(path)
        self.max_bytes = max_bytes
        self._name = os.fspath(self.path)
        self._reset = reset
        # With a limit, each line may be the one that a new file begins with.
        self._takes_several = max_bytes is None and type(self).emit is JsonFileTraceSink.emit
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._identity = (-1, -1)
        self._end = -1

    def emit(self, event: TraceEvent) -> None:
        """Append one event. Raises ``StorageError`` when it cannot be written."""
        self._write(_encode(event))

    def emit_all(self, events: Sequence[TraceEvent]) -> None:
        """Append several events, by one ``write`` unless there is a limit or ``emit`` was overridden.

        Raises as ``emit``, the first error; the other events are appended all the same.
        """
        lines = None
        if self._takes_several:
            with suppress(TypeError, ValueError, RecursionError, msgspec.MsgspecError):
                lines = encode_events(events)
        if lines is not None:
            self._write(lines)
            return
        errors: list[StorageError] = []
        for event in events:
            try:
                self.emit(event)
            except StorageError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def _write(self, lines: bytes) -> None:
        with self._lock:
            try:
                self._append(lines)
            except OSError as error:
                raise StorageError(
                    f"The trace file {self.path} cannot be written: {error.strerror or error}. "
                    f"Events are lost until it can: free space, change permissions, or choose another path."
                ) from error

    def close(self) -> None:
        """Close the file. Calling it again does nothing."""
        with self._lock:
            self._close()

    def _append(self, line: bytes) -> None:
        descriptor, size = self._current()
        if self.max_bytes is not None and size > 0 and size + len(line) > self.max_bytes:
            self._rotate()
            descriptor, size = self._current()
        # Somebody else has written since: a writer killed in the middle of a line left it open.
        if size != self._end and size and os.pread(descriptor, 1, size - 1) not in (b"\n", b""):
            line = b"\n" + line
        written = os.write(descriptor, line)
        while written < len(line):
            written += os.write(descriptor, line[written:])
        self._end = size + written

    def _current(self) -> tuple[int, int]:
        """Return the descriptor and size of the file that has the path now, opening it if need be."""
        if self._descriptor is not None:
            try:
                found = os.stat(self._name)  # noqa: PTH116 - made for every step
            except FileNotFoundError:
                pass
            else:
                if found.st_ino == self._identity[1] and found.st_dev == self._identity[0]:
                    return self._descriptor, found.st_size
            self._close()
        self._descriptor = self._open()
        found = os.fstat(self._descriptor)
        self._identity = (found.st_dev, found.st_ino)
        return self._descriptor, found.st_size

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | (os.O_TRUNC if self._reset else 0)
        try:
            descriptor = os.open(self._name, flags, 0o600)
        except FileNotFoundError:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._name, flags, 0o600)
        self._reset = False
        return descriptor

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = None
        self._end = -1

    def _rotate(self) -> None:
        """Rename the file, unless another process just did."""
        with _locked(f"{self._name}.lock"):
            try:
                found = self.path.stat()
            except FileNotFoundError:
                return
            if (found.st_dev, found.st_ino) == self._identity:
                self.path.replace(f"{self._name}.1")


@contextmanager
def _locked(name: str) -> Iterator[None]:
    import fcntl  # noqa: PLC0415 - not on every platform, and needed for rotation only

    descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _encode(event: TraceEvent) -> bytes:
    try:
        return encode_event(event)
    except UnicodeEncodeError:
        # Output and file names may have surrogates, which JSON cannot hold.
        fields = {name: _escape(getattr(event, name)) for name in event.__struct_fields__}
        return encode_event(TraceEvent(**fields))
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise StorageError(
            f"A {event.type} event cannot be written as JSON: {error}. Its fields must be JSON values."
        ) from error


def _escape(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {_escape(key): _escape(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_escape(item) for item in value]
    return value
