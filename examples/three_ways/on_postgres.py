"""Parcels on several machines: any number of these processes, and a PostgreSQL that they share.

::

    pip install 'flux-tui[postgres]'
    FLUX_DB=postgresql://flux@db.internal/parcels python examples/three_ways/on_postgres.py
"""

import asyncio
import os

from parcels import parcel_flow

from flux_engine import FluxEngine, JsonFileTraceSink, PostgresStorage


async def main():
    """Send a heavy parcel, approve it, and say how it ended."""
    storage = PostgresStorage(os.environ.get("FLUX_DB", "postgresql://localhost/postgres"))
    async with FluxEngine(storage=storage, trace=JsonFileTraceSink(".flux/trace.ndjson")) as engine:
        waiting = await engine.execute(parcel_flow, {"kilos": 30})
        result = await engine.signal(parcel_flow, waiting.id, "approval", {"by": "ada"})
        print(result.status, result.data["label"])


asyncio.run(main())
