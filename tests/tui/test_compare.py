"""Two runs side by side: what differs, in which step, and what it looks like on the screen."""

from typing import Any

from fake_desk import NOW, started, step_events
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from test_app import LETTER, PARCEL, Opened, said, screen_of, until
from textual.pilot import Pilot

from flux_engine.execution import Changes, ErrorInfo, Frame
from flux_tui.model.compare import Presence, RowComparison, compare, merged, moved_names, partner_of, places
from flux_tui.model.compare_words import comparison_text, delta_text, no_details, ratio_text, remark, summary
from flux_tui.model.run import RunRowView, RunView, StepView
from flux_tui.model.secrets import Secrets
from flux_tui.model.tree import MISSING, Mark, Node, mark_of
from flux_tui.screens.compare import CompareScreen, sections
from flux_tui.screens.pick_run import PickRunScreen

NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def runs(draw: st.DrawFn) -> RunView:
    """Return some run."""
    steps = tuple(
        StepView(
            name=name,
            index=at,
            status=draw(st.sampled_from(["completed", "failed", "skipped", "pending"])),
            attempt=draw(st.integers(0, 3)),
            duration=draw(st.none() | st.floats(0, 1e6)),
            changes=Changes(set=draw(st.dictionaries(st.sampled_from("xyz"), VALUES, max_size=3))),
            fingerprint=draw(st.sampled_from(["", "f1", "f2"])),
        )
        for at, name in enumerate(draw(NAMES))
    )
    return RunView(id="r", workflow="flow", status="completed", steps=steps, input=draw(VALUES))


@given(runs())
def test_a_run_does_not_differ_from_itself(run: RunView) -> None:
    """Whatever it did."""
    assert compare(run, run).different == ()


@given(runs(), runs())
def test_a_comparison_read_backwards_says_the_opposite(first: RunView, second: RunView) -> None:
    """The same rows differ, in the same things, with the sides swapped."""
    there, back = compare(first, second), compare(second, first)
    ways = {Presence.FIRST: Presence.SECOND, Presence.SECOND: Presence.FIRST}
    assert {row.key for row in there.rows} == {row.key for row in back.rows}
    mirrored = {row.key: row for row in back.rows}
    for row in there.rows:
        other = mirrored[row.key]
        if row.presence in ways:
            assert other.presence is ways[row.presence]
        assert row.statuses == other.statuses[::-1]
        assert row.durations == other.durations[::-1]
        mine = [(each.section, each.name, each.first, each.second) for each in row.differences]
        theirs = [(each.section, each.name, each.second, each.first) for each in other.differences]
        assert sorted(mine, key=repr) == sorted(theirs, key=repr)
    moved = [sum(row.presence is Presence.MOVED for row in each.rows) for each in (there, back)]
    assert moved[0] == moved[1]


@given(NAMES, NAMES)
def test_every_step_of_both_has_one_row_in_the_order_of_the_second(
    first: list[str], second: list[str]
) -> None:
    """Steps that only the first has come behind what preceded them there."""
    rows = merged(first, second)
    assert sorted(rows) == sorted({*first, *second})
    assert [name for name in rows if name in second] == second
    kept = [name for name in first if name in second and name not in moved_names(first, second)]
    assert kept == [name for name in second if name in kept]


def test_only_what_moved_is_said_to_have_moved() -> None:
    """One step taken to the end does not move all others."""
    assert moved_names(["x", "a", "b", "c"], ["a", "b", "c", "x"]) == {"x"}
    assert moved_names(["a", "b"], ["a", "new", "b"]) == frozenset()


def two() -> tuple[RunView, RunView]:
    """Return a run that completed, and one that failed at the payment."""
    fetch = StepView(
        name="fetch",
        status="completed",
        attempt=1,
        duration=100,
        changes=Changes(set={"order": {"total": 5}}),
    )
    pay = StepView(name="pay", index=1, status="completed", attempt=1, duration=200)
    paid = replace(pay, changes=Changes(set={"payment": "p-1", "api_key": "s3cret-1"}), fingerprint="f1")
    good = RunView(
        id="good", workflow="order", status="completed", input={"id": 1}, steps=(fetch, paid), duration=300
    )
    place = Frame(file="orders.py", line=41, function="pay")
    inside = Frame(file="x.py", line=1, function="y", user=False)
    error = ErrorInfo(type="ConnectionError", message="502", frames=(place, inside))
    failed = replace(
        pay, status="failed", attempt=3, duration=50, error=error, changes=Changes(), fingerprint="f2"
    )
    more = replace(fetch, changes=Changes(set={"order": {"total": 6}}), duration=100)
    bad = RunView(
        id="bad", workflow="order", status="failed", input={"id": 2}, steps=(more, failed), duration=150
    )
    return good, replace(bad, error=error)


def test_each_difference_stands_with_the_step_that_made_it() -> None:
    """Data, status, attempts, code and error; the data at the end on a row of their own."""
    comparison = compare(*two())
    by_name = {row.name: row for row in comparison.rows}
    assert remark(by_name["fetch"]) == "data: order"
    assert remark(by_name["input"]) == "input: id"
    pay = by_name["pay"]
    assert remark(pay, attempts=True) == "status · code · attempts 1→3 · data: payment, api_key · error"
    assert (delta_text(pay), ratio_text(pay)) == ("-150 ms", "\N{MULTIPLICATION SIGN}0.25")
    assert [each.mark for each in pay.differences[:2]] == [Mark.DELETED, Mark.DELETED]
    assert {each.name: each.second for each in pay.differences}["at"] == "orders.py:41 in pay"
    assert summary(comparison) == "2 steps differ · input differs · data at the end differs"


def test_a_row_that_differs_in_nothing_to_unfold_says_in_what() -> None:
    """Neither the table nor the details claim that such a row is the same."""
    tries = RowComparison(kind="step", name="pack", statuses=("completed", "completed"), attempts=(2, 1))
    assert (remark(tries), no_details(tries)) == (
        "tries",
        "What differs: attempts 2→1. Data, output and errors are the same.",
    )
    gone = RowComparison(kind="step", name="pack", presence=Presence.FIRST, statuses=("completed", None))
    assert no_details(gone) == "This step is only in A."
    same = RowComparison(kind="step", name="pack", statuses=("completed", "completed"))
    assert no_details(same).startswith("The same in both")


def test_a_copied_comparison_masks_secrets() -> None:
    """It says that they differ, and not in what."""
    text = comparison_text(compare(*two()), Secrets())
    assert "data order.total: 5 -> 6" in text
    assert "s3cret" not in text
    assert "data api_key: differs (masked)" in text
    assert 'data payment: "p-1" -> absent' in text
    assert "pay  completed 200 ms -> failed 50 ms" in text


@given(VALUES, VALUES)
def test_values_differ_exactly_where_a_place_is_told(first: object, second: object) -> None:
    """None in a value and itself; else each place differs, and there is one."""
    assert list(places(first, first)) == []
    found = list(places(first, second))
    assert bool(found) == (mark_of(first, second) is not Mark.SAME)
    assert all(mark_of(one, other) is not Mark.SAME for _, one, other in found)


def test_places_are_told_by_their_path() -> None:
    """Down to the value that differs, in lists as well."""
    one = {"items": [{"sku": "mug", "n": 1}], "gone": 1}
    other = {"items": [{"sku": "mug", "n": 5}, "new"]}
    assert list(places(one, other)) == [
        (("items", 0, "n"), 1, 5),
        (("items", 1), MISSING, "new"),
        (("gone",), 1, MISSING),
    ]


def test_the_details_of_a_row_are_sections_with_both_sides() -> None:
    """What is on one side only is there on that side only."""
    pay = next(row for row in compare(*two()).rows if row.name == "pay")
    before, after, titles = sections(pay)
    assert before["data"] == {"payment": "p-1", "api_key": "s3cret-1"}
    assert "data" not in after
    assert after["error"]["type"] == "ConnectionError"
    assert list(titles.values()) == ["Data", "Error", "Code of the handler"]


def row(run_id: str, status: str = "completed", workflow: str = "order", at: float = 0.0) -> RunRowView:
    """Return a row of the list of runs."""
    return RunRowView(id=run_id, workflow=workflow, status=status, started_at=at, updated_at=at)


def test_the_partner_is_the_last_run_of_the_workflow_that_completed() -> None:
    """Else the last one; never the run itself, nor one of another workflow."""
    good, bad = two()
    rows = [row("new", "failed"), row("bad", "failed"), row("other", workflow="x"), row("good"), row("old")]
    assert partner_of(bad, rows) == "good"
    assert partner_of(good, rows) == "old"
    assert partner_of(bad, rows[:3]) == "new"
    assert partner_of(bad, rows[1:3]) is None


# On the screen


def trace(desk: Any, run_id: str, *, ago: float, fails: str = "", workflow: Any = PARCEL) -> None:
    """Put a run on the desk."""
    start = started(run_id, workflow, ago=ago)
    names = [step["name"] for step in workflow["steps"]]
    events = [start, *step_events(start, names, fails=fails)]
    if not fails:
        last = replace(
            events[0], type="workflow:complete", timestamp=NOW * 1000, status="completed", graph=None
        )
        events.append(last)
    desk.trace(*events)


def compare_screen(pilot: Pilot[int]) -> CompareScreen:
    """Return the comparison that is open."""
    screen = pilot.app.screen
    assert isinstance(screen, CompareScreen)
    return screen


async def test_equals_compares_with_the_last_run_that_completed() -> None:
    """Step by step; enter goes to the differing values, esc back and out."""
    async with Opened() as (desk, pilot):
        trace(desk, "older", ago=30)
        trace(desk, "good", ago=20)
        trace(desk, "bad", ago=10, fails="pack")
        await pilot.press("2", "equals_sign")
        await until(lambda: isinstance(pilot.app.screen, CompareScreen), "the comparison")
        screen = compare_screen(pilot)
        await until(lambda: screen.comparison is not None, "the partner")
        assert screen.comparison is not None
        assert (screen.comparison.first.id, screen.comparison.second.id) == ("good", "bad")
        await pilot.press("d")
        assert [each.name for each in screen.rows.shown] == ["parcel", "pack", "ship", "data at the end"]
        await pilot.press("j", "enter")
        await pilot.pause()
        assert screen.tree_view.has_focus
        assert "data" in screen.tree_view.titles
        await pilot.press("escape")
        assert screen.rows.has_focus
        await pilot.press("left")
        await until(lambda: screen.comparison and screen.comparison.first.id == "older", "the older run")
        await pilot.press("s")
        await until(lambda: screen.comparison and screen.comparison.first.id == "bad", "the swap")
        await pilot.press("left")
        await pilot.pause()
        assert "there is no older run" in said(pilot)
        await pilot.press("escape")
        assert pilot.app.screen is screen_of(pilot)


async def test_a_run_of_any_workflow_can_be_picked() -> None:
    """Those of the same workflow come first; what is typed filters them."""
    async with Opened() as (desk, pilot):
        trace(desk, "mail", ago=5, workflow=LETTER)
        trace(desk, "good", ago=20)
        trace(desk, "bad", ago=10, fails="pack")
        screen_of(pilot).go_to_run("bad")
        await pilot.press("equals_sign")
        await until(lambda: isinstance(pilot.app.screen, CompareScreen), "the comparison")
        screen = compare_screen(pilot)
        await pilot.press("p", *"letter", "enter")
        await until(lambda: not isinstance(pilot.app.screen, PickRunScreen), "the pick")
        await until(lambda: screen.comparison and screen.comparison.first.id == "mail", "the letter")
        assert screen.comparison is not None
        presences = {each.name: each.presence for each in screen.comparison.rows}
        assert presences["write"] is Presence.FIRST
        assert presences["pack"] is Presence.SECOND


async def test_two_marked_runs_are_compared_with_each_other() -> None:
    """Whichever is selected: the older is A."""
    async with Opened() as (desk, pilot):
        for ago, run_id in enumerate(("newest", "newer", "older"), start=1):
            trace(desk, run_id, ago=ago)
        await pilot.press("2", "end", "space", "up", "space", "up", "equals_sign")
        await until(lambda: isinstance(pilot.app.screen, CompareScreen), "the comparison")
        screen = compare_screen(pilot)
        await until(lambda: screen.comparison is not None, "both runs")
        assert screen.comparison is not None
        assert (screen.comparison.first.id, screen.comparison.second.id) == ("older", "newer")


async def test_the_only_run_has_nothing_to_compare_with() -> None:
    """And says so."""
    async with Opened() as (desk, pilot):
        trace(desk, "bad", ago=10, fails="pack")
        await pilot.press("2", "equals_sign")
        await pilot.pause()
        assert "no other run to compare with" in said(pilot)


def test_what_is_only_in_the_first_run_can_be_opened() -> None:
    """A value that the second lacks as a whole has its rows all the same."""
    root = Node((), {"data": {"payment": {"id": 1}}}, {}, only_changes=True)
    root.expand(0)
    assert [(root.row(at).path, root.row(at).mark) for at in range(root.total)] == [
        (("data",), Mark.DELETED),
        (("data", "payment"), Mark.DELETED),
    ]
