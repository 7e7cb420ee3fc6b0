"""What has to be said before it is done: repeating a commit, and ending a run for good."""

from typing import Final

from flux_engine.execution import RetryPlan
from flux_tui.cli.errors import UsageError
from flux_tui.cli.texts import plan_lines

HOW_TO_GO_ON: Final = (
    "Their side effects would happen again. If that is wanted, call again with "
    "confirm_repeated_commits=true; keep_commits=true uses their recorded results instead."
)


class Guard:
    """Knows which plans were told. Only what was told can be confirmed."""

    def __init__(self) -> None:
        self._told: set[RetryPlan] = set()

    def tell(self, plan: RetryPlan) -> None:
        """Take note that this plan was told."""
        self._told.add(plan)

    def check_retry(self, plan: RetryPlan, *, confirmed: bool) -> None:
        """Raise ``UsageError`` with the plan, unless it repeats no commit, or was told and confirmed."""
        if not plan.repeated_commits:
            return
        if confirmed and plan in self._told:
            self._told.remove(plan)  # it was confirmed for this once
            return
        self.tell(plan)
        commits = ", ".join(commit.step for commit in plan.repeated_commits)
        what = f"nothing was done: the retry would repeat completed commits: {commits}."
        raise UsageError("\n".join([what, *plan_lines(plan), HOW_TO_GO_ON]))

    def check_cancel(self, run_id: str, *, confirmed: bool) -> None:
        """Raise ``UsageError`` unless it was confirmed."""
        if not confirmed:
            raise UsageError(
                f"nothing was done: this ends run {run_id} for good. Call again with confirm=true to do so"
            )
