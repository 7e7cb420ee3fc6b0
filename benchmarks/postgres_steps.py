"""Durable steps a second on PostgreSQL, next to DBOS on the same server, and by several processes."""

import sys
from pathlib import Path

from benchmarks.contest import Entry, Turns, contest
from benchmarks.figures import Figure

AT_ONCE = 50
SECONDS = 5


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Let them take turns on a server that waits for the disk, as it does by default."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    from postgres_server import find_postgres, start_postgres  # type: ignore[import-not-found]  # noqa: PLC0415

    if find_postgres() is None:
        print("PostgreSQL is not here: apt-get install postgresql", file=sys.stderr)
        return []
    with start_postgres() as server:
        on = {"dsn": server.dsn}
        many = {"seconds": SECONDS, "at_once": AT_ONCE, **on}
        one, fifty, dbos_one, dbos_fifty, *workers = await contest(
            folder,
            rounds,
            Entry(contender="flux_postgres", task="durable", parameters={"runs": 100, "at_once": 1, **on}),
            Entry(
                contender="flux_postgres", task="durable", parameters={"runs": 1000, "at_once": AT_ONCE, **on}
            ),
            Entry(contender="dbos_runs", task="durable", parameters={"runs": 20, "at_once": 1, **on}),
            Entry(contender="dbos_runs", task="durable", parameters={"runs": 300, "at_once": AT_ONCE, **on}),
            *(
                Entry(contender="flux_postgres", task="workers", parameters={"processes": processes, **many})
                for processes in (1, 2, 4)
            ),
        )
    return [
        _held("on PostgreSQL, one run at a time", one, dbos_one, None),
        _held(f"on PostgreSQL, {AT_ONCE} runs at once", fifty, dbos_fifty, 3),
        *(
            Figure(
                name="postgres",
                title=f"on PostgreSQL, {AT_ONCE} runs in each of {n} processes",
                unit="/s",
                samples=turns.samples,
            )
            for n, turns in zip((1, 2, 4), workers, strict=True)
        ),
    ]


def _held(title: str, own: Turns, peer: Turns, advantage: float | None) -> Figure:
    return Figure(
        name="postgres",
        title=title,
        unit="/s",
        samples=own.samples,
        peer_title="DBOS",
        peer=peer.samples,
        missing=peer.missing,
        advantage=advantage,
    )
