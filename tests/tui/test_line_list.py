"""The virtual list that every list of the dashboard is made of."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pytest
from rich.cells import cell_len
from textual.app import App, ComposeResult
from textual.content import Content

from flux_tui.widgets.line_list import LineList

HOSTILE = [
    "[bold red]markup[/] [/] [link=x]",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07",
    "nul\x00 bell\x07 back\x08 return\rline\nfeed\ttab",
    "\u202eright to left override\u2066 שלום",
    "zero\u200bwidth\ufeff joined 👩\u200d👩\u200d👧 ﷽",
    "\ud800 lone surrogate",
    "漢字" * 200,
    "",
]


class Names(LineList):
    def __init__(self, names: list[str], **options: Any) -> None:
        super().__init__(**options)
        self.names = names
        self.drawn: set[int] = set()

    def row_count(self) -> int:
        return len(self.names)

    def render_row(self, index: int, width: int) -> Content:
        self.drawn.add(index)
        return Content(self.names[index])

    def row_key(self, index: int) -> Hashable:
        return self.names[index]


class ListApp(App[None]):
    CSS = "Names { height: 1fr; }"

    def __init__(self, names: list[str], **options: Any) -> None:
        super().__init__()
        self.rows = Names(names, **options)
        self.highlighted: list[Hashable | None] = []
        self.chosen: list[Hashable] = []

    def compose(self) -> ComposeResult:
        yield self.rows

    def on_line_list_highlighted(self, message: LineList.Highlighted) -> None:
        self.highlighted.append(message.key)

    def on_line_list_chosen(self, message: LineList.Chosen) -> None:
        self.chosen.append(message.key)


def numbered(count: int, start: int = 0) -> list[str]:
    """Return names to list."""
    return [f"row {number}" for number in range(start, start + count)]


def shown(rows: LineList) -> list[str]:
    """Return the lines in view."""
    return [rows.render_line(y).text.rstrip() for y in range(rows.size.height)]


async def test_keys_move_the_cursor_and_say_so() -> None:
    """Each move is announced once, with the key of the row."""
    app = ListApp(numbered(100))
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.press("down", "j", "k", "G")
        assert app.rows.cursor_key == "row 99"
        assert app.highlighted == ["row 0", "row 1", "row 2", "row 1", "row 99"]
        assert app.rows.scroll_offset.y == 90
        await pilot.press("pageup")
        assert app.rows.cursor_key == "row 90"
        await pilot.press("g", "enter")
        assert app.chosen == ["row 0"]
        assert app.rows.scroll_offset.y == 0


async def test_a_list_of_many_rows_draws_only_those_in_view() -> None:
    """A hundred thousand rows cost what a screen of rows costs."""
    app = ListApp(numbered(100_000))
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.press("end")
        assert len(app.rows.drawn) < 50
        app.rows.names = [*numbered(500, start=-500), *app.rows.names]
        app.rows.rows_changed()
        await pilot.pause()
        assert app.rows.cursor_key == "row 99999"
        assert len(app.rows.drawn) < 80


async def test_rows_inserted_above_move_neither_cursor_nor_view() -> None:
    """The same rows stay on the same lines, and what arrived above is counted."""
    app = ListApp(numbered(100))
    async with app.run_test(size=(30, 10)) as pilot:
        app.rows.move_to(40)
        await pilot.pause()
        before = shown(app.rows)
        app.rows.names = ["new a", "new b", *app.rows.names]
        app.rows.rows_changed()
        await pilot.pause()
        after = shown(app.rows)
        assert after[1:] == before[1:]
        assert after[0].endswith("↑ 2 new")
        assert app.rows.cursor_key == "row 40"
        assert app.highlighted == ["row 0", "row 40"]
        await pilot.press("home")
        assert shown(app.rows)[0].strip("▌ ") == "new a"


async def test_rows_appended_below_move_neither_cursor_nor_view() -> None:
    """A list that does not follow stays where it is."""
    app = ListApp(numbered(5))
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.press("down")
        app.rows.names += numbered(50, start=5)
        app.rows.rows_changed()
        await pilot.pause()
        assert (app.rows.cursor_key, app.rows.scroll_offset.y) == ("row 1", 0)


async def test_a_row_that_goes_leaves_the_cursor_at_its_place() -> None:
    """The row that took the place is announced; an empty list announces that there is none."""
    app = ListApp(numbered(3))
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.press("down")
        app.rows.names = ["row 0", "row 2"]
        app.rows.rows_changed()
        await pilot.pause()
        assert app.rows.cursor_key == "row 2"
        app.rows.names = []
        app.rows.rows_changed()
        await pilot.pause()
        assert app.rows.cursor_key is None
        assert app.highlighted[-1] is None
        await pilot.press("down", "up", "enter", "G", "g", "pageup")
        assert app.chosen == []


async def test_following_ends_on_an_upward_move_and_resumes_at_the_end() -> None:
    """What arrives meanwhile is counted in the corner."""
    app = ListApp(numbered(50), follow=True)
    async with app.run_test(size=(30, 10)) as pilot:
        app.rows.names += numbered(10, start=50)
        app.rows.rows_changed()
        await pilot.pause()
        assert app.rows.cursor_key == "row 59"
        await pilot.press("up")
        assert not app.rows.following
        app.rows.names += numbered(12, start=60)
        app.rows.rows_changed()
        await pilot.pause()
        assert app.rows.cursor_key == "row 58"
        assert shown(app.rows)[-1].endswith("+12 new")
        await pilot.press("G")
        assert app.rows.following
        assert shown(app.rows)[-1] == "▌row 71"


async def test_following_ends_when_the_wheel_goes_up() -> None:
    """Scrolling back is an upward move too."""
    app = ListApp(numbered(50), follow=True)
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.pause()
        app.rows.scroll_to(y=20, animate=False)
        await pilot.pause()
        assert not app.rows.following


async def test_clicks_select_and_double_clicks_open() -> None:
    """The mouse does what the keys do."""
    app = ListApp(numbered(50))
    async with app.run_test(size=(30, 10)) as pilot:
        await pilot.click(Names, offset=(5, 3))
        assert app.rows.cursor_key == "row 3"
        await pilot.double_click(Names, offset=(5, 4))
        assert app.chosen == ["row 4"]


async def test_an_empty_list_says_what_to_do() -> None:
    """The hint wraps instead of running out of the view."""
    app = ListApp([], empty=lambda: "No runs yet. Press r to start one.")
    async with app.run_test(size=(22, 10)):
        text = " ".join(line.strip() for line in shown(app.rows)).strip()
        assert text == "No runs yet. Press r to start one."


class Looks(Names):
    """Rows that tell how they look, so that only what looks different is painted."""

    def row_look(self, index: int) -> Hashable | None:
        return self.names[index]


async def test_the_first_row_takes_the_place_of_the_words_for_none() -> None:
    """Nothing of them stays below it."""
    app = ListApp([])
    app.rows = Looks(["gone soon"], empty="No row has come so far. It will come, and be alone.")
    async with app.run_test(size=(20, 8)) as pilot:
        await pilot.pause()
        app.rows.names = []
        app.rows.rows_changed()
        await pilot.pause()
        assert "alone" in app.export_screenshot()
        app.rows.names = ["first"]
        app.rows.rows_changed()
        await pilot.pause()
        assert "first" in app.export_screenshot()
        assert "alone" not in app.export_screenshot()


@pytest.mark.parametrize("width", [20, 80])
async def test_hostile_rows_are_drawn_as_text_and_keep_their_line(width: int) -> None:
    """No row is wider than the list, none holds a control character, markup is text."""
    app = ListApp(HOSTILE)
    async with app.run_test(size=(width, 12)) as pilot:
        await pilot.press("down", "down")
        for y in range(len(HOSTILE)):
            line = app.rows.render_line(y)
            assert cell_len(line.text) == width
            assert not any(ord(character) < 32 for character in line.text)
        assert "[bold red]markup" in app.rows.render_line(0).text
