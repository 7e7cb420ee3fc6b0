"""Whether a step costs the same in a run of 10 steps and in one of 1,000."""

from pathlib import Path

from benchmarks.contest import Entry, contest
from benchmarks.figures import Figure

SIZES = {10: 60, 100: 15, 1000: 5}
"""Runs to take the quickest of, by the number of steps."""


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Let runs of each size take turns, in memory and in a SQLite file."""
    figures = []
    for kept in ("memory", "sqlite"):
        below = folder / kept
        below.mkdir()
        turns = await contest(
            below,
            rounds,
            *(
                Entry(
                    contender="flux_runs",
                    task="long_run",
                    parameters={"steps": steps, "kept": kept, "runs": runs},
                )
                for steps, runs in SIZES.items()
            ),
        )
        short = turns[0]
        figures += [
            Figure(
                name="growth",
                title=f"a step of {steps:,}, {kept}",
                unit="µs",
                samples=turn.samples,
                peer_title="" if turn is short else "a step of 10",
                peer=() if turn is short else short.samples,
                advantage=None if turn is short else round(1 / 1.2, 3),
            )
            for steps, turn in zip(SIZES, turns, strict=True)
        ]
    return figures
