"""Parcels on a Restate server, which calls any number of these processes.

::

    npx @restatedev/restate-server
    pip install 'flux-tui[restate]' && python examples/three_ways/on_restate.py
"""

import asyncio
import os

from hypercorn.asyncio import serve
from hypercorn.config import Config
from parcels import parcel_flow

from flux_engine import JsonFileTraceSink
from flux_engine.integrations.restate import RestateClient, restate_app
from flux_engine.journal import workflow_state

ADMIN = os.environ.get("RESTATE_ADMIN", "http://127.0.0.1:9070")
ADDRESS = f"127.0.0.1:{os.environ.get('PORT', '9080')}"

app = restate_app([parcel_flow], trace=JsonFileTraceSink(".flux/trace.ndjson"))


async def standing(client, run_id, *statuses):
    """Return the run as soon as it has one of these statuses."""
    while True:
        found = await client.run(run_id)
        if found.record.status in statuses:
            return workflow_state(found.record, found.entries)
        await asyncio.sleep(0.05)


async def main():
    """Serve; send a heavy parcel, approve it, and say how it ended."""
    config = Config()
    config.bind = [ADDRESS]
    config.loglevel = "WARNING"
    done = asyncio.Event()
    serving = asyncio.create_task(serve(app, config, shutdown_trigger=done.wait))
    client = RestateClient(ADMIN)
    await asyncio.sleep(0.5)
    await client.register(f"http://{ADDRESS}")
    run_id = await client.start(parcel_flow.name, {"kilos": 30})
    await standing(client, run_id, "suspended")
    await client.signal(run_id, "approval", {"by": "ada"})
    run = await standing(client, run_id, "completed", "failed")
    print(run.status, run.data["label"])
    done.set()
    await serving


asyncio.run(main())
