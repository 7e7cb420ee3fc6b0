"""A trace that is shown by itself: its workflows are there however it comes in."""

import asyncio
import os
from pathlib import Path

from flux_engine.trace.events import EventType, TraceEvent, encode_event
from flux_tui.desk import Desk
from flux_tui.feed.trace import TraceFeed
from flux_tui.settings import Settings

GRAPH = {"steps": [{"name": "pick", "index": 0}], "edges": []}


async def test_the_workflows_of_a_pipe_are_there_when_it_ends_after_its_last_event(tmp_path: Path) -> None:
    """The end of the stream comes with no events: what came before it counts."""
    start = TraceEvent(
        type=EventType.WORKFLOW_START, timestamp=1.0, workflow_id="a", workflow_name="parcel", graph=GRAPH
    )
    out, into = os.pipe()
    os.write(into, encode_event(start))
    os.close(into)
    settings = Settings(project=tmp_path, trace=tmp_path / "none").anchored()
    desk = Desk(settings, [], trace_only=True)
    with os.fdopen(out, "rb") as stream:
        desk._trace = feed = TraceFeed("-", stream=stream)
        while feed._reader._pieces.qsize() < 2:  # the events, and the end
            await asyncio.sleep(0.01)
        await desk.start()
        try:
            async with asyncio.timeout(20):
                while not desk.loaded:
                    await asyncio.sleep(0.01)
        finally:
            await desk.stop()
    assert [each.name for module in desk.definitions.modules for each in module.workflows] == ["parcel"]
