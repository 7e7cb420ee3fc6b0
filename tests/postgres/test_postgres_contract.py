"""The contract of a store, held against PostgreSQL."""

import pytest

from flux_engine.storage.postgres import PostgresStorage
from flux_engine.testing import StorageContract


class TestPostgresStorage(StorageContract):
    lease_tolerance = 0.5

    @pytest.fixture(autouse=True)
    def _place(self, database, schema):
        self.place = (database, schema)

    async def make_storage(self) -> PostgresStorage:
        dsn, schema = self.place
        return PostgresStorage(dsn, schema=schema)
