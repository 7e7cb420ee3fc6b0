"""Looking for a text: what matches, in which order, and how long one slice of it takes."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_tui.model.recent import Recent
from flux_tui.model.search import WINDOW, Matches, needle
from flux_tui.model.tree import Node
from flux_tui.model.tree_search import path_of, place_of, search


def whole(matches: Matches) -> list:
    """Search to the end."""
    while not matches.complete:
        matches.take()
    return matches.places


def paths(data: object, text: str, hidden=lambda _: False) -> list:
    """Return the paths below the section ``data`` that a search finds."""
    root = Node((), {"data": data}, {"data": data})
    return [path_of(root, place) for place in whole(Matches(search(root, needle(text), hidden)))]


@pytest.mark.parametrize(
    ("typed", "text", "found"),
    [
        ("error", "An ERROR", True),
        ("Error", "An ERROR", False),
        ("Error", "An Error", True),
        ("straße", "STRASSE", True),
        ("a.c", "abc", False),
        ("[x", "an [x] y", True),
    ],
)
def test_small_letters_ignore_case_and_capitals_do_not(typed, text, found):
    """And what is typed is text, never a pattern."""
    assert needle(typed).within(text) is found


@given(st.text(max_size=40), st.text(min_size=1, max_size=4))
def test_what_stands_out_is_what_was_found(text, typed):
    """A text that matches has a span, within it, and one that does not has none."""
    wanted = needle(typed)
    spans = wanted.spans(text)
    assert bool(spans) is wanted.within(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)


def test_a_long_text_is_searched_in_windows_that_overlap():
    """A match on the border of two windows is found."""
    text = "x" * (WINDOW - 2) + "needle" + "x" * WINDOW
    assert any(needle("needle").look(text))
    assert len(list(needle("needle").look(text))) > 1


def test_the_count_says_where_and_how_many():
    """While it goes on the number is a lower bound; at either end it goes round and says so."""
    matches = Matches(iter([3, None, 7, 9]))
    assert matches.count_text(0) == "searching…"
    matches.take(seconds=0.0)
    assert matches.count_text(3) == "1/1+"
    matches.take()
    assert matches.complete
    assert matches.count_text(7) == "2/3"
    assert matches.count_text(8) == "3"
    assert matches.first_from(4) == 7
    assert matches.beside(7, 1) == (9, False)
    assert matches.beside(9, 1) == (3, True)
    assert matches.beside(3, -1) == (9, True)
    assert matches.beside(8, -1) == (7, False)
    assert Matches(iter(())).beside(0, 1) is None


def test_what_arrives_later_is_counted_too():
    """The search goes on where it stopped."""
    matches = Matches(iter([0, 1]))
    whole(matches)
    matches.go_on(iter([None, 5]))
    assert whole(matches) == [0, 1, 5]


def test_data_is_searched_by_keys_and_values_also_where_it_is_closed():
    """In the order of the rows, each row once, lines of long texts by themselves."""
    data = {"a": {"b": [{"needle": 1}, {"x": "a NEEDLE"}]}, "n": 12, "text": "one\ntwo needle\nthree"}
    found = paths(data, "needle")
    assert found[:2] == [("data", "a", "b", 0, "needle"), ("data", "a", "b", 1, "x")]
    assert found[2][:2] == ("data", "text")
    assert found[2][-1].start == len("one\n")
    assert len(found) == 3
    assert paths({"needle": "needle"}, "needle") == [("data", "needle")]
    assert paths(data, "12") == [("data", "n")]


def test_what_is_masked_is_not_found_by_its_value():
    """By its key it is."""
    data = {"api_token": {"inner": "very_secret"}, "other": "x"}
    hidden = lambda path: "api_token" in path  # noqa: E731
    assert paths(data, "very_secret", hidden) == []
    assert paths(data, "token", hidden) == [("data", "api_token")]


def test_a_place_leads_to_the_row_that_it_was_made_from():
    """Whatever is open."""
    data = {"a": {"b": [1, 2]}, "c": 3}
    root = Node((), {"data": data}, {"data": data})
    root.reveal(("data", "a", "b", 1))
    for number in range(root.total):
        path = root.row(number).path
        assert path_of(root, place_of(root, path)) == path


@pytest.mark.parametrize(
    "data", [{str(n): {"x": n} for n in range(100_000)}, "ä\n" * 2_000_000], ids=["keys", "text"]
)
def test_a_search_in_large_data_is_made_in_slices(data):
    """A hundred thousand keys, or four million characters: the screen has its turn many times meanwhile."""
    root = Node((), {"data": data}, {"data": data})
    matches = Matches(search(root, needle("ä99999"), lambda _: False))
    ticks, slices = itertools.count(), 0
    while not matches.complete:
        matches.take(seconds=2, clock=lambda: next(ticks))
        slices += 1
    assert slices > 10


def test_recent_texts_come_back_the_latest_first():
    """Walking past the latest brings back what was being typed."""
    recent = Recent()
    for text in ("one", "two", "one", " "):
        recent.remember(text)
    assert recent.earlier("dra") == "one"
    assert recent.earlier("one") == "two"
    assert recent.earlier("two") is None
    assert recent.later() == "one"
    assert recent.later() == "dra"
    assert recent.later() is None
