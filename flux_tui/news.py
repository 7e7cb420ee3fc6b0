"""What the header says about the runner and the modules, chosen from all that there is to say."""

from pathlib import Path
from typing import Literal

from msgspec import Struct

from flux_tui.model.definitions import Definitions
from flux_tui.runner.messages import Problem


class Notice(Struct, frozen=True, kw_only=True):
    """Something to tell the user once."""

    title: str
    text: str
    severity: Literal["information", "warning", "error"] = "information"
    seconds: float = 6.0


class Change(Struct, frozen=True, kw_only=True):
    """There is news. ``runs`` are the ids of the runs concerned, ``gone`` of those that are no more."""

    runs: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    notice: Notice | None = None


class Blockage(Struct, frozen=True, kw_only=True):
    """A handler that keeps the runner from going on, for ``seconds`` so far."""

    seconds: float
    workflow: str = ""
    step: str = ""
    where: str = ""


class DeskState(Struct, frozen=True, kw_only=True):
    """How things stand beside the runs. ``runner`` is ``off starting ready`` or ``dead``.

    ``note`` is the latest good news, ``death`` how the runner died, ``loading`` which import does not
    end, ``store_problem`` why the store cannot be used and what to do about it, ``in_hand`` how many
    runs the runner has in hand.
    """

    runner: str = "starting"
    note: str = ""
    death: str = ""
    loading: str = ""
    blocked: Blockage | None = None
    store_problem: str | None = None
    in_hand: int = 0


class News(Struct, frozen=True):
    """The state of things in a few words. ``tone`` is ``success warning error accent`` or ``muted``."""

    tone: str
    glyph: str
    text: str


def news(state: DeskState, definitions: Definitions) -> News:
    """Return the one thing that matters most now."""
    if state.runner == "dead":
        return News("error", "✖", state.death or "the runner died · K restarts it")
    if state.blocked is not None:
        return News("warning", "⚠", _blocked(state.blocked))
    if state.loading:
        return News("warning", "⚠", state.loading)
    problem = next(iter(definitions.problems.items()), None)
    if problem is not None:
        return News("error", "✖", _problem(*problem, more=len(definitions.problems) - 1))
    if state.store_problem is not None:
        return News("error", "✖", "the store cannot be used")
    return _quiet(state)


def _quiet(state: DeskState) -> News:
    if state.runner == "starting":
        return News("accent", "◌", state.note or "starting the runner…")
    if state.runner == "off":
        return News("muted", "○", state.note or "trace only")
    return News("success", "●", f"ready · {state.note}" if state.note else "ready")


def _blocked(blocked: Blockage) -> str:
    who = "/".join(part for part in (blocked.workflow, blocked.step) if part) or "a handler"
    where = f" ({blocked.where})" if blocked.where else ""
    return f"{who} blocks the runner for {blocked.seconds:.0f} s{where} · K restarts it"


def _problem(path: str, problem: Problem, *, more: int) -> str:
    name = Path(path).name
    line = "" if problem.line is None else f" line {problem.line}"
    what = f"{problem.kind}: {problem.message}" if problem.message else problem.kind
    others = f" · and {more} more" if more else ""
    return f"{name}{line} · {what}{others}"
