"""The Data tab: what a step found, what it left, and what it changed."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.getters import query_one
from textual.widgets import Input, Static

from flux_engine.execution import Changes
from flux_tui.model.run import RunView, StepView
from flux_tui.model.secrets import MASK, Secrets
from flux_tui.model.text import printable
from flux_tui.model.tree import MISSING, Mark, Missing, Node, Path, bare, mark_of, search
from flux_tui.widgets.data_tree import DataTree

MAX_MATCHES = 1000
ENDED = frozenset({"completed", "failed", "skipped", "compensated"})
"""The statuses of a step that has left its data behind."""


class DataView(Vertical):
    """The data before and after a step with its changes marked, and the input and output.

    What ``secrets`` names stays masked until ``x`` is pressed.
    """

    DEFAULT_CSS = """
    DataView { height: 1fr; background: $surface; }
    DataView > Input, DataView > Static { display: none; height: 1; padding: 0 1; background: $panel; }
    DataView > Static { color: $text-muted; }
    DataView.-searching > #data-search { display: block; }
    DataView.-found > #data-status { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "toggle_changes", "Only changes", id="data.only-changes", show=False),
        Binding("x", "toggle_secrets", "Show secrets", id="data.reveal", show=False),
        Binding("slash", "search", "Search", id="data.search", show=False),
        Binding("n", "next_match(1)", "Next match", id="data.next-match", show=False),
        Binding("N", "next_match(-1)", "Previous match", id="data.previous-match", show=False),
        Binding("escape", "end_search", "End search", id="data.end-search", show=False),
    ]

    _search = query_one("#data-search", Input)
    _status = query_one("#data-status", Static)

    def __init__(
        self,
        *,
        secrets: Secrets | None = None,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.tree_view = DataTree(secrets or Secrets(), empty=self._empty)
        self.only_changes = False
        self._run: RunView | None = None
        self._step: StepView | None = None
        self._matches: list[Path] = []

    def compose(self) -> ComposeResult:
        """Yield the tree, the search line and the line that counts matches."""
        yield self.tree_view
        yield Input(placeholder="search keys and values", id="data-search", compact=True)
        yield Static(id="data-status", markup=False)

    def focus(self, scroll_visible: bool = True) -> DataView:  # noqa: FBT001, FBT002
        """Focus the tree."""
        self.tree_view.focus(scroll_visible)
        return self

    def show(self, run: RunView | None, step: StepView | None) -> None:
        """Show the data at a step of a run; without a step, the data as the run left it."""
        if run is self._run and step is self._step:
            return
        if run is None or self._run is None or run.id != self._run.id:
            self.tree_view.revealed = False
        self._run, self._step = run, step
        self._rebuild()

    def _rebuild(self) -> None:
        before, after, titles = sections(self._run, self._step, only_changes=self.only_changes)
        self._matches = []
        self.remove_class("-found")
        self.tree_view.show_root(Node((), before, after, only_changes=self.only_changes), titles)

    def _empty(self) -> str:
        if self._run is None:
            return "No run selected. Select one in the list of runs, or press r to start one."
        if self.only_changes:
            return "This step changed nothing. Press d to see all data."
        return "This run has no data."

    def selected_value(self) -> Any:
        """Return the value under the cursor, secrets replaced by a mask unless they are shown."""
        row = self.tree_view.selected
        if row is None or row.value is MISSING:
            return None
        if self.tree_view.masked(row.path):
            return MASK
        return row.value if self.tree_view.revealed else self.tree_view.secrets.redact(row.value)

    def copy_text(self) -> str:
        """Return the value under the cursor as text: strings as they are, all else as JSON, without tags."""
        value = bare(self.selected_value())
        return (
            value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2, default=str)
        )

    def action_toggle_changes(self) -> None:
        """Show only what the step changed, or everything."""
        self.only_changes = not self.only_changes
        self._rebuild()

    def action_toggle_secrets(self) -> None:
        """Show the secrets, or mask them again."""
        self.tree_view.revealed = not self.tree_view.revealed
        self.tree_view.rows_changed()

    def action_search(self) -> None:
        """Ask what to search for."""
        self.add_class("-searching")
        self._search.focus()

    def action_end_search(self) -> None:
        """Close the search, or forget its matches; with neither, let the key go on."""
        if self.has_class("-searching") or self.has_class("-found"):
            self.remove_class("-searching", "-found")
            self._matches = []
            self.tree_view.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave ``escape``, ``n`` and ``N`` to others while nothing is searched for."""
        if action == "end_search":
            return self.has_class("-searching") or self.has_class("-found")
        if action == "next_match":
            return bool(self._matches)
        return super().check_action(action, parameters)

    @on(Input.Submitted, "#data-search")
    def start_search(self, event: Input.Submitted) -> None:
        """Look for the text and go to its first match after the cursor."""
        event.stop()
        self.remove_class("-searching")
        self.tree_view.focus()
        found = search(self.tree_view.root, event.value, self.tree_view.masked) if event.value else iter(())
        self._matches = [path for path, _ in zip(found, range(MAX_MATCHES), strict=False)]
        self.set_class(bool(event.value), "-found")
        if self._matches:
            self._go_to(0)
        else:
            self._status.update(f"nothing contains {printable(event.value)!r}")

    def action_next_match(self, step: int) -> None:
        """Go to the next match, or to the one before."""
        row = self.tree_view.selected
        here = self._matches.index(row.path) if row is not None and row.path in self._matches else -1
        self._go_to((here + step) % len(self._matches))

    def _go_to(self, index: int) -> None:
        self.tree_view.reveal(self._matches[index])
        more = "+" if len(self._matches) == MAX_MATCHES else ""
        self._status.update(
            f"match {index + 1} of {len(self._matches)}{more}   n next   N previous   esc ends"
        )


Sections = tuple[dict[str, Any], dict[str, Any], dict[Hashable, str]]


def sections(run: RunView | None, step: StepView | None, *, only_changes: bool) -> Sections:
    """Return the sections before and after the step, and their titles."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    titles: dict[Hashable, str] = {}

    def add(key: str, title: str, old: Any, new: Any) -> None:
        before[key], after[key], titles[key] = old, new, title

    if run is None:
        return before, after, titles
    if step is None:
        data = _final_data(run)
        if data is not MISSING:
            add("data", "Data of the run", data, data)
    elif run.knows_data:
        old, new = run.data_before(step.name), run.data_after(step.name)
        add("data", _data_title(step, old, new), old, new)
        if step.discarded:
            add("discarded", "Discarded with the failed attempt", old, step.discarded.apply(old))
    if not only_changes:
        if step is not None and step.output is not None:
            add("output", f"Output of {printable(step.name)}", step.output, step.output)
        add("input", "Input of the run", run.input, run.input)
    return before, after, titles


def _final_data(run: RunView) -> Mapping[str, Any] | Missing:
    if run.final_data is not None:
        return run.final_data
    if run.knows_data and run.steps:
        return run.data_after(run.steps[-1].name)
    return MISSING


def _data_title(step: StepView, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    name = printable(step.name)
    changes = step.changes or Changes()
    if step.status == "pending":
        return f"Data that {name} would find"
    if step.changes is None or step.status not in ENDED:
        return f"Data that {name} found"
    marks = [
        mark_of(old.get(key, MISSING), new.get(key, MISSING)) for key in (*changes.set, *changes.deleted)
    ]
    counts = [(mark, marks.count(mark)) for mark in (Mark.ADDED, Mark.CHANGED, Mark.DELETED)]
    said = ", ".join(f"{count} {mark}" for mark, count in counts if count)
    return f"Data after {name}: {said or 'unchanged'}"
