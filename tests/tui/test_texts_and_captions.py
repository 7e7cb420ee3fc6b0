"""Short texts: times, ages, cut names, characters made harmless, and what a box says about its step."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from flux_tui.model.captions import caption, glyph, shown_status
from flux_tui.model.run import NodeSpec, StepView
from flux_tui.model.text import age_text, cut, duration_text, fit, printable, status_glyph, status_word

NOW = 1_700_000_000_000.0
STATUSES = [
    "completed",
    "failed",
    "pending",
    "running",
    "waiting",
    "skipped",
    "paused",
    "suspended",
    "interrupted",
    "cancelled",
    "compensated",
    "in doubt",
]


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (-5, "0 ms"),
        (0, "0 ms"),
        (0.42, "0.4 ms"),
        (12, "12 ms"),
        (999.6, "1.00 s"),
        (1240, "1.24 s"),
        (9996, "10.0 s"),
        (59_960, "1 m 00 s"),
        (125_000, "2 m 05 s"),
        (3_900_000, "1 h 05 m"),
        (183_600_000, "2 d 03 h"),
    ],
)
def test_a_duration_keeps_three_digits_and_its_unit(milliseconds, text):
    """Durations are as exact as they are useful, and never show sixty of a unit."""
    assert duration_text(milliseconds) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(-1, "now"), (9900, "now"), (29_900, "20s"), (60_000, "1m"), (3_599_999, "59m"), (3_600_000, "1h")],
)
def test_an_age_is_rounded_down_to_its_largest_unit(milliseconds, text):
    """Ages are two or three characters, for a column, and not finer than they are drawn again."""
    assert age_text(milliseconds) == text


@given(st.text(), st.integers(0, 30))
def test_a_cut_text_never_takes_more_cells_than_it_may(text, cells):
    """Whatever the characters, ``cut`` keeps to the width and ``fit`` fills it."""
    safe = printable(text)
    assert cell_len(cut(safe, cells)) <= cells
    assert cell_len(fit(safe, cells)) == cells


@given(st.text(st.characters(exclude_categories=())))
def test_printable_text_has_no_control_characters(text):
    """What was made printable can be written to a terminal and stays on its line."""
    shown = printable(text)
    shown.encode()
    assert not set(shown) & {*map(chr, range(32)), "\x7f", "\u202e", "\u2066", "\u2028", "\u200f"}
    assert printable(shown) == shown


def test_control_characters_are_shown_and_colours_dropped():
    """Nothing that could move the cursor is left, and one can see that it was there."""
    assert printable("a\x1b[31mb\x1b[2J\n") == "ab␛[2J␊"
    assert printable("\u202eabc") == "�abc"
    assert printable("Größe 日本") == "Größe 日本"


@pytest.mark.parametrize("plain", [False, True])
def test_every_status_has_a_glyph_one_cell_wide(plain):
    """Glyphs line up on every terminal, differ from each other, and have a plain fallback."""
    glyphs = [status_glyph(status, plain) for status in STATUSES if status != "suspended"]
    assert len(set(glyphs)) == len(glyphs)
    assert {cell_len(sign) for sign in glyphs} == {1}
    assert not plain or all(sign.isascii() for sign in glyphs)
    assert status_word("\x1b") == "␛"


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ({"status": "pending"}, ""),
        ({"status": "completed", "duration": 12.0, "tries": 1, "max_tries": 3}, "12 ms"),
        ({"status": "failed", "duration": 1220.0, "tries": 3, "max_tries": 3}, "3/3 1.22 s"),
        ({"status": "failed", "duration": 12.0}, "failed 12 ms"),
        ({"status": "running", "started_at": NOW - 1500, "tries": 2, "max_tries": 3}, "2/3 1.5 s"),
        ({"status": "skipped", "reason": "no\nmail"}, "skipped"),
        ({"status": "running", "waiting_until": NOW + 2300, "tries": 2, "max_tries": 3}, "2/3 in 2.3 s"),
        ({"status": "interrupted"}, "interrupted"),
        ({"status": "suspended"}, "suspended"),
    ],
)
def test_a_caption_says_what_matters_about_a_status(step, text):
    """Time, attempts, the reason for a skip, and the wait for the next attempt."""
    assert caption(StepView(name="s", **step), NodeSpec(name="s"), 12, NOW) == text


def test_a_caption_leaves_out_what_does_not_fit():
    """A commit is marked at any width, in the longest form that there is room for."""
    step = StepView(name="s", status="completed", duration=1240.0)
    node = NodeSpec(name="s", commit=True)
    assert [caption(step, node, cells, NOW) for cells in (20, 10, 7)] == [
        "◆ commit 1.24 s",
        "◆ 1.24 s",
        "◆ 1.2 s",
    ]


def test_a_step_between_two_attempts_is_waiting():
    """A back-off is a status of its own on screen; the spinner turns only for a running step."""
    assert shown_status(StepView(name="s", status="running", waiting_until=NOW)) == "waiting"
    assert shown_status(StepView(name="s", status="failed", waiting_until=NOW)) == "failed"
    assert shown_status(None) == "pending"
    assert len({glyph("running", NOW + 150 * turn) for turn in range(4)}) == 4
    assert len({glyph("waiting", NOW + 150 * turn) for turn in range(4)}) == 1
