"""A service on Restate: ``chaos_service.py FOLDER PORT PORT``, orders on one port, the rest on the other."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from chaos_flows import Diary, chaos_flows
from hypercorn.asyncio import serve
from hypercorn.config import Config

from flux_engine import FluxSilentLogger, JsonFileTraceSink
from flux_engine.integrations.restate import restate_app

FOLDER, PORTS = Path(sys.argv[1]), sys.argv[2:]


async def main() -> None:
    flows = chaos_flows(Diary(FOLDER / "diary"), transactions=False)
    orders = flows.pop("orders")
    trace = JsonFileTraceSink(FOLDER / "trace.ndjson")
    serving = []
    for port, served in zip(PORTS, ([orders], [*flows.values()]), strict=True):
        config = Config()
        config.bind = [f"127.0.0.1:{port}"]
        config.loglevel = "CRITICAL"
        app = restate_app(
            served, trace=trace, logger=FluxSilentLogger(), default_retries=50, default_timeout=60,
            inactivity_timeout=timedelta(milliseconds=200),
        )  # fmt: skip
        serving.append(serve(app, config))
    await asyncio.gather(*serving)


asyncio.run(main())
