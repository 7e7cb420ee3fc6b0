"""From the write of an event to the trace until what it tells is on screen."""

import asyncio
import random
import time
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.terminal import DASHBOARD, Terminal
from flux_engine.trace.events import TraceEvent, encode_event

EVENTS = 30
"""How many events are written a round."""

BETWEEN = 0.2


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Let a step print a line now and then, with its log on screen."""
    samples = await asyncio.to_thread(_printed, folder / "trace.ndjson", rounds * EVENTS)
    title = "event written to the trace → on screen"
    return [Figure(name="event", title=title, target=100, slow_count=True, samples=tuple(samples))]


def _printed(trace: Path, count: int) -> list[float]:
    trace.write_bytes(
        _line("workflow:start", graph={"name": "orders", "steps": [{"name": "print"}], "edges": []})
        + _line("step:start", step_name="print", attempt=1)
    )
    with Terminal(trace.parent, *DASHBOARD, "--trace", str(trace)) as terminal:
        terminal.sees("orders", "print")
        terminal.press("L")
        time.sleep(1)
        written = []
        with trace.open("ab", buffering=0) as file:
            for number in range(count):
                text = {"stream": "stdout", "text": f"line-{number};"}
                file.write(_line("step:log", step_name="print", attempt=1, meta=text))
                written.append(time.time())
                time.sleep(BETWEEN * random.uniform(0.8, 1.2))
        shown: dict[int, float] = {}
        for at, lines in terminal.frames():
            text_now = "\n".join(lines)
            while f"line-{len(shown)};" in text_now:
                shown[len(shown)] = at
        if len(shown) < count:
            raise TimeoutError(f"{count - len(shown)} of {count} events were never seen")
        return [(shown[number] - at) * 1000 for number, at in enumerate(written)]


def _line(kind: str, **fields: object) -> bytes:
    return encode_event(
        TraceEvent(
            type=kind,
            timestamp=time.time() * 1000,
            workflow_id="a1b2c3d4",
            workflow_name="orders",
            **fields,  # type: ignore[arg-type]
        )
    )
