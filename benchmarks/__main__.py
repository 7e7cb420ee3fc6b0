"""``python -m benchmarks [--only NAME] [--json]``: measure what is promised, and print it as a table."""

import argparse
import asyncio
import importlib
import json
import sys
import tempfile
from pathlib import Path

import msgspec

from benchmarks.figures import Figure, table

MODULES = {
    "memory": "memory_step",
    "durable": "durable_steps",
    "postgres": "postgres_steps",
    "growth": "growth",
    "large": "large_data",
    "rest": "at_rest",
    "soak": "soak",
    "listing": "listing",
    "startup": "startup",
    "reload": "reload",
    "glyph": "glyph",
    "trace": "trace_read",
    "frame": "first_frame",
    "key": "key_to_paint",
    "event": "event_to_screen",
    "idle": "idle",
    "work": "dashboard_soak",
    "restate": "restate_adapter",
}
"""The module that measures each figure. Imported for it alone: the dashboard's bring the dashboard."""


async def measured(names: list[str], rounds: int) -> list[Figure]:
    """Return the figures, measured one after the other, each in a folder of its own."""
    figures: list[Figure] = []
    for name in names:
        print(f"measuring {name} …", file=sys.stderr)
        module = importlib.import_module(f"benchmarks.{MODULES[name]}")
        with tempfile.TemporaryDirectory() as folder:
            figures += await module.measure(Path(folder), rounds)
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure what Flux promises.")
    parser.add_argument("--only", choices=MODULES, action="append", help="this alone; may be given again")
    parser.add_argument("--rounds", type=int, default=5, help="samples of each figure (default: 5)")
    parser.add_argument("--json", action="store_true", help="print all samples as JSON")
    chosen = parser.parse_args()
    figures = asyncio.run(measured(chosen.only or list(MODULES), chosen.rounds))
    if chosen.json:
        print(json.dumps([_as_json(figure) for figure in figures], indent=2, ensure_ascii=False))
    else:
        print(table(figures))


def _as_json(figure: Figure) -> dict[str, object]:
    derived = {key: getattr(figure, key) for key in ("median", "p95", "peer_median", "ratio", "met")}
    return {**msgspec.to_builtins(figure), **derived}


if __name__ == "__main__":
    main()
