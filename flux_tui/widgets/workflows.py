"""The workflows of the project by module, with what is wrong with the modules that do not load."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from flux_tui.model.definitions import TreeRow
from flux_tui.model.text import fit, printable, status_glyph
from flux_tui.widgets import tones
from flux_tui.widgets.line_list import LineList

INDENT = 2


class WorkflowList(LineList):
    """A tree of two levels. Enter on a module folds it."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right,l", "unfold", "Open the module", id="workflows.open", show=False),
        Binding("left,h", "fold", "To the module, or close it", id="workflows.close", show=False),
    ]

    def __init__(self, *, empty: str | Callable[[], str], plain: bool = False, id: str) -> None:  # noqa: A002
        super().__init__(empty=empty, id=id)
        self.plain = plain
        self._every: tuple[TreeRow, ...] = ()
        self._rows: tuple[TreeRow, ...] = ()
        self._counts: Mapping[str, int] = {}
        self._folded: set[str] = set()

    def show(self, rows: Sequence[TreeRow], counts: Mapping[str, int]) -> None:
        """Show these rows; ``counts`` has the number of runs by workflow."""
        if rows and tuple(rows) == self._every and counts == self._counts:
            return
        self._every, self._counts = tuple(rows), dict(counts)
        self._arrange()

    def fold(self, module: str) -> None:
        """Hide the workflows of a module, or show them again."""
        self._folded ^= {module}
        self._arrange()

    def action_unfold(self) -> None:
        """Show the workflows of the module under the cursor."""
        row = self.row(self.cursor_key)
        if row is not None and row.workflow is None and row.module.path in self._folded:
            self.fold(row.module.path)

    def action_fold(self) -> None:
        """Hide the workflows of the module under the cursor; from a workflow, go to its module."""
        row = self.row(self.cursor_key)
        if row is None:
            return
        own = (each.key for each in self._rows if each.module is row.module and each.workflow is None)
        module = next(own, None)
        if row.workflow is None and row.module.path not in self._folded:
            self.fold(row.module.path)
        elif row.workflow is not None and module is not None:
            self.select(module)

    def _arrange(self) -> None:
        self._rows = tuple(
            row for row in self._every if row.workflow is None or row.module.path not in self._folded
        )
        self.rows_changed()

    def row(self, key: Hashable) -> TreeRow | None:
        """Return the row with this key, or ``None``."""
        return next((row for row in self._rows if row.key == key), None)

    def key_of(self, workflow: str) -> str | None:
        """Return the key of a workflow's row, or ``None`` when it is not shown."""
        return next((row.key for row in self._rows if row.workflow and row.workflow.name == workflow), None)

    def row_count(self) -> int:
        """Return how many rows there are."""
        return len(self._rows)

    def row_key(self, index: int) -> Hashable:
        """Return the key of a row."""
        return self._rows[index].key

    def render_row(self, index: int, width: int) -> Content:
        """Draw a module or a workflow."""
        row = self._rows[index]
        return self._module(row, width) if row.workflow is None else self._workflow(row, width)

    def _module(self, row: TreeRow, width: int) -> Content:
        name = printable(row.label)
        if row.module.problem is not None:
            glyph = status_glyph("failed", ascii=self.plain)
            return Content.assemble((f"{glyph} {name}", "$text-error"), f" {row.note}")
        folded = row.module.path in self._folded
        fold = (">" if folded else "v") if self.plain else ("▸" if folded else "▾")
        return Content.styled(fit(f"{fold} {name}", width), tones.MUTED)

    def _workflow(self, row: TreeRow, width: int) -> Content:
        count = str(self._counts.get(row.label, 0))
        note = f" {row.note}" if row.note else ""
        room = width - INDENT - len(count) - len(note) - 1
        return Content.assemble(
            " " * INDENT,
            fit(printable(row.label), room),
            (note, "$text-warning"),
            " ",
            (count, tones.MUTED),
        )
