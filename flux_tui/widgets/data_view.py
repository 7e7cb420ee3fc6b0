"""The Data tab: what a step found, what it left, and what it changed."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from flux_engine.execution import Changes
from flux_tui.model.json_text import indented
from flux_tui.model.run import RunView, StepView
from flux_tui.model.secrets import MASK, Secrets
from flux_tui.model.text import printable
from flux_tui.model.tree import MISSING, Mark, Missing, Node, bare, mark_of
from flux_tui.widgets.data_tree import DataTree

ENDED = frozenset({"completed", "failed", "skipped", "compensated"})
"""The statuses of a step that has left its data behind."""


class DataView(Vertical):
    """The data before and after a step with its changes marked, and the input and output.

    What ``secrets`` names stays masked until ``x`` is pressed.
    """

    DEFAULT_CSS = "DataView { height: 1fr; background: $surface; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "toggle_changes", "Only changes", id="data.only-changes", show=False),
        Binding("x", "toggle_secrets", "Show secrets", id="data.reveal", show=False),
    ]

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

    def compose(self) -> ComposeResult:
        """Yield the tree."""
        yield self.tree_view

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
        return value if isinstance(value, str) else indented(value)

    def action_toggle_changes(self) -> None:
        """Show only what the step changed, or everything."""
        self.only_changes = not self.only_changes
        self._rebuild()

    def action_toggle_secrets(self) -> None:
        """Show the secrets, or mask them again."""
        self.tree_view.revealed = not self.tree_view.revealed
        self.tree_view.search_anew()
        self.tree_view.rows_changed()


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
