"""The list of runs, newest first."""

from collections.abc import Callable, Hashable

from textual.content import Content

from flux_tui.model.runs import RunsModel
from flux_tui.model.text import age_text, cut, fit, printable, status_glyph, status_tone
from flux_tui.widgets import tones
from flux_tui.widgets.line_list import LineList

AGE_CELLS = 4
ID_CELLS = 4
ID_CELLS_WIDE = 6
WIDE = 36


class RunList(LineList):
    """A row for each run: glyph, workflow, the beginning of the id, age."""

    def __init__(
        self,
        model: RunsModel,
        *,
        now: Callable[[], float],
        empty: str | Callable[[], str],
        plain: bool = False,
        id: str,  # noqa: A002
    ) -> None:
        super().__init__(empty=empty, id=id)
        self.plain = plain
        self._model = model
        self._now = now

    def row_count(self) -> int:
        """Return how many runs are shown."""
        return len(self._model)

    def row_key(self, index: int) -> Hashable:
        """Return the id of the run in a row."""
        return self._model.row(index).id

    def index_of(self, key: Hashable, near: int) -> int | None:
        """Return the place of a run, wherever it was before."""
        del near
        return self._model.index_of(str(key))

    def render_row(self, index: int, width: int) -> Content:
        """Draw one run."""
        row = self._model.row(index)
        tone = status_tone(row.status)
        age = age_text(self._now() - row.started_at)
        cells = ID_CELLS_WIDE if width >= WIDE else ID_CELLS
        room = width - 2 - cells - 2 - AGE_CELLS
        return Content.assemble(
            (status_glyph(row.status, ascii=self.plain), tones.MUTED if tone == "muted" else f"${tone}"),
            " ",
            fit(printable(row.workflow), room),
            " ",
            (cut(printable(row.id)[:cells], cells), tones.MUTED),
            " ",
            (age.rjust(AGE_CELLS), tones.MUTED),
        )
