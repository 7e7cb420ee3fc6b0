"""Two runs side by side: what differs in each step, and in what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.content import Content
from textual.getters import query_one
from textual.screen import Screen
from textual.widgets import Static

from flux_tui.desk import Desk
from flux_tui.model.compare import RUN, Comparison, RowComparison, compare
from flux_tui.model.compare_words import comparison_text, no_details, summary
from flux_tui.model.run import RunView
from flux_tui.model.text import duration_text, printable, status_glyph, status_tone, status_word
from flux_tui.model.tree import MISSING, Mark, Node
from flux_tui.model.waits import until_text
from flux_tui.screens.pick_run import PickRunScreen
from flux_tui.widgets import tones
from flux_tui.widgets.compare_rows import CompareRows
from flux_tui.widgets.data_tree import DataTree
from flux_tui.widgets.line_list import LineList
from flux_tui.widgets.pane import Pane

NEWS: Final = 0.5
"""Seconds between two looks whether one of the runs has changed."""

ID_CELLS: Final = 8

KEYS: Final = (
    ("enter", "details"),
    ("←→", "other run"),
    ("p", "pick"),
    ("d", "only differences"),
    ("s", "swap"),
    ("y", "copy"),
    ("x", "secrets"),
)
LAST_KEY: Final = ("esc", "back")
MARKS: Final = {
    Mark.ADDED: ("+ only B ", tones.GOOD),
    Mark.CHANGED: ("~ differs", tones.CARE),
    Mark.DELETED: ("- only A ", tones.BAD),
    Mark.SAME: ("         ", ""),
}


class CompareScreen(Screen[None]):
    """Compares a run with a partner, which can be changed. The partner is A, the run in question B.

    ``copy`` copies a text and tells the user so.
    """

    DEFAULT_CSS = """
    CompareScreen { layout: vertical; background: $background; }
    CompareScreen > .side { height: 1; padding: 0 1; background: $panel; }
    CompareScreen > #compare-keys { height: 1; padding: 0 1; background: $panel; dock: bottom; }
    CompareScreen > Container { height: 1fr; layout: vertical; }
    CompareScreen #compare-pane { height: 3fr; }
    CompareScreen #compare-detail { height: 2fr; min-height: 4; }
    CompareScreen #compare-head { height: 1; }
    CompareScreen.-wide > Container { layout: horizontal; }
    CompareScreen.-wide #compare-pane { height: 1fr; width: 3fr; }
    CompareScreen.-wide #compare-detail { height: 1fr; width: 2fr; }
    """
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (150, "-wide")]  # noqa: RUF012 - an instance variable of Screen, by its types
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,equals_sign", "leave", "Back", id="compare.leave", show=False),
        Binding("enter", "details", "To the details and back", id="compare.details", show=False),
        Binding("left,h", "partner(1)", "Compare with the run before", id="compare.older", show=False),
        Binding("right,l", "partner(-1)", "Compare with the run after", id="compare.newer", show=False),
        Binding("p", "pick", "Pick the run to compare with", id="compare.pick", show=False),
        Binding("s", "swap", "Swap the sides", id="compare.swap", show=False),
        Binding("d", "only", "Only what differs", id="compare.only", show=False),
        Binding("x", "secrets", "Show secrets", id="compare.reveal", show=False),
        Binding("y", "copy", "Copy the comparison", id="compare.copy", show=False),
    ]
    AUTO_FOCUS = "#compare-rows"

    pane = query_one("#compare-pane", Pane)
    detail = query_one("#compare-detail", Pane)

    def __init__(
        self, desk: Desk, run: RunView, partner: str, *, copy: Callable[[str], Awaitable[None]]
    ) -> None:
        super().__init__()
        self._copy = copy
        self.desk = desk
        self.run = run
        self.partner_id = partner
        self.partner: RunView | None = None
        self.swapped = False
        plain = desk.settings.ascii
        self.rows = CompareRows(desk.secrets, plain=plain, id="compare-rows")
        self.tree_view = DataTree(desk.secrets, empty=self._same)
        self.tree_view.marks = MARKS

    def compose(self) -> ComposeResult:
        """Yield who is compared, the table, the details of a row, and the keys."""
        yield Static(id="compare-a", classes="side", markup=False)
        yield Static(id="compare-b", classes="side", markup=False)
        with Container():
            with Pane(title="Compare", id="compare-pane"):
                yield Static(id="compare-head", markup=False)
                yield self.rows
            with Pane(title="Differences", id="compare-detail"):
                yield self.tree_view
        yield Static(id="compare-keys", markup=False)

    def on_mount(self) -> None:
        """Read the partner, and look for news of both from now on."""
        self.set_interval(NEWS, self._look)
        self._turn_to(self.partner_id)

    def on_resize(self) -> None:
        """Draw the head of the table as wide as its rows."""
        self.query_one("#compare-keys", Static).update(_keys_line(self.size.width - 2))
        self.call_after_refresh(self._show_head)

    # What is compared

    def _turn_to(self, partner: str) -> None:
        self.partner_id, self.partner = partner, self.desk.view(partner)
        self._show()
        self.run_worker(self._read(partner), group="compare", exclusive=True)

    async def _read(self, partner: str) -> None:
        view = await self.desk.read(partner)
        if view is None:
            self.app.notify(
                f"{partner[:ID_CELLS]} cannot be read: it is neither in the trace nor in the store",
                title="Compare",
                severity="warning",
                markup=False,
            )
        elif self.partner_id == partner and view is not self.partner:
            self.partner = view
            self._show()

    def _look(self) -> None:
        run = self.desk.view(self.run.id) or self.run
        partner = self.desk.view(self.partner_id) or self.partner
        if run is not self.run or partner is not self.partner:
            self.run, self.partner = run, partner
            self._show()

    @property
    def comparison(self) -> Comparison | None:
        """What is shown; ``None`` while the partner is being read."""
        return self.rows.comparison

    def _show(self) -> None:
        self.run_worker(self._compared(), group="comparison", exclusive=True)

    async def _compared(self) -> None:
        """Compare beside the screen: the data may be large."""
        if self.partner is None:
            self._present(None)
            return
        sides = (self.run, self.partner) if self.swapped else (self.partner, self.run)
        self._present(await asyncio.to_thread(compare, *sides))

    def _present(self, compared: Comparison | None) -> None:
        self.rows.show(compared)
        first: RunView | str = self.partner or self.partner_id
        sides_shown = (self.run, first) if self.swapped else (first, self.run)
        for name, side in zip("ab", sides_shown, strict=True):
            self.query_one(f"#compare-{name}", Static).update(self._side(name.upper(), side))
        title = "reading…" if compared is None else summary(compared)
        self.pane.show_title(Content(f"Compare · {title}"))
        self._show_head()
        self._show_detail()

    def _side(self, name: str, run: RunView | str) -> Content:
        label = (f"{name}  ", f"bold {tones.LINK}")
        if isinstance(run, str):
            return Content.assemble(label, f"{printable(run)[:ID_CELLS]}  reading…")
        tone = status_tone(run.status)
        glyph = status_glyph(run.status, ascii=self.desk.settings.ascii)
        failed = run.failed_step
        at = "" if failed is None else f" at {printable(failed.name)}"
        took = "" if run.took is None else f"  {duration_text(run.took)}"
        started = "" if run.started_at is None else f"  {until_text(run.started_at)}"
        return Content.assemble(
            label,
            f"{printable(run.id)[:ID_CELLS]}  ",
            (f"{glyph} {status_word(run.status)}{at}", "" if tone == "muted" else f"$text-{tone}"),
            took,
            (started, tones.MUTED),
            (f"  {printable(run.workflow)}", tones.MUTED),
        ).truncate(max(self.size.width - 2, 20), ellipsis=True)

    def _show_head(self) -> None:
        self.query_one("#compare-head", Static).update(self.rows.head())

    def _show_detail(self) -> None:
        row = self.rows.selected
        before, after, titles = sections(row)
        self.tree_view.show_root(Node((), before, after, only_changes=True), titles)
        name = "" if row is None else "the runs" if row.kind == RUN else printable(row.name)
        self.detail.show_title(Content(f"{name}: A → B" if name else "Differences"))

    def _same(self) -> str:
        if self.rows.selected is None:
            return "Reading…" if self.comparison is None else "Nothing to show."
        if self.rows.selected.kind == RUN and self.comparison is not None and self.comparison.different:
            alike = "Both ended the same way. " if self.rows.selected.same else ""
            return f"{alike}The rows that are marked differ: go there to see in what."
        return no_details(self.rows.selected)

    @on(LineList.Highlighted, "#compare-rows")
    def _highlighted(self) -> None:
        self._show_detail()

    @on(LineList.Chosen, "#compare-rows")
    def _chosen(self) -> None:
        self.tree_view.focus()

    # Keys

    def action_leave(self) -> None:
        """Go back from the details to the table, from the table to the dashboard."""
        if self.tree_view.has_focus:
            self.rows.focus()
        else:
            self.dismiss(None)

    def action_details(self) -> None:
        """Go to the details."""
        self.tree_view.focus()

    def action_partner(self, by: int) -> None:
        """Compare with the run of the same workflow that is older (1) or newer (-1) than the partner."""
        workflow = self.run.workflow if self.partner is None else self.partner.workflow
        ids = [row.id for row in self.desk.runs.known() if row.workflow == workflow and row.id != self.run.id]
        at = ids.index(self.partner_id) + by if self.partner_id in ids else 0
        if 0 <= at < len(ids):
            self._turn_to(ids[at])
        else:
            which = "older" if by > 0 else "newer"
            self.app.notify(f"there is no {which} run of {workflow!r} here", title="Compare", markup=False)

    def action_pick(self) -> None:
        """Pick the run to compare with from a list."""
        self.app.push_screen(PickRunScreen(self.desk, self.run), self._picked)

    def _picked(self, run_id: str | None) -> None:
        if run_id is not None:
            self._turn_to(run_id)

    def action_swap(self) -> None:
        """Swap the sides."""
        self.swapped = not self.swapped
        self._show()

    def action_only(self) -> None:
        """Leave out the rows that are the same, or show them again."""
        self.rows.only = not self.rows.only
        self._present(self.comparison)

    def action_secrets(self) -> None:
        """Show the secrets in the details, or mask them again."""
        self.tree_view.revealed = not self.tree_view.revealed
        self.tree_view.rows_changed()

    async def action_copy(self) -> None:
        """Copy the comparison as text, secrets masked."""
        if self.comparison is not None:
            await self._copy(await asyncio.to_thread(comparison_text, self.comparison, self.desk.secrets))


def sections(
    row: RowComparison | None,
) -> tuple[dict[str, dict[str, object]], dict[str, dict[str, object]], dict[object, str]]:
    """Return what differs in a row as sections of values, before and after, with their titles."""
    before: dict[str, dict[str, object]] = {}
    after: dict[str, dict[str, object]] = {}
    titles: dict[object, str] = {}
    for difference in () if row is None else row.differences:
        section = difference.section
        titles.setdefault(section, _TITLES.get(section, section.capitalize()))
        for side, value in ((before, difference.first), (after, difference.second)):
            if value is not MISSING:
                side.setdefault(section, {})[difference.name] = value
    if row is not None and row.code:
        before["code"], after["code"] = {"handler": "as it was in A"}, {"handler": "changed in B"}
        titles["code"] = "Code of the handler"
    return before, after, titles


_TITLES: Final = {"data": "Data", "output": "Output", "error": "Error", "input": "Input"}


def _keys_line(width: int) -> Content:
    """Return the keys that fit; the way out always does."""
    said = [Content.assemble((key, f"bold {tones.LINK}"), f" {what}") for key, what in (*KEYS, LAST_KEY)]
    while len(said) > 1 and Content("  ").join(said).cell_length > width:
        del said[-2]
    return Content("  ").join(said)
