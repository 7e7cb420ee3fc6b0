"""Opening the store that an address names: the one place that knows which class reads which."""

from typing import Any, Final

from flux_engine.errors import StorageError
from flux_engine.storage.base import WorkflowStorage
from flux_engine.storage.sqlite import SQLiteStorage
from flux_tui.address import StoreAddress

CONNECT: Final = 3.0
"""Seconds that a server has at least to let somebody in."""


def open_store(
    address: StoreAddress, *, read_only: bool = False, patience: float | None = None
) -> WorkflowStorage:
    """Return the store at an address; ``open`` it before anything is asked of it.

    With ``read_only`` nothing is created, migrated or written. ``patience`` is how many seconds to wait for a
    lock of another process, or for a server to answer. Raises ``StorageError`` where the library is missing.
    """
    if address.file is not None:
        waits: dict[str, Any] = {} if patience is None else {"busy_timeout": patience}
        return SQLiteStorage(address.file, read_only=read_only, **waits)
    try:
        from flux_engine.storage.postgres import PostgresStorage  # noqa: PLC0415 - its library is an extra
    except ModuleNotFoundError as error:
        raise StorageError(str(error)) from None
    waits = {} if patience is None else {"patience": patience, "connect_timeout": max(patience, CONNECT)}
    return PostgresStorage(address.dsn, schema=address.schema, read_only=read_only, **waits)
