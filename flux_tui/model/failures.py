"""What counts as a failure, and which comes next."""

from typing import Final

from flux_tui.model.run import RunView

FAILED: Final = ("failed", "interrupted")
"""The statuses of runs and steps that somebody has to look at."""


def failed_after(view: RunView, step: str | None) -> str | None:
    """Return the first failed step after another one in the order of the workflow, or of all."""
    names = [each.name for each in view.steps]
    start = names.index(step) + 1 if step in names else 0
    return next((each.name for each in view.steps[start:] if each.status in FAILED), None)
