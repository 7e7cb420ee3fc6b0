"""The dialogs: trigger, retry, edit data, help, confirm."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Select, Static, TextArea

from flux_engine.execution import RepeatedCommit, RetryPlan
from flux_tui.model.run import DefinitionView, GraphSpec
from flux_tui.screens.confirm import ConfirmScreen
from flux_tui.screens.edit_data import EditDataScreen, edit_of
from flux_tui.screens.help import HelpEntry, HelpScreen, matching
from flux_tui.screens.retry import RetryScreen, plan_content
from flux_tui.screens.trigger import TriggerInput, TriggerScreen
from flux_tui.widgets.form_field import FormField
from flux_tui.widgets.text_rows import TextRows

UNANSWERED = object()


class Order(BaseModel):
    """The input of the workflow under test."""

    order_id: str = Field(min_length=2)
    quantity: int = Field(default=1, ge=1, le=10)
    express: bool = False
    channel: Literal["web", "shop"] = "web"
    items: list[str] = []


ORDER = DefinitionView(
    name="order", path="orders.py", variable="flow", graph=GraphSpec(), input_schema=Order.model_json_schema()
)
FREE = DefinitionView(name="free", path="orders.py", variable="free", graph=GraphSpec())


class DialogApp(App[None]):
    """Shows one dialog and keeps its answer."""

    dialog: Screen[Any]

    def __init__(self, make: Callable[[], Screen[Any]]) -> None:
        super().__init__()
        self.make = make
        self.answer: Any = UNANSWERED
        self.asked: list[EditDataScreen.EditorRequested] = []

    def on_mount(self) -> None:
        self.dialog = self.make()
        self.push_screen(self.dialog, self.keep)

    def keep(self, answer: Any) -> None:
        self.answer = answer

    def on_edit_data_screen_editor_requested(self, message: EditDataScreen.EditorRequested) -> None:
        self.asked.append(message)


def control(app: DialogApp, name: str) -> Any:
    """Return the control of a field."""
    field = next(each for each in app.dialog.query(FormField) if each.field.name == name)
    return field._control


def said(app: DialogApp, selector: str) -> str:
    """Return what a line of the dialog says."""
    return str(app.dialog.query_one(selector, Static).content)


async def fill(pilot: Pilot[None], name: str, text: str) -> None:
    """Type into a field."""
    app = pilot.app
    assert isinstance(app, DialogApp)
    control(app, name).focus()
    await pilot.pause()
    await pilot.press(*text)


async def test_the_form_starts_in_its_first_field_and_enter_runs() -> None:
    """Defaults are filled in; enter in a single line submits."""
    app = DialogApp(lambda: TriggerScreen(ORDER))
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press(*"o-1", "enter")
        expected = {"order_id": "o-1", "quantity": 1, "express": False, "channel": "web", "items": []}
        assert app.answer == TriggerInput(value=expected)


async def test_what_is_typed_takes_the_place_of_no_input() -> None:
    """A workflow that declares no input begins with ``null``, which the first key replaces."""
    app = DialogApp(lambda: TriggerScreen(FREE))
    async with app.run_test(size=(100, 40)) as pilot:
        assert "declares no input" in said(app, "#note")
        await pilot.press("7", "ctrl+s")
        assert app.answer == TriggerInput(value=7)


async def test_enter_runs_what_needs_no_input() -> None:
    """As it runs a form; once something is typed, it begins a line."""
    app = DialogApp(lambda: TriggerScreen(FREE))
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("[", "enter", "]")
        assert app.answer is UNANSWERED
        app.dialog.query_one("#json", TextArea).text = "null"
        await pilot.press("enter")
        assert app.answer == TriggerInput(value=None)


async def test_every_control_gives_its_value() -> None:
    """Number, switch, choice and list arrive with their types."""
    app = DialogApp(lambda: TriggerScreen(ORDER))
    async with app.run_test(size=(100, 40)) as pilot:
        await fill(pilot, "order_id", "o-1")
        control(app, "quantity").value = "7"
        await fill(pilot, "express", " ")
        assert isinstance(control(app, "channel"), Select)
        control(app, "channel").value = 1
        control(app, "items").text = '["a", "b"]'
        await pilot.press("ctrl+s")
        expected = {"order_id": "o-1", "quantity": 7, "express": True, "channel": "shop", "items": ["a", "b"]}
        assert app.answer == TriggerInput(value=expected)


async def test_what_does_not_fit_is_shown_as_typed_and_not_sent() -> None:
    """The first field that is wrong gets the focus."""
    app = DialogApp(lambda: TriggerScreen(ORDER))
    async with app.run_test(size=(100, 40)) as pilot:
        await fill(pilot, "order_id", "o-1")
        await fill(pilot, "quantity", "0")
        field = control(app, "quantity").parent.parent
        assert isinstance(field, FormField)
        assert field.has_class("-wrong")
        assert str(field._hint.content) == "✖ must be at least 1"
        await fill(pilot, "order_id", "")
        await pilot.press("ctrl+s")
        assert app.answer is UNANSWERED
        assert app.focused is control(app, "quantity")


async def test_form_and_json_show_the_same_and_lose_nothing() -> None:
    """There and back; keys that no field shows are kept; broken JSON stays JSON and says where."""
    app = DialogApp(lambda: TriggerScreen(ORDER))
    async with app.run_test(size=(100, 40)) as pilot:
        await fill(pilot, "order_id", "o-9")
        await pilot.press("ctrl+r")
        text = app.dialog.query_one("#json", TextArea)
        assert '"order_id": "o-9"' in text.text
        text.text = '{"order_id": "o-8", "extra": 1,}'
        await pilot.pause()
        assert said(app, "#raw-state") == "✖ line 1, column 32: a comma too many"
        await pilot.press("ctrl+r")
        assert isinstance(app.dialog, TriggerScreen)
        assert app.dialog.raw
        text.text = '{"order_id": "o-8", "extra": 1}'
        await pilot.press("ctrl+r")
        assert not app.dialog.raw
        assert control(app, "order_id").value == "o-8"
        await pilot.press("ctrl+s")
        assert app.answer.value["extra"] == 1


async def test_a_workflow_without_schema_takes_json_at_once() -> None:
    """Also ``null``, which is not the same as cancelling."""
    app = DialogApp(lambda: TriggerScreen(FREE))
    async with app.run_test(size=(100, 40)) as pilot:
        assert isinstance(app.focused, TextArea)
        await pilot.press("ctrl+s")
        assert app.answer == TriggerInput(value=None)


async def test_earlier_inputs_come_back() -> None:
    """Up to older ones, down to what was typed."""
    history = [{"order_id": "new", "quantity": 2}, {"order_id": "old"}]
    app = DialogApp(lambda: TriggerScreen(ORDER, history))
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press(*"typed", "ctrl+up")
        assert control(app, "order_id").value == "new"
        await pilot.press("ctrl+up", "ctrl+up")
        assert control(app, "order_id").value == "old"
        await pilot.press("ctrl+down", "ctrl+down")
        assert control(app, "order_id").value == "typed"


async def test_a_refused_input_is_shown_again_with_its_problems() -> None:
    """Each problem stands at its field until that is changed; others stand on top."""
    problems = [("order_id", "no such order"), ("items.0", "too old"), ("", "closed today")]
    refused = TriggerInput(value={"order_id": "o-1", "items": ["a"]})
    app = DialogApp(lambda: TriggerScreen(ORDER, problems=problems, refused=refused))
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.pause()
        wrong = {
            each.field.name: str(each._hint.content)
            for each in app.dialog.query("FormField.-wrong").results(FormField)
        }
        assert wrong == {"order_id": "✖ no such order", "items": "✖ 0: too old"}
        assert said(app, "#note") == "✖ closed today"
        await pilot.press("x")
        assert not control(app, "order_id").parent.parent.has_class("-wrong")


async def test_escape_closes_and_asks_when_something_was_typed() -> None:
    """Nothing that was typed is lost by one key."""
    app = DialogApp(lambda: TriggerScreen(ORDER))
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("x", "escape")
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press("n")
        assert control(app, "order_id").value == "x"
        await pilot.press("escape", "y")
        assert app.answer is None
    app = DialogApp(lambda: TriggerScreen(ORDER))
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.press("escape")
        assert app.answer is None


async def test_the_form_works_in_a_small_terminal() -> None:
    """The last field scrolls into view."""
    app = DialogApp(lambda: TriggerScreen(ORDER))
    async with app.run_test(size=(60, 16)) as pilot:
        await fill(pilot, "order_id", "o-1")
        await fill(pilot, "items", "")
        region = control(app, "items").region
        assert region in app.screen.region
        assert region.width > 20


@pytest.mark.parametrize(("keys", "answer"), [("enter", True), ("y", True), ("escape", None), ("n", None)])
async def test_a_retry_is_confirmed_or_not(keys: str, answer: Any) -> None:
    """One key either way."""
    app = DialogApp(lambda: RetryScreen(PLAN))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(keys)
        assert app.answer is answer


PLAN = RetryPlan(
    run_id="r1",
    step="pay",
    scope="downstream",
    runs_again=("pay", "ship"),
    kept=("fetch", "check"),
    repeated_commits=(RepeatedCommit(step="ship", idempotency_key="r1:ship"),),
    changed_code=("pay", "fetch"),
)


def test_a_plan_says_what_it_would_do() -> None:
    """Steps that run again and that are kept, repeated commits with their keys, changed code."""
    lines = [" ".join(line.split()) for line in plan_content(PLAN).plain.splitlines()]
    assert lines[:4] == ["↻ runs again pay ~ code changed", "ship", "✔ is kept fetch", "check"]
    assert "ship r1:ship" in lines
    assert lines[-1].endswith("has changed since they ran: fetch")


async def test_edited_data_comes_back_as_the_keys_that_changed() -> None:
    """Values of other types keep their tags; untouched keys stay out."""
    data = {"total": Decimal("1.50"), "at": datetime(2025, 1, 2, tzinfo=UTC), "note": "x"}
    app = DialogApp(lambda: EditDataScreen("Edit", data))
    async with app.run_test(size=(100, 30)) as pilot:
        text = app.dialog.query_one(TextArea)
        assert '"$type": "decimal"' in text.text
        text.text = text.text.replace("1.50", "2.50")
        await pilot.press("ctrl+s")
        assert app.answer == {"total": {"$type": "decimal", "value": "2.50"}}


async def test_mistakes_in_edited_data_are_placed_and_keep_the_dialog_open() -> None:
    """Line and column are said, and the cursor goes there."""
    app = DialogApp(lambda: EditDataScreen("Edit", {"a": 1}))
    async with app.run_test(size=(100, 30)) as pilot:
        text = app.dialog.query_one(TextArea)
        text.text = '{\n  "a": oops\n}'
        await pilot.press("ctrl+s")
        assert app.answer is UNANSWERED
        assert said(app, "#state").startswith("✖ line 2, column 8")
        assert text.cursor_location == (1, 7)
        text.text = "{}"
        await pilot.press("ctrl+s")
        assert app.answer is UNANSWERED
        assert "cannot remove keys: a" in said(app, "#state")


async def test_edited_data_can_go_to_an_editor() -> None:
    """The dialog asks; what comes back is the text."""
    app = DialogApp(lambda: EditDataScreen("Edit", {"a": 1}))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("ctrl+e")
        await pilot.pause()
        request = app.asked[0]
        request.screen.set_text(request.text.replace("1", "2"))
        await pilot.press("ctrl+s")
        assert app.answer == {"a": 2}


def test_edits_are_compared_key_by_key() -> None:
    """Additions and changes are merged, removals are told apart."""
    edit = edit_of('{"a": 1, "b": 3, "d": null}', {"a": 1, "b": 2, "c": 3})
    assert (edit.changed, edit.removed) == ({"b": 3, "d": None}, ("c",))
    assert edit_of("[]", {}).problem is not None


ENTRIES = [
    HelpEntry(key="r", label="run", description="Start a run", group="Runs"),
    HelpEntry(key="t", label="retry", description="Run a step again", group="Runs", reason_disabled="no run"),
    HelpEntry(key="y", label="copy", description="Copy what has focus", group="Look"),
    HelpEntry(key="ctrl+p", label="[red]pal[/red]", description="All commands", group="Look"),
]


def test_help_is_found_by_key_and_by_name() -> None:
    """An exact key comes first."""
    assert matching(ENTRIES, "t")[0].label == "retry"
    assert [entry.label for entry in matching(ENTRIES, "focus")] == ["copy"]
    assert matching(ENTRIES, "") == ENTRIES
    assert matching(ENTRIES, "zzz") == []


async def test_help_searches_as_typed_and_says_why_keys_are_off() -> None:
    """Escape clears the search, then closes."""
    app = DialogApp(lambda: HelpScreen(ENTRIES))
    async with app.run_test(size=(100, 30)) as pilot:
        rows = app.dialog.query_one(TextRows)

        def lines() -> list[str]:
            return [" ".join(row.content.plain.split()) for row in rows.rows]

        assert lines()[:3] == ["Runs", "r run Start a run", "t retry not now: no run"]
        assert "ctrl+p [red]pal[/red] All commands" in lines()
        await pilot.press(*"copy")
        assert lines() == ["Look", "y copy Copy what has focus"]
        await pilot.press("escape")
        assert len(lines()) == 7
        await pilot.press("down", "down")
        assert rows.cursor == 3
        await pilot.press("escape")
        assert app.answer is None


async def test_no_key_is_news_after_a_search() -> None:
    """What was not found stands there again, and is not counted as having come."""
    many = [HelpEntry(key="f", label=f"do {number}", group=f"group {number}") for number in range(60)]
    app = DialogApp(lambda: HelpScreen([*many, *ENTRIES]))
    async with app.run_test(size=(100, 20)) as pilot:
        await pilot.press(*"copy")
        await pilot.press("escape")
        assert "new" not in app.dialog.query_one(TextRows).render_line(0).text


async def test_help_works_without_entries() -> None:
    """An empty list has a word to say."""
    app = DialogApp(lambda: HelpScreen([]))
    async with app.run_test(size=(60, 16)) as pilot:
        await pilot.press("x", "escape", "escape")
        assert app.answer is None


@pytest.mark.parametrize(
    ("keys", "answer"),
    [(["y"], True), (["n"], False), (["enter"], False), (["escape"], None), (["left", "enter"], True)],
)
async def test_a_question_is_answered_by_key(keys: list[str], answer: Any) -> None:
    """The answer that changes nothing has the focus."""
    app = DialogApp(lambda: ConfirmScreen("Quit?", "2 runs are in hand", "quit", "stay"))
    async with app.run_test(size=(60, 16)) as pilot:
        await pilot.press(*keys)
        assert app.answer is answer


HOSTILE = "[bold]x[/bold] [link=a] \x1b[2J \u202e \x00"


@pytest.mark.parametrize(
    "make",
    [
        lambda: ConfirmScreen(HOSTILE, HOSTILE, HOSTILE, HOSTILE),
        lambda: RetryScreen(
            RetryPlan(run_id="r", step=HOSTILE, scope="only", runs_again=(HOSTILE,), kept=())
        ),
        lambda: EditDataScreen(HOSTILE, {HOSTILE: HOSTILE}),
        lambda: HelpScreen([HelpEntry(key=HOSTILE, label=HOSTILE, group=HOSTILE)]),
        lambda: TriggerScreen(
            DefinitionView(
                name=HOSTILE,
                path="",
                variable="",
                graph=GraphSpec(),
                description=HOSTILE,
                input_schema={"properties": {HOSTILE: {"enum": [HOSTILE], "description": HOSTILE}}},
            ),
            problems=[(HOSTILE, HOSTILE)],
        ),
    ],
)
async def test_hostile_text_is_text_in_every_dialog(make: Callable[[], Screen[Any]]) -> None:
    """No dialog parses markup or lets control characters through."""
    app = DialogApp(make)
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        text = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert "[bold]x[/bold]" in text
        assert not any(ord(character) < 32 and character != "\n" for character in text)
        assert "\u202e" not in text
