"""The contract of a store, held against the stores that ship."""

from pathlib import Path

import pytest

from flux_engine.storage.memory import MemoryStorage
from flux_engine.storage.sqlite import SQLiteStorage
from flux_engine.testing import StorageContract


class TestMemoryStorage(StorageContract):
    async def make_storage(self) -> MemoryStorage:
        return MemoryStorage()


class TestSQLiteStorage(StorageContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    async def make_storage(self) -> SQLiteStorage:
        return SQLiteStorage(self.folder / "flux.db")
