"""DBOS on SQLite or PostgreSQL: async workflows of ten steps."""

import asyncio
from pathlib import Path

from dbos import DBOS

from benchmarks.contenders import main, quickest

STEPS = 10


@DBOS.step()  # type: ignore[untyped-decorator]
async def count(number: int) -> int:
    """Change one small value."""
    return number + 1


@DBOS.workflow()  # type: ignore[untyped-decorator]
async def counting(number: int) -> int:
    """Call the step ten times."""
    for _ in range(STEPS):
        number = await count(number)
    return number


def durable(folder: str, runs: int, at_once: int, dsn: str | None = None) -> float:
    """Return steps a second, in a file of the folder or on a server."""
    DBOS(
        config={
            "name": "benchmark",
            "system_database_url": dsn or f"sqlite:///{Path(folder) / 'dbos.sqlite'}",
            "run_admin_server": False,
            "log_level": "ERROR",
        }
    )
    DBOS.launch()
    try:
        return asyncio.run(_steps_a_second(runs, at_once))
    finally:
        DBOS.destroy()


async def _steps_a_second(runs: int, at_once: int) -> float:
    await counting(0)

    async def some() -> None:
        await asyncio.gather(*[counting(0) for _ in range(at_once)])

    return at_once * STEPS / await quickest(runs // at_once, some)


if __name__ == "__main__":
    main({"durable": durable})
