"""Ten thousand runs that wait or sleep in one process: its memory, and what it takes of a core."""

from pathlib import Path

from benchmarks.contest import Entry, contest
from benchmarks.figures import Figure

RUNS = 10_000
ROUNDS = 2


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Bring them to rest in a SQLite file, then look at the process."""
    figures = []
    for state in ("suspended", "sleeping"):
        below = folder / state
        below.mkdir()
        memory, share = await contest(
            below,
            min(rounds, ROUNDS),
            *(
                Entry(
                    contender="flux_runs",
                    task="at_rest",
                    parameters={"runs": RUNS, "state": state, "what": what},
                )
                for what in ("megabytes", "percent")
            ),
        )
        figures += [
            Figure(
                name="rest", title=f"{RUNS:,} {state} runs", unit="MB", samples=memory.samples, target=300
            ),
            Figure(
                name="rest",
                title=f"{RUNS:,} {state} runs, of a core",
                unit="%",
                samples=share.samples,
                target=1,
            ),
        ]
    return figures
