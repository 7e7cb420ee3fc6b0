"""Texts that are hostile, or far too long, on their way to the screen."""

import pytest
from hostile import TEXTS
from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color

from flux_tui.harmless import HARMLESS
from flux_tui.model.masked import LONGEST, shortened
from flux_tui.model.pruned import editable, pruned
from flux_tui.model.secrets import MASK, Secrets
from flux_tui.model.text import UNPRINTABLE, printable
from flux_tui.model.tree import MOST_CHUNKS, text_chunks


@pytest.mark.parametrize("text", [*TEXTS, "s\ud800\udc80x"])
def test_a_line_has_nothing_that_a_terminal_obeys_and_is_as_wide_as_before(text: str) -> None:
    """What was forgotten to be made printable is taken out of the line, and the line stays in place."""
    (segment,) = HARMLESS.apply([Segment(text)], Color(0, 0, 0))
    assert UNPRINTABLE.search(segment.text) is None
    assert cell_len(segment.text) == cell_len(text)


def test_what_terminals_measure_differently_is_drawn_otherwise() -> None:
    """A flag is two letters; joiners and skin tones go."""
    assert printable("\U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd a\u200db") == "DE \U0001f44d ab"


@pytest.mark.parametrize(
    "text",
    ["a" * 300_000 + "=", "a-" * 150_000 + "=", 'x="' + "y" * 300_000, "password" * 40_000, "pin=" * 80_000],
    ids=["a word", "dashes", "an open quote", "words in a word", "pairs"],
)
def test_masking_a_long_line_takes_no_longer_than_reading_it(text: str) -> None:
    """The time grows with the length: the square of it would be minutes here."""
    assert Secrets().text(text)


def test_a_secret_is_masked_behind_another_pair_and_in_an_open_quote() -> None:
    """What stands around the pair does not matter."""
    assert Secrets().text("url=http://x?password=hunter22") == f"url=http://x?password={MASK}"
    assert "hunter22" not in Secrets().text('password="hunter22')


def test_a_message_that_nobody_could_read_loses_its_middle() -> None:
    """Its beginning and its last lines stay."""
    text = shortened("begin " + "x" * 10_000_000 + "\nthe end")
    assert text.startswith("begin ")
    assert text.endswith("the end")
    assert len(text) <= LONGEST + 100


def test_a_huge_value_is_cut_to_what_can_be_shown_and_left_out_where_it_is_edited() -> None:
    """Ten million characters, a hundred thousand keys, and depth without end."""
    deep: object = 1
    for _ in range(900):
        deep = {"k": deep}
    data = {"text": "x" * 10_000_000, "keys": dict.fromkeys(map(str, range(100_000))), "deep": deep, "n": 1}
    assert len(str(pruned(data))) < 1_000_000
    assert editable(data) == {"n": 1}


def test_a_long_text_is_cut_into_as_many_rows_as_anybody_scrolls() -> None:
    """The last row stands for the rest."""
    chunks = text_chunks("line\n" * 100_000)
    assert len(chunks) == MOST_CHUNKS + 1
    assert chunks[-1].end == 500_000
