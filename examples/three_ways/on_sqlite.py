"""Parcels on one machine: a process and a file. ``python examples/three_ways/on_sqlite.py``."""

import asyncio

from parcels import parcel_flow

from flux_engine import FluxEngine, JsonFileTraceSink, SQLiteStorage


async def main():
    """Send a heavy parcel, approve it, and say how it ended."""
    storage = SQLiteStorage(".flux/flux.db")
    async with FluxEngine(storage=storage, trace=JsonFileTraceSink(".flux/trace.ndjson")) as engine:
        waiting = await engine.execute(parcel_flow, {"kilos": 30})
        result = await engine.signal(parcel_flow, waiting.id, "approval", {"by": "ada"})
        print(result.status, result.data["label"])


asyncio.run(main())
