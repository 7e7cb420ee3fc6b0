"""The flows that move through the time of a run, and set it beside another."""

from functools import partial
from typing import TYPE_CHECKING, Final

from flux_engine.execution import RunStatus
from flux_engine.storage.base import RunQuery
from flux_tui.flows.asking import Flow
from flux_tui.flows.share import to_clipboard
from flux_tui.model.compare import partner_of
from flux_tui.model.run import RunView
from flux_tui.screens.compare import CompareScreen
from flux_tui.screens.pick_run import PickRunScreen

if TYPE_CHECKING:
    from flux_tui.desk import Desk
    from flux_tui.screens.main import MainScreen


def _scrub(by: int) -> Flow:
    def scrub(screen: "MainScreen") -> None:
        count = screen.past.count
        screen.past.go(min(screen.selection.moment or count, count) + by)

    return scrub


def _leave(screen: "MainScreen") -> None:
    screen.past.leave()


async def _partner(desk: "Desk", run: RunView) -> str | None:
    """Return the run to compare with; the store is asked when none of those that were listed completed."""
    rows = desk.runs.known()
    found = partner_of(run, rows)
    if found is None or (row := desk.runs.get(found)) is None or row.status != "completed":
        query = RunQuery(workflow=run.workflow, statuses=(RunStatus.COMPLETED,), limit=2)
        found = partner_of(run, [*await desk.stored(query), *rows])
    return found


async def _compare(screen: "MainScreen") -> None:
    """Set two marked runs side by side, else the selected run beside one that completed, or a picked one."""
    desk, run = screen.desk, screen.run_view
    partner: str | None = None
    marked = [row for run_id in screen.marks if (row := desk.runs.get(run_id)) is not None]
    if len(marked) == 2:  # noqa: PLR2004 - two runs, side by side
        older, newer = sorted(marked, key=lambda row: row.started_at)
        run, partner = await desk.read(newer.id), older.id
    elif run is not None:
        partner = await _partner(desk, run)
    if run is None:
        return
    if partner is None:
        partner = await screen.app.push_screen_wait(PickRunScreen(desk, run))
    if partner is not None:
        copy = partial(to_clipboard, screen, what="Comparison")
        screen.app.push_screen(CompareScreen(desk, run, partner, copy=copy))


FLOWS: Final[dict[str, Flow]] = {
    "scrub-back": _scrub(-1),
    "scrub-forward": _scrub(1),
    "scrub-first": lambda screen: screen.past.go(1),
    "scrub-last": lambda screen: screen.past.go(screen.past.count),
    "scrub-live": _leave,
    "compare": _compare,
}
