"""What the dashboard remembers of a project, and what may not happen to it."""

import json
from pathlib import Path

import pytest
from msgspec import Struct

from flux_engine.secrets import registered
from flux_tui.desk import Desk
from flux_tui.inputs import MOST_REMEMBERED, Inputs
from flux_tui.model.secrets import Secrets
from flux_tui.remembered import FILE, Remembered
from flux_tui.settings import Settings


class Sizes(Struct, frozen=True):
    """Something with a form."""

    lists: int
    graph: int


def test_what_was_put_is_there_in_the_next_session(tmp_path: Path) -> None:
    """Values of any form that JSON has come back as what they were asked for, and only to their owner."""
    path = tmp_path / FILE
    Remembered(path).put("panes", Sizes(30, 12))
    Remembered(path).put("breakpoints", {"order": ["pay"]})
    later = Remembered(path)
    assert later.get("panes", Sizes) == Sizes(30, 12)
    assert later.get("breakpoints", dict[str, list[str]]) == {"order": ["pay"]}
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [FILE]


def test_two_dashboards_keep_each_others_sections(tmp_path: Path) -> None:
    """Both are open at once; the last word counts for each section."""
    one, other = Remembered(tmp_path / FILE), Remembered(tmp_path / FILE)
    one.put("theme", "nord")
    other.put("view", "list")
    one.put("view", "boxes")
    later = Remembered(tmp_path / FILE)
    assert (later.get("theme", str), later.get("view", str)) == ("nord", "boxes")


@pytest.mark.parametrize(
    "garbage", [b"", b"{", b"\xff\x00", b"[1]", b'{"version": "x"}', b"[" * 100_000, b'{"theme": "nord"}']
)
def test_garbage_is_as_nothing_and_is_replaced(tmp_path: Path, garbage: bytes) -> None:
    """A file that is not one of ours neither hurts nor stays."""
    path = tmp_path / FILE
    path.write_bytes(garbage)
    remembered = Remembered(path)
    assert remembered.get("theme", str) is None
    remembered.put("theme", "nord")
    assert Remembered(path).get("theme", str) == "nord"


def test_a_section_of_another_form_says_nothing(tmp_path: Path) -> None:
    """Each section stands for itself; those that nobody here knows of stay in the file."""
    path = tmp_path / FILE
    path.write_text(json.dumps({"version": 1, "panes": "wide", "theme": "nord", "stars": [1]}))
    remembered = Remembered(path)
    assert remembered.get("panes", Sizes) is None
    remembered.put("theme", None)
    assert json.loads(path.read_text()) == {"version": 1, "panes": "wide", "stars": [1]}


def test_a_later_version_is_left_alone(tmp_path: Path) -> None:
    """What a newer dashboard wrote is neither read nor written over."""
    path = tmp_path / FILE
    path.write_text('{"version": 2, "theme": "nord"}')
    remembered = Remembered(path)
    remembered.put("theme", "dracula")
    assert remembered.get("theme", str) == "dracula"
    assert path.read_text() == '{"version": 2, "theme": "nord"}'


def test_a_file_that_cannot_be_written_is_told_and_harmless(tmp_path: Path) -> None:
    """The value lasts until the end of the session."""
    (tmp_path / FILE).mkdir()
    remembered = Remembered(tmp_path / FILE)
    remembered.put("theme", "nord")
    assert remembered.get("theme", str) == "nord"
    assert remembered.problem is not None
    assert FILE in remembered.problem


def test_looking_writes_nothing(tmp_path: Path) -> None:
    """With ``--read-only`` the file is read and stays; with a trace alone it is not even read."""
    settings = Settings(project=tmp_path).anchored()
    settings.db.folder(tmp_path).mkdir()
    path = settings.db.folder(tmp_path) / FILE
    Desk(settings, []).remembered.put("theme", "nord")
    before = path.read_bytes()
    looking = Desk(settings, [], read_only=True).remembered
    assert looking.get("theme", str) == "nord"
    looking.put("theme", "dracula")
    traced = Desk(settings, [], trace_only=True).remembered
    assert traced.get("theme", str) is None
    traced.put("theme", "dracula")
    assert path.read_bytes() == before


def test_inputs_are_there_in_the_next_session_without_their_secrets(tmp_path: Path) -> None:
    """The latest comes first, and no more than a few of each workflow are written."""
    path = tmp_path / FILE
    secrets = Secrets(("iban",))
    inputs = Inputs(Remembered(path), secrets)
    for number in range(MOST_REMEMBERED + 5):
        inputs.remember("order", {"number": number, "card": [{"token": "tok-1", "iban": "DE1"}]})
    inputs.remember("order", {"text": "x" * 100_000})
    assert len(inputs.of("order")) == MOST_REMEMBERED + 6
    later = Inputs(Remembered(path), secrets).of("order")
    assert later[0] == {"number": MOST_REMEMBERED + 4, "card": [{}]}
    assert len(later) == MOST_REMEMBERED
    assert "tok-1" not in path.read_text()
    assert "DE1" not in path.read_text()


def test_registered_secrets_are_not_kept_for_later_sessions(tmp_path: Path) -> None:
    """A text that has one in it is left out, and so is an entry whose key is one."""
    registered.add(["sk_live_kept"])
    try:
        inputs = Inputs(Remembered(tmp_path / FILE))
        value = {"url": "https://sk_live_kept@host", "sk_live_kept": 1, "all": ["sk_live_kept", "a"], "n": 1}
        inputs.remember("order", value)
        assert inputs.of("order") == [value]
        assert Inputs(Remembered(tmp_path / FILE)).of("order") == [{"all": ["a"], "n": 1}]
    finally:
        registered.forget()


def test_an_input_whose_secrets_were_not_kept_is_taken_from_the_run_that_had_them(tmp_path: Path) -> None:
    """Running again what is known without them would be another run."""
    inputs = Inputs(Remembered(tmp_path / FILE))
    whole = {"user": "ann", "password": "pw"}
    inputs.remember("login", {"user": "old"})
    inputs.remember("login", whole)
    later = Inputs(Remembered(tmp_path / FILE))
    assert later.of("login") == [{"user": "ann"}, {"user": "old"}]
    assert later.of("login", [whole]) == [whole, {"user": "old"}]
    full = whole | {"note": ""}
    assert later.of("login", [full])[0] == full
    later.remember("login", {"user": "now"})
    assert later.of("login", [full])[0] == {"user": "now"}
