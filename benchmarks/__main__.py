"""``python -m benchmarks [--only NAME] [--json]``: measure what is promised, and print it as a table."""

import argparse
import asyncio
import json
import tempfile
from pathlib import Path

import msgspec

from benchmarks import glyph, reload
from benchmarks.figures import Figure, table

MEASURES = {"reload": reload.measure, "glyph": glyph.measure}


async def measured(names: list[str], rounds: int) -> list[Figure]:
    """Return the figures, measured one after the other, each in a folder of its own."""
    figures = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            figures.append(await MEASURES[name](Path(folder), rounds))
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure what Flux promises.")
    parser.add_argument("--only", choices=MEASURES, help="this figure alone")
    parser.add_argument("--rounds", type=int, default=20, help="samples of each figure (default: 20)")
    parser.add_argument("--json", action="store_true", help="print all samples as JSON")
    chosen = parser.parse_args()
    figures = asyncio.run(measured([chosen.only] if chosen.only else list(MEASURES), chosen.rounds))
    if chosen.json:
        print(json.dumps([_as_json(figure) for figure in figures], indent=2, ensure_ascii=False))
    else:
        print(table(figures))


def _as_json(figure: Figure) -> dict[str, object]:
    derived = {key: getattr(figure, key) for key in ("median", "p95", "peer_median", "ratio", "met")}
    return {**msgspec.to_builtins(figure), **derived}


if __name__ == "__main__":
    main()
