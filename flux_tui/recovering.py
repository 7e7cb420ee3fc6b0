"""Runs whose process died in the middle of them: which there are, and telling of them."""

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from flux_engine.execution import RunStatus
from flux_engine.storage.base import RunQuery
from flux_tui.model.run import RunRowView
from flux_tui.news import Notice

if TYPE_CHECKING:
    from flux_tui.desk import Desk

PAGE: Final = 1000
SECONDS: Final = 12.0
"""How long the notice at the start stays."""


async def interrupted(desk: "Desk") -> list[RunRowView]:
    """Return all interrupted runs of the store, the newest first."""
    found: list[RunRowView] = []
    query = RunQuery(statuses=(RunStatus.RUNNING,), limit=PAGE)
    while True:
        rows = await desk.stored(query)
        found += [row for row in rows if row.status == "interrupted"]
        if len(rows) < PAGE:
            return found
        query = replace(query, before=(rows[-1].started_at / 1000, rows[-1].id))


async def tell_interrupted(desk: "Desk") -> None:
    """Say once how many runs are interrupted. They are left as they are until the user says otherwise."""
    if desk.on_restate:
        return
    count = len(await interrupted(desk))
    if not count or desk.read_only:
        return
    runs, them = ("A run was", "it") if count == 1 else (f"{count:,} runs were", "all of them")
    text = (
        f"Its process died. U goes on with {them}." if count == 1 else f"U goes on with {them}, u with one."
    )
    desk.notify(Notice(title=f"{runs} interrupted", text=text, severity="warning", seconds=SECONDS))
