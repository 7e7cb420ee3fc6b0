"""The Data tab and the lazy tree under it."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App, ComposeResult

from flux_engine.execution import Changes
from flux_tui.model.run import RunView, StepView
from flux_tui.model.secrets import MASK, Secrets
from flux_tui.model.tree import MISSING, Mark, Node, mark_of, text_chunks
from flux_tui.widgets.data_view import DataView

BEFORE: dict[str, Any] = {
    "order": {"id": "o-1", "total": {"$type": "Decimal", "value": "12.50"}, "lines": [1, 2]},
    "api_token": "tok_very_secret",
    "draft": "x",
    "note": "[bold]not markup[/bold] \x1b[31mred\x1b[0m \u202e",
}
AFTER = {**BEFORE, "order": {**BEFORE["order"], "lines": [1, 3], "paid": True}, "charge": "ch_1"}
CHANGES = Changes(set={"order": AFTER["order"], "charge": "ch_1"}, deleted=("draft",))


def run_view(data: dict[str, Any] = BEFORE, changes: Changes | None = CHANGES) -> RunView:
    """Return a run whose second step made the changes."""
    fetch = StepView(name="fetch", status="completed", changes=Changes(set=data))
    pay = StepView(name="pay", index=1, status="completed", changes=changes, output={"ok": True})
    return RunView(id="r1", workflow="order", input={"order_id": "o-1"}, steps=(fetch, pay))


class DataApp(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.view = DataView()

    def compose(self) -> ComposeResult:
        yield self.view

    def show(self, run: RunView | None, step: str | None = "pay") -> None:
        self.view.show(run, None if run is None or step is None else run.step(step))
        self.view.focus()

    @property
    def lines(self) -> list[str]:
        tree = self.view.tree_view
        lines = [tree.render_line(y).text[1:].rstrip() for y in range(tree.size.height)]
        return [" ".join(line.split()) for line in lines if line.strip()]


async def test_changes_of_the_step_are_marked_with_sign_and_word() -> None:
    """Added, changed and deleted keys say so; the section counts them."""
    app = DataApp()
    async with app.run_test(size=(100, 30)) as pilot:
        app.show(run_view())
        await pilot.pause()
        lines = app.lines
        assert lines[0] == "▾ Data after pay: 1 added, 1 changed, 1 deleted"
        assert '+ added charge "ch_1"' in lines
        assert '- deleted draft "x"' in lines
        assert any(line.startswith("~ changed ▸ order") for line in lines)
        assert "▾ Input of the run" in lines


async def test_a_changed_value_opens_down_to_what_differs() -> None:
    """Inside a changed dict only what differs is marked, old value first."""
    app = DataApp()
    async with app.run_test(size=(100, 40)) as pilot:
        app.show(run_view())
        await pilot.press("down", "right", "down", "down", "down", "enter")
        assert "~ changed 1 2 → 3" in app.lines
        assert "+ added paid true" in app.lines
        assert "total Decimal 12.50" in app.lines
        await pilot.press("left", "left", "left")
        assert "+ added paid true" not in app.lines


async def test_only_changes_hides_the_rest() -> None:
    """``d`` leaves what the step touched, and brings the rest back."""
    app = DataApp()
    async with app.run_test(size=(100, 40)) as pilot:
        app.show(run_view())
        await pilot.press("d")
        assert not any("api_token" in line or "Input" in line for line in app.lines)
        assert any("charge" in line for line in app.lines)
        await pilot.press("d")
        assert any("api_token" in line for line in app.lines)


async def test_secrets_stay_masked_until_asked_for() -> None:
    """Neither the row, nor the preview of what contains it, nor a copy shows a secret before ``x``."""
    app = DataApp()
    async with app.run_test(size=(100, 40)) as pilot:
        app.show(run_view({**BEFORE, "user": {"password": "hunter2", "name": "Ada"}}))
        await pilot.pause()
        text = "\n".join(app.lines)
        assert "tok_very_secret" not in text
        assert "hunter2" not in text
        assert "Ada" in text
        await pilot.press("home")
        assert "tok_very_secret" not in app.view.copy_text()
        await pilot.press("x")
        assert "tok_very_secret" in "\n".join(app.lines)
        assert "tok_very_secret" in app.view.copy_text()
        app.show(RunView(id="other", workflow="order"), None)
        app.show(run_view())
        await pilot.pause()
        assert "tok_very_secret" not in "\n".join(app.lines)


async def test_a_value_that_was_recorded_masked_is_not_offered_to_be_shown() -> None:
    """In an exported run there is nothing behind the mask."""
    app = DataApp()
    async with app.run_test(size=(100, 40)) as pilot:
        app.show(run_view({"password": MASK, "api_token": "tok_very_secret"}))
        await pilot.pause()
        assert f"password {MASK} masked in what was recorded" in app.lines
        assert f"api_token {MASK} x shows it" in app.lines


async def test_folds_and_cursor_stay_when_the_run_moves_on() -> None:
    """A newer view of the run keeps what is open and what is selected."""
    app = DataApp()
    async with app.run_test(size=(100, 40)) as pilot:
        app.show(run_view())
        await pilot.press("down", "right", "down", "down")
        selected = app.view.tree_view.cursor_key
        app.show(run_view({**BEFORE, "first": 1}))
        await pilot.pause()
        assert app.view.tree_view.cursor_key == selected


async def test_empty_views_say_what_to_do() -> None:
    """No run, and a step without changes, are not just blank."""
    app = DataApp()
    async with app.run_test(size=(100, 20)) as pilot:
        app.show(None)
        await pilot.pause()
        assert app.lines[0].startswith("No run selected.")
        app.show(run_view(changes=Changes()))
        await pilot.press("d")
        assert app.lines[0].startswith("This step changed nothing.")


async def test_huge_data_opens_at_once() -> None:
    """A hundred thousand keys, ten megabytes of text and a hundred levels cost what is visible of them."""
    deep: Any = "bottom"
    for level in range(100):
        deep = {f"level {level}": deep}
    data = {
        "many": {f"key {number}": number for number in range(100_000)},
        "long": "x" * 10_000_000,
        "deep": deep,
    }
    app = DataApp()
    async with app.run_test(size=(100, 30)) as pilot:
        app.show(run_view(data, changes=Changes()))
        await pilot.press("down", "right", "G")
        app.view.tree_view.reveal(("data", "deep", *(f"level {level}" for level in range(99, -1, -1))))
        await pilot.pause()
        assert app.view.selected_value() == "bottom"


async def test_hostile_data_is_drawn_as_text() -> None:
    """Keys and values with markup, escapes and overrides neither style nor move anything."""
    data = {"[red]key[/red]\x1b[2J": "[link=x]\x07\u202e", "\x00": {"\n": "\r"}, "": [], "漢字" * 90: 1}
    app = DataApp()
    async with app.run_test(size=(60, 20)) as pilot:
        app.show(run_view(data, changes=Changes()))
        await pilot.pause()
        tree = app.view.tree_view
        for y in range(tree.size.height):
            strip = tree.render_line(y)
            assert strip.cell_length == tree.size.width
            assert not any(ord(character) < 32 or character == "\u202e" for character in strip.text)
        assert any("[red]key[/red]" in line for line in app.lines)


@pytest.mark.parametrize(
    ("before", "after", "mark"),
    [
        (MISSING, 1, Mark.ADDED),
        (1, MISSING, Mark.DELETED),
        (1, True, Mark.CHANGED),
        ([1, {"a": 2}], [1, {"a": 2}], Mark.SAME),
    ],
)
def test_marks_compare_values_and_types(before: object, after: object, mark: Mark) -> None:
    """``1`` and ``true`` are different data."""
    assert mark_of(before, after) is mark


def test_rows_of_an_open_tree_are_found_by_number_and_by_path() -> None:
    """The two ways to look for a row agree on every row."""
    value = {"a": {"b": [1, [2, 3]], "c": "one\ntwo"}, "d": 4}
    root = Node((), value, value)
    root.reveal(("a", "b", 1, 0))
    root.reveal(("a", "c", text_chunks("one\ntwo")[0]))
    paths = [root.row(number).path for number in range(root.total)]
    assert [root.number(path) for path in paths] == list(range(root.total)) == list(range(10))
    assert ("a", "b", 1, 1) in paths


@pytest.mark.parametrize(
    "key", ["password", "API-Key", "accessToken", "Authorization", "db_password", "stripeSecret"]
)
def test_keys_that_name_secrets_are_recognised(key: str) -> None:
    """Whatever their case and separators."""
    assert key in Secrets()


@pytest.mark.parametrize("key", ["tokenizer", "passport", "spinner", "secretary", 7, ""])
def test_keys_that_only_look_alike_are_not(key: object) -> None:
    """Words are matched whole."""
    assert key not in Secrets()


def test_further_secret_names_can_be_given() -> None:
    """Settings add to the list."""
    assert "iban" in Secrets(["IBAN"])
    assert Secrets(["iban"]).redact({"a": [{"iban": "x", "b": 1}]}) == {"a": [{"iban": "••••••••", "b": 1}]}


async def test_a_double_click_opens_what_it_hits() -> None:
    """The mouse folds and unfolds as enter does."""
    app = DataApp()
    async with app.run_test(size=(100, 40)) as pilot:
        app.show(run_view())
        await pilot.pause()
        assert await pilot.double_click(app.view.tree_view, offset=(20, 1))
        assert "+ added paid true" in app.lines


async def test_data_that_comes_later_opens_at_the_top() -> None:
    """While nobody moved the cursor it stays at the top; what the step did is open as soon as it is known."""
    app = DataApp()
    async with app.run_test(size=(100, 30)) as pilot:
        waiting = StepView(name="fetch", status="running")
        app.show(RunView(id="r1", workflow="order", input={"order_id": "o-1"}, steps=(waiting,)), "fetch")
        await pilot.pause()
        assert app.lines[0] == "▾ Input of the run"
        app.show(run_view({}, Changes()), "fetch")
        await pilot.pause()
        assert app.lines[0] == "Data after fetch: unchanged {}"
        app.show(run_view())
        await pilot.pause()
        assert app.lines[0] == "▾ Data after pay: 1 added, 1 changed, 1 deleted"
        assert app.view.tree_view.cursor_key == ("data",)


async def test_a_step_in_progress_has_left_nothing_yet() -> None:
    """Whatever is known of its changes so far, its data is what it found."""
    app = DataApp()
    async with app.run_test(size=(100, 30)) as pilot:
        step = StepView(name="fetch", status="running", changes=Changes())
        app.show(RunView(id="r1", workflow="order", steps=(step,)), "fetch")
        await pilot.pause()
        assert app.lines[0] == "Data that fetch found {}"


async def test_the_cursor_goes_to_what_is_left_of_its_place() -> None:
    """From a value that another run has not, the cursor goes to the value that it was in, not to any row."""
    app = DataApp()
    async with app.run_test(size=(100, 30)) as pilot:
        app.show(run_view())
        await pilot.press("end")
        tree = app.view.tree_view
        assert tree.cursor_key == ("input", "order_id")
        other = run_view()
        app.show(RunView(id="r2", workflow="order", input={"n": 1}, steps=other.steps))
        await pilot.pause()
        assert tree.cursor_key == ("input",)


async def test_what_is_copied_has_no_tags() -> None:
    """A value of a type that JSON has not is copied as it reads, also inside a dict."""
    app = DataApp()
    async with app.run_test(size=(100, 30)) as pilot:
        app.show(run_view())
        await pilot.press("down")
        assert '"total": "12.50"' in app.view.copy_text()
        await pilot.press("right", "down", "down")
        assert app.view.copy_text() == "12.50"
