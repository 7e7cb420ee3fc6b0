"""The Source tab: the code of a step's handler, read as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from textual.content import Content

from flux_tui.model.breakpoints import code_changed
from flux_tui.model.run import NodeSpec, RunView, StepView
from flux_tui.model.source import short_path, source_lines
from flux_tui.model.text import printable
from flux_tui.widgets import tones
from flux_tui.widgets.code import highlighted
from flux_tui.widgets.text_rows import TextRow, TextRows

MAX_LINES = 5000


class SourceView(TextRows):
    """The lines of a handler, numbered; the line that failed is marked."""

    def __init__(
        self,
        *,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        classes: str | None = None,
    ) -> None:
        super().__init__(empty=self._empty_text, name=name, id=id, classes=classes)
        self._step: StepView | None = None
        self._node: NodeSpec | None = None
        self._shown: object = None
        self._subject: object = None

    def show(self, run: RunView | None, step: StepView | None, node: NodeSpec | None) -> None:
        """Show the handler of ``node``, the step as its module defines it now.

        ``step`` is the same step in the run that is looked at: its error marks a line, and another
        fingerprint says that the code has changed since.
        """
        self._step, self._node = step, node
        place = self._place
        lines = source_lines(place[0]) if place else None
        shown = (place, id(lines), self._failed_line, self.changed, None if node is None else node.name)
        if shown == self._shown:
            return
        self._shown = shown
        self.set_rows(tuple(self._rows()))
        subject = (None if run is None else run.id, None if node is None else node.name)
        if subject != self._subject:
            self._subject = subject
            self._go_to_the_point()

    @property
    def changed(self) -> bool:
        """Whether the code is another one than the step ran with."""
        return self._step is not None and code_changed(self._step, self._node)

    @property
    def _place(self) -> tuple[str, int, int] | None:
        source = self._node.source if self._node is not None else None
        if source is None or not isinstance(source.get("file"), str):
            return None
        first = _line(source.get("line"), 1)
        return source["file"], first, max(first, _line(source.get("end_line"), first))

    @property
    def _failed_line(self) -> int | None:
        place = self._place
        error = self._step.error if self._step is not None else None
        if place is None or error is None or self.changed:
            return None
        file, first, last = place
        inside = [frame.line for frame in error.frames if frame.file == file and first <= frame.line <= last]
        return inside[-1] if inside else None

    def location(self) -> tuple[str, int] | None:
        """Return the file and line under the cursor, or else where the handler starts."""
        row = self.selected
        if row is not None and row.place is not None:
            return row.place
        place = self._place
        return None if place is None else place[:2]

    def copy_text(self) -> str:
        """Return the handler's code."""
        place = self._place
        lines = source_lines(place[0]) if place else None
        return "" if place is None or lines is None else "\n".join(lines[place[1] - 1 : place[2]])

    def _rows(self) -> Iterator[TextRow]:
        place = self._place
        if place is None:
            return
        file, first, last = place
        lines = source_lines(file)
        yield TextRow(key="file", content=self._title(file, first), place=(file, first))
        if lines is None or len(lines) < first:
            gone = "is gone or cannot be read" if lines is None else "is shorter now"
            note = f"{printable(short_path(file))} {gone}. The run keeps its results."
            yield TextRow(key="gone", content=Content.styled(note, tones.CARE))
            return
        yield TextRow(key="blank", content=Content(""))
        shown = lines[first - 1 : min(last, first + MAX_LINES)]
        for number, code in enumerate(highlighted(shown), start=first):
            failed = number == self._failed_line
            style = f"bold {tones.BAD}" if failed else tones.FAINT
            mark = ("▸" if failed else " ", style)
            row = Content.assemble(mark, (f" {number:>5}  ", style), code)
            yield TextRow(key=number, content=row, place=(file, number))

    def _title(self, file: str, line: int) -> Content:
        place = (f"{printable(short_path(file))}:{line}", f"underline {tones.LINK}")
        if self.changed:
            return Content.assemble(("~ changed since this run", f"bold {tones.CARE}"), "   ", place)
        return Content.assemble(place)

    def _go_to_the_point(self) -> None:
        failed = self._failed_line
        if failed is None or not self.select(failed):
            self.move_to(0)

    def _empty_text(self) -> str:
        if self._node is None and self._step is None:
            return "No step selected."
        return "The source of this step is not known: its workflow is not loaded here, or is not in a file."


def _line(value: Any, otherwise: int) -> int:
    return value if isinstance(value, int) and value > 0 else otherwise
