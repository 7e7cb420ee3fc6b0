"""A step that changes one small key beside 1 MB of ``ctx.data``: its time, and what it writes."""

from pathlib import Path

from benchmarks.contest import Entry, contest
from benchmarks.figures import Figure

STEPS = 200


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Run it in a SQLite file."""
    time, written = await contest(
        folder,
        rounds,
        *(
            Entry(contender="flux_runs", task="large", parameters={"steps": STEPS, "what": what})
            for what in ("milliseconds", "kilobytes")
        ),
    )
    return [
        Figure(name="large", title="small change beside 1 MB, SQLite", samples=time.samples, target=3),
        Figure(
            name="large",
            title="written for it, to the log of SQLite",
            unit="KB",
            samples=written.samples,
            target=8,
        ),
    ]
