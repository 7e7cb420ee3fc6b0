"""The loop that the product is judged by, in a real terminal: save, run, fail, read, fix, retry."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from pty_terminal import FIXED, PARCEL, Terminal


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder with one workflow, whose second step fails."""
    (tmp_path / "shop.py").write_text(PARCEL)
    return tmp_path


@pytest.fixture
def terminal(project: Path) -> Iterator[Terminal]:
    """The dashboard on that project."""
    opened = Terminal(project)
    yield opened
    opened.close()


def test_a_failed_step_is_fixed_and_the_run_goes_on(project: Path, terminal: Terminal) -> None:
    """From a saved file to a completed run, without leaving the keyboard."""
    terminal.sees("● ready", "parcel", "not run yet", "○ pick", "○ ship")
    terminal.press("r")
    terminal.sees("Run parcel")
    terminal.press("\x13")
    terminal.sees("✖ failed at pack", "ValueError: the box is too small", "✔ pick", "○ ship", "shop.py:9")

    (project / "shop.py").write_text(FIXED)
    terminal.sees("reloaded shop.py")
    terminal.press("t")
    terminal.sees("✔ completed", "✔ pack", "✔ ship")
    terminal.wait_for(lambda text: "the box is too small" not in text, "the error goes away")

    terminal.press("q")
    assert terminal.end() == 0


def test_a_module_that_breaks_says_where_until_it_is_fixed(project: Path, terminal: Terminal) -> None:
    """The header names file and line; the module's row shows the code and a caret."""
    terminal.sees("● ready", "parcel")
    (project / "shop.py").write_text(PARCEL + "\ndef broken(:\n")
    terminal.sees("✖ shop.py line 16", "SyntaxError", "stale")
    terminal.press("1k")
    terminal.sees("def broken(:", "^", "shop.py:16")

    (project / "shop.py").write_text(PARCEL)
    terminal.sees("● ready · reloaded shop.py", "○ pick")


def test_the_end_of_the_terminal_ends_the_runner(terminal: Terminal) -> None:
    """Whatever ends the dashboard, no process is left behind and the terminal is as it was."""
    terminal.sees("● ready", "parcel")
    children = terminal.runners()
    assert children
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.end() == 128 + signal.SIGTERM
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
