"""Opening the store that an address names: the one place that knows which class reads which."""

from typing import Any

from flux_engine.storage.base import WorkflowStorage
from flux_engine.storage.sqlite import SQLiteStorage
from flux_tui.address import StoreAddress


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
    from flux_engine.storage.postgres import PostgresStorage  # noqa: PLC0415 - its library is an extra

    return PostgresStorage(address.dsn, schema=address.schema)
