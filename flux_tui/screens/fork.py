"""The data that a new run begins with, when it is forked from another one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from flux_tui.model.secrets import Secrets
from flux_tui.model.text import printable
from flux_tui.screens.edit_data import EditDataScreen
from flux_tui.widgets import tones


class ForkScreen(EditDataScreen):
    """Edits the data of a fork; dismisses with the top-level keys to merge, or ``None``.

    ``runs`` are the steps that the new run has before it, ``commits`` those of them with side effects.
    """

    DEFAULT_CSS = "ForkScreen #what { margin-bottom: 1; }"
    TITLE_KEYS = (("ctrl+s", "start the fork"), ("ctrl+e", "editor"), ("esc", "cancel"))

    def __init__(
        self,
        step: str,
        data: Mapping[str, Any],
        runs: Sequence[str],
        commits: Sequence[str],
        secrets: Secrets | None = None,
    ) -> None:
        super().__init__(f"Fork at {step}", data, secrets)
        self.runs = tuple(runs)
        self.commits = tuple(commits)

    def compose_box(self) -> ComposeResult:
        """Yield what the new run does, then the data."""
        yield Static(what_runs(self.runs, self.commits), id="what")
        yield from super().compose_box()


def what_runs(runs: Sequence[str], commits: Sequence[str]) -> Content:
    """Return what a fork runs; its commits are done again, under keys of their own."""
    names = ", ".join(map(printable, runs))
    line = Content.assemble(("A new run, which runs ", tones.MUTED), names)
    if not commits:
        return line
    done = ", ".join(map(printable, commits))
    return Content("\n").join(
        [line, Content.styled(f"▲ their side effects happen, under keys of their own: {done}", tones.CARE)]
    )
