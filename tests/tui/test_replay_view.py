"""How a replay is read: which steps differ, where, and what stands in the way of knowing."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from fake_desk import FakeDesk, completed, described, module, started, step_events
from test_app import Opened, screen_of, until
from textual.widgets import Static

from flux_engine.replay_report import ReplayReport, StepDifference
from flux_tui.model.replay import Outcome, replayed_steps, report_text, verdict
from flux_tui.model.run import RunView, StepView
from flux_tui.model.secrets import Secrets
from flux_tui.runner.member import RunnerRefused
from flux_tui.runner.replayed import packed, unpacked
from flux_tui.screens.replay import ReplayScreen, from_difference
from flux_tui.widgets.text_rows import TextRows

RUN = RunView(
    id="aaa",
    workflow="shop",
    steps=(
        StepView(name="price"),
        StepView(name="charge", commit=True),
        StepView(name="gift"),
        StepView(name="thank", status="completed"),
        StepView(name="ask", status="suspended"),
    ),
)
OUTCOMES = {"price": "completed", "charge": "answered", "gift": "skipped"}


def report(*differences: StepDifference, **outcomes: str) -> ReplayReport:
    """Return a report with these differences."""
    return ReplayReport(
        run_id="aaa",
        workflow="shop",
        ok=not differences,
        steps=differences,
        outcomes=outcomes or OUTCOMES,
    )


def data(key: str, recorded: Any, replayed: Any) -> StepDifference:
    """Return a difference in the data of the first step."""
    return StepDifference(step="price", kind="data", key=key, recorded=recorded, replayed=replayed)


def test_every_step_says_what_became_of_it() -> None:
    """Same, answered from the record, skipped, or not reached."""
    steps = replayed_steps(report(), RUN, Secrets())
    assert [(step.name, step.outcome) for step in steps] == [
        ("price", Outcome.SAME),
        ("charge", Outcome.ANSWERED),
        ("gift", Outcome.SKIPPED),
        ("thank", Outcome.NOT_REACHED),
        ("ask", Outcome.OPEN),
    ]
    assert verdict(report(), steps) == (
        "as recorded: 1 the same, 1 answered from the record, 1 skipped, "
        "1 not done in the record, 1 not reached"
    )


def test_a_difference_is_told_at_its_place_inside_the_value() -> None:
    """What is the same around it is left out; what is missing on a side is said."""
    before = {"lines": [{"sku": "x", "amount": 12}], "old": 1}
    after = {"lines": [{"sku": "x", "amount": 13}, {"sku": "y"}]}
    found = report(data("order", before, after))
    [price, *_] = replayed_steps(found, RUN, Secrets())
    assert [(place.path, place.recorded, place.replayed) for place in price.places] == [
        ("data.order.lines[0].amount", "12", "13"),
        ("data.order.lines[1]", "nothing", '{ "sku": "y" }'),
        ("data.order.old", "1", "nothing"),
    ]
    assert verdict(found, (price,)) == "1 step differs from the record"
    assert "data.order.lines[0].amount: 12 → 13" in report_text(found, (price,))


def test_values_of_the_same_text_and_another_type_are_told_apart() -> None:
    """A number that was a boolean, a date that was a string."""
    found = report(data("n", 1, True), data("d", datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01"))
    [price, *_] = replayed_steps(found, RUN, Secrets())
    number, day = price.places
    assert (number.path, number.recorded, number.replayed) == ("data.n", "1", "true")
    assert "datetime" in day.recorded


def test_long_values_are_shown_from_where_they_differ() -> None:
    """The same beginning of both would say nothing."""
    same = "x" * 500
    before, after = from_difference(f"{same} old", f"{same} new")
    assert before.endswith("x old")
    assert after.endswith("x new")
    assert before.startswith("…")
    assert len(before) < 40
    assert from_difference("a", "ab") == ("a", "ab")


def test_secrets_stay_masked() -> None:
    """By the key of the data, and inside values."""
    found = report(
        data("token", "sk-1", "sk-2"), data("card", {"cvc": "123", "n": 1}, {"cvc": "456", "n": 2})
    )
    text = report_text(found, replayed_steps(found, RUN, Secrets()))
    assert "data.token" in text
    assert "data.card.n: 1 → 2" in text
    assert not any(secret in text for secret in ("sk-1", "sk-2", "123", "456"))


def test_errors_new_steps_and_lost_steps_are_said_in_words() -> None:
    """An input that no longer fits belongs to no step."""
    found = report(
        StepDifference(step="", kind="error", key="input", replayed="quantity: missing"),
        StepDifference(step="thank", kind="status", recorded="completed", replayed="failed"),
        StepDifference(step="new", kind="added", replayed="completed"),
        StepDifference(step="gift", kind="missing", recorded="completed"),
    )
    steps = {step.name: step for step in replayed_steps(found, RUN, Secrets())}
    assert next(iter(steps)) == ""
    assert steps[""].places[0].replayed == "quantity: missing"
    assert steps["thank"].places[0].path == "status"
    assert steps["new"].places[0].recorded == "not in the record"
    assert steps["gift"].outcome is Outcome.DIFFERS


def test_a_report_survives_the_way_from_the_runner() -> None:
    """With values that JSON has not."""
    found = report(data("at", datetime(2026, 1, 1, tzinfo=UTC), {1: (2, 3)}))
    assert unpacked(packed(found)) == found


SHOP = described("shop", "price", "charge", "thank", commit="charge")


def ended_run(desk: FakeDesk) -> None:
    """Have a run that has ended."""
    desk.load(module("shop.py", SHOP))
    start = started("aaa", SHOP)
    desk.trace(start, *step_events(start, ["price", "charge", "thank"]), completed(start))


async def test_a_replay_is_shown_when_it_is_done_and_folds() -> None:
    """Until then the dialog says what is going on; enter folds what differs in a step."""
    async with Opened() as (desk, pilot):
        ended_run(desk)
        screen_of(pilot).go_to_run("aaa")
        answer: asyncio.Future[ReplayReport] = asyncio.get_running_loop().create_future()
        desk.replays["aaa"] = answer
        await pilot.press("P")
        await until(lambda: isinstance(pilot.app.screen, ReplayScreen), "the dialog")
        await pilot.pause()
        dialog = pilot.app.screen
        assert "replaying" in str(dialog.query_one("#verdict", Static).render())
        answer.set_result(report(data("total", 12, 13), price="completed", charge="answered"))
        await until(lambda: dialog.query_one(TextRows).row_count(), "the report")
        rows = dialog.query_one(TextRows)
        assert "1 step differs" in str(dialog.query_one("#verdict", Static).render())
        assert [row.key for row in rows.rows] == ["price", ("price", 0, 0), "charge", "thank"]
        await pilot.press("enter")
        assert [row.key for row in rows.rows] == ["price", "charge", "thank"]
        await pilot.press("escape")
        await until(lambda: pilot.app.screen is screen_of(pilot), "the end of the dialog")


async def test_escape_ends_the_waiting_and_a_refusal_is_told() -> None:
    """A replay that takes long holds up nothing."""
    async with Opened() as (desk, pilot):
        ended_run(desk)
        screen_of(pilot).go_to_run("aaa")
        answer: asyncio.Future[ReplayReport] = asyncio.get_running_loop().create_future()
        desk.replays["aaa"] = answer
        await pilot.press("P")
        await until(lambda: isinstance(pilot.app.screen, ReplayScreen), "the dialog")
        await pilot.press("escape")
        await until(answer.cancelled, "the end of the waiting")
        refusal: asyncio.Future[ReplayReport] = asyncio.get_running_loop().create_future()
        refusal.set_exception(RunnerRefused("RunnerDied", "the runner has died"))
        desk.replays["aaa"] = refusal
        await pilot.press("P")
        await until(lambda: isinstance(pilot.app.screen, ReplayScreen), "the dialog")
        await pilot.pause()
        said = pilot.app.screen.query_one("#verdict", Static)
        await until(lambda: "the runner has died" in str(said.render()), "the reason")
