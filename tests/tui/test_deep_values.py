"""Values that are nested a thousand levels deep: far deeper than Python calls functions."""

import json
from collections.abc import Callable
from typing import Any, Final

import pytest

from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.model.compare import places
from flux_tui.model.event_json import event_line
from flux_tui.model.json_text import JsonProblem, indented, tagged, write_json
from flux_tui.model.masked_json import unmasked
from flux_tui.model.preview import preview
from flux_tui.model.pruned import editable, is_large, pruned
from flux_tui.model.remade import is_same
from flux_tui.model.search import Matches, needle
from flux_tui.model.secrets import MASK, Secrets
from flux_tui.model.step_test import _literal
from flux_tui.model.tree import Mark, Node, bare, mark_of
from flux_tui.model.tree_search import path_of, search
from flux_tui.model.whole import events_text, value_text

DEEP: Final = 1_000
SECRETS: Final = Secrets()

Made = Callable[[Any], Any]


def dicts(leaf: Any) -> Any:
    """Return a value inside as many dicts."""
    for _ in range(DEEP):
        leaf = {"k": leaf}
    return leaf


def lists(leaf: Any) -> Any:
    """Return a value inside as many lists."""
    for _ in range(DEEP):
        leaf = [leaf]
    return leaf


def tags(leaf: Any) -> Any:
    """Return a value inside as many dicts in the tagged form."""
    for _ in range(DEEP):
        leaf = {"$type": "dict", "value": [["k", leaf]]}
    return leaf


def bottom(value: Any) -> Any:
    """Return what is at the bottom."""
    while isinstance(value, dict | list) and not (isinstance(value, dict) and "n" in value):
        value = value[-1] if isinstance(value, list) else value.get("value", value.get("k"))
    return value


@pytest.fixture(params=[dicts, lists, tags], ids=lambda made: made.__name__)
def made(request: pytest.FixtureRequest) -> Made:
    """Each way to nest."""
    return request.param


def test_secrets_are_masked_at_the_bottom_and_put_back(made: Made) -> None:
    """An edit beside them, at the bottom too, keeps them."""
    original = made({"password": "hunter22", "n": 1})
    masked = SECRETS.redact(original)
    assert bottom(masked) == {"password": MASK, "n": 1}
    assert SECRETS.restore(masked, original) is original
    edited = made({"password": MASK, "n": 2})
    assert bottom(SECRETS.restore(edited, original)) == {"password": "hunter22", "n": 2}
    assert "hunter22" not in bottom(SECRETS.told(made("password=hunter22")))


def test_it_is_written_for_reading_for_editing_and_for_the_trace(made: Made) -> None:
    """The whole of it, each bracket closed."""
    value = made("leaf")
    assert bottom(tagged(value)) == "leaf"
    assert bottom(bare(value)) == "leaf"
    for text in (write_json(value), value_text(value)):
        assert text.count('"leaf"') == 1
        assert text.count("{") == text.count("}")
        assert text.count("[") == text.count("]")
        assert max(map(len, text.split("\n"))) < 400


def test_what_is_not_so_deep_is_written_in_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever way it is written."""
    value = {"a": [1, {"b": None, "c": []}, "ä\n"], "d": {}, "e": [[[True]]], "f": (1.5,)}
    text = indented(value)

    def refuse(found: Any, *, indent: int | None = None, **more: Any) -> str:
        if indent is not None:
            raise RecursionError
        return str(dumps(found, **more))

    dumps = json.dumps
    monkeypatch.setattr(json, "dumps", refuse)
    assert indented(value) == text


def test_an_edited_text_of_it_is_read_or_refused_and_never_fails(made: Made) -> None:
    """Some versions of Python cannot read JSON from so deep; the problem says so then."""
    value = made(1)
    found = unmasked(write_json(value), value, SECRETS)
    assert "recursion" in found.message if isinstance(found, JsonProblem) else is_same(found, value)


def test_it_is_looked_at_as_far_as_there_is_something_to_see(made: Made) -> None:
    """A line, an editor and an event show its upper levels."""
    value = made("leaf")
    assert preview(value, SECRETS)
    assert "more" in json.dumps(pruned(value))
    assert is_large(value)
    assert editable({"deep": value, "n": 1}) == {"n": 1}
    assert "more" in _literal(value, 8)


def test_an_event_with_it_is_told_with_its_end_cut_off(made: Made) -> None:
    """The rest of the event is whole."""
    event = TraceEvent(
        type=EventType.STEP_COMPLETE,
        timestamp=1.0,
        workflow_id="run1",
        workflow_name="flow",
        changes={"set": {"deep": made(1)}, "deleted": []},
        meta={"output": made(1), "password": "hunter22"},
    )
    for text in (event_line(event, SECRETS), event_line(event, None), events_text([event], SECRETS)):
        assert json.loads(text)["workflowId"] == "run1"
    assert "hunter22" not in event_line(event, SECRETS)


def test_two_of_it_are_told_apart(made: Made) -> None:
    """Also where they differ at the bottom alone."""
    assert is_same(made(1), made(1))
    assert not is_same(made(1), made(2))
    assert mark_of(made(1), made(1)) is Mark.SAME
    assert mark_of(made(1), made(2)) is Mark.CHANGED
    (found,) = places(made(1), made(2))
    assert (bottom(found[1]), bottom(found[2])) == (1, 2)


def test_its_bottom_is_found_and_opened_and_closed() -> None:
    """Each row on the way is there, and knows how many are below it."""
    root = Node((), {"data": dicts(1)}, {"data": dicts("leaf")}, only_changes=True)
    matches = Matches(search(root, needle("leaf"), SECRETS.__contains__))
    matches.take(60)
    (place,) = matches.places
    path = path_of(root, place)
    assert root.reveal(path) == DEEP
    assert root.total == DEEP + 1
    assert root.row(DEEP).value == "leaf"
    assert len(list(root.open_paths())) == DEEP
    assert root.close(path[:11])
    assert root.total == 11
