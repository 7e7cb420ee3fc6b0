"""Pictures of the main screen. Look at a changed one before it becomes the new truth."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_desk import FakeDesk, completed, described, module, started, step_events
from textual.pilot import Pilot

from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.app import FluxApp
from flux_tui.runner.messages import Problem

SIZES = {"wide": (120, 36), "stacked": (80, 24), "low": (60, 16)}

ORDER = described("order-fulfillment", "validate", "payment", "deduct", "notify", commit="payment")
ROUTING = described("event-routing", "classify", "sales", "security", "archive", "record") | {
    "edges": [
        *(["classify", to] for to in ("sales", "security", "archive")),
        *([to, "record"] for to in ("sales", "security", "archive")),
    ]
}
BROKEN = Problem(
    kind="SyntaxError",
    message="'(' was never closed",
    file="/shop/reports.py",
    line=12,
    column=12,
    code="total = sum(",
)
FRAME = {
    "file": "/shop/orders.py",
    "line": 41,
    "function": "payment",
    "code": "response = await gateway.charge(order)",
    "user": True,
}
EXCEPTION = {
    "type": "ConnectionError",
    "message": "gateway returned 502",
    "step": "payment",
    "frames": [FRAME],
    "text": "Traceback (most recent call last):\nConnectionError: gateway returned 502",
}


def failed_run(run_id: str, *, ago: float) -> list[TraceEvent]:
    """Return a run of the order workflow whose payment failed."""
    start = started(run_id, ORDER, ago=ago)
    *events, error, end = step_events(start, ["validate", "payment"], fails="payment")
    words = "ConnectionError: gateway returned 502"
    told = {"type": EventType.STEP_ERROR, "error": words, "meta": {"exception": EXCEPTION}}
    fields = {name: getattr(error, name) for name in error.__struct_fields__} | told
    ended = {name: getattr(end, name) for name in end.__struct_fields__} | {"error": words, "meta": None}
    return [start, *events, TraceEvent(**fields), TraceEvent(**ended)]


def a_busy_shop(theme: str) -> FluxApp:
    """Return the dashboard of a shop: a broken module, a run that failed, one that runs, and older ones."""
    desk = FakeDesk(settings={"theme": theme})
    app = FluxApp(desk)
    app.animation_level = "none"
    return app


async def play(pilot: Pilot[Any]) -> None:
    """Let the shop's day happen."""
    app = pilot.app
    assert isinstance(app, FluxApp)
    desk = app.desk
    assert isinstance(desk, FakeDesk)
    desk.load(
        module("orders.py", ORDER, described("refund", "check", "pay back")),
        module("reports.py", described("report", "collect", "render")),
        module("routing.py", ROUTING),
    )
    desk.load(
        module("orders.py", ORDER, described("refund", "check", "pay back")),
        module("reports.py", problem=BROKEN),
        module("routing.py", ROUTING),
    )
    for run_id, workflow, ago in (("77aa01", ROUTING, 7300.0), ("91bc55", ORDER, 320.0)):
        start = started(run_id, workflow, ago=ago)
        names = [step["name"] for step in workflow["steps"]]
        desk.trace(start, *step_events(start, names), completed(start, took=412.0))
    desk.trace(*failed_run("3f2a9c", ago=12.0))
    running = started("c0ffee", ROUTING, ago=0.25)
    desk.trace(running, *step_events(running, ["classify", "sales", "security"])[:3])
    await pilot.pause()
    await pilot.press("2", "home", "j")
    await pilot.pause()


SnapCompare = Callable[..., bool]


@pytest.fixture(autouse=True)
def _away_from_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No path on the pictures depends on this machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/users/ada")


@pytest.mark.parametrize("theme", ["flux-dark", "flux-light"])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES.keys())
def test_a_failed_run(snap_compare: SnapCompare, size: tuple[int, int], theme: str) -> None:
    """The graph, the error and the lists, at every size and in both themes."""
    assert snap_compare(a_busy_shop(theme), terminal_size=size, run_before=play)
