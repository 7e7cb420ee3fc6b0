"""The dashboard opened with plain words: as the parser of the commands would open it, but sooner."""

import sys
from pathlib import Path

import pytest

import flux_tui.cli.opening
from flux_tui import cli, long_lived
from flux_tui.cli import dev
from flux_tui.cli.plain_start import plain_arguments

PLAIN = [
    [],
    ["."],
    ["a.py", "folder"],
    ["--db", "x.db", ".", "--trace", "t.ndjson"],
    ["--theme", "nord", "--ascii", "--read-only"],
    ["--db", "first.db", "--db", "second.db", "a b.py"],
]
NOT_PLAIN = [
    ["--help"],
    ["-h"],
    ["--db"],
    ["--db", ""],
    ["--db=x.db"],
    ["--trace", "-"],
    ["--db", "--trace"],
    ["--", "a.py"],
    ["--port", "4280"],
    ["--reed-only"],
    [""],
]


@pytest.fixture
def opened(monkeypatch):
    """What the dashboard is opened with, in place of opening it."""
    found = []

    def note(paths=None, **options):
        given = {name: value for name, value in options.items() if value not in (None, False)}
        found.append(given | ({"paths": list(paths)} if paths else {}))
        return 7

    monkeypatch.setattr(flux_tui.cli.opening, "open_dashboard", note)
    monkeypatch.setattr(dev, "open_dashboard", note)
    return found


def run(monkeypatch, words) -> int | str | None:
    """Run ``flux-tui`` with these words; return its exit code."""
    monkeypatch.setattr(sys, "argv", ["flux-tui", *words])
    monkeypatch.setattr(long_lived, "begin", lambda: None)  # the garbage of these tests is collected
    with pytest.raises(SystemExit) as end:
        cli.dashboard()
    return end.value.code


@pytest.mark.parametrize("words", PLAIN, ids=" ".join)
def test_plain_words_mean_what_they_mean_to_the_parser(words, opened, monkeypatch):
    """Both ways of reading the command line open the same dashboard, and end with its exit code."""
    assert plain_arguments(words) is not None
    assert run(monkeypatch, words) == 7
    monkeypatch.setenv("_NO_SUCH_SHELL_COMPLETE", "")  # with which the parser is asked
    assert run(monkeypatch, words) == 7
    plain, parsed = opened
    assert plain == parsed


@pytest.mark.parametrize("words", NOT_PLAIN, ids=" ".join)
def test_everything_else_is_left_to_the_parser(words):
    """Help, values joined with ``=``, standard input, mistakes: the parser knows them."""
    assert plain_arguments(words) is None


def test_a_mistake_behind_plain_words_is_told_as_ever(monkeypatch, capsys, tmp_path):
    """A path that is not there is told on standard error, with the exit code of bad use."""
    monkeypatch.chdir(tmp_path)
    assert run(monkeypatch, [str(Path("nowhere.py"))]) == 2
    assert capsys.readouterr().err == "flux: there is no file or folder nowhere.py\n"
