"""What a retry would do, before it is done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Static

from flux_engine.execution import RetryPlan
from flux_tui.model.text import printable
from flux_tui.screens.dialog import Dialog
from flux_tui.widgets import tones

LABEL_CELLS = 14


class RetryScreen(Dialog[bool]):
    """Shows a plan and asks whether to go ahead; dismisses with ``True``, or ``None``."""

    DEFAULT_CSS = "RetryScreen #plan { margin-bottom: 0; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,y,ctrl+s,ctrl+enter", "go", "Retry", id="retry.go", show=False),
        Binding("n", "leave", "Cancel", id="retry.no", show=False),
        Binding("up", "scroll_rows(-1)", "Up", id="retry.up", show=False),
        Binding("down", "scroll_rows(1)", "Down", id="retry.down", show=False),
    ]
    TITLE_KEYS = (("enter", "retry"), ("esc", "cancel"))

    def __init__(self, plan: RetryPlan, *, why: str = "") -> None:
        only = " only" if plan.scope == "only" else ""
        super().__init__(f"Retry {plan.step}{only}" + (f" · {why}" if why else ""))
        self.plan = plan

    def compose_box(self) -> ComposeResult:
        """Yield the plan."""
        yield Static(plan_content(self.plan), id="plan")

    def action_go(self) -> None:
        """Go ahead."""
        self.dismiss(True)  # noqa: FBT003


def plan_content(plan: RetryPlan) -> Content:
    """Return a plan as text: what runs again, what is kept, what that would repeat."""
    changed = set(plan.changed_code)
    lines: list[Content] = []
    lines += _section("↻ runs again", tones.LINK, (_step(name, changed) for name in plan.runs_again))
    lines += _section("✔ is kept", tones.GOOD, (_step(name, set()) for name in plan.kept))
    if plan.repeated_commits:
        lines.append(Content(""))
        note = "▲ These commits completed before and would be repeated, each with the key that it had:"
        lines.append(Content.styled(note, tones.CARE))
        for commit in plan.repeated_commits:
            key = (printable(commit.idempotency_key), tones.MUTED)
            lines.append(Content.assemble("  ", (printable(commit.step), "bold"), "  ", key))
    elsewhere = [name for name in plan.changed_code if name not in plan.runs_again]
    if elsewhere:
        lines.append(Content(""))
        names = ", ".join(printable(name) for name in elsewhere)
        lines.append(
            Content.styled(f"~ The code of kept steps has changed since they ran: {names}", tones.CARE)
        )
    return Content("\n").join(lines)


def _section(label: str, style: str, steps: Iterable[Content]) -> list[Content]:
    lines = []
    for number, step in enumerate(steps):
        head = label if number == 0 else ""
        lines.append(Content.assemble((f"{head:<{LABEL_CELLS}}", style), step))
    return lines


def _step(name: str, changed: set[str]) -> Content:
    if name not in changed:
        return Content(printable(name))
    return Content.assemble(printable(name), ("  ~ code changed", tones.CARE))
