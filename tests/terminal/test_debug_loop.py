"""Debugging in a real terminal: stop, look, step, fix, save, and the run goes on by itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pty_terminal import FIXED, PARCEL, Terminal


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Terminal]:
    """The dashboard on a project whose second step fails."""
    (tmp_path / "shop.py").write_text(PARCEL)
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.close()


def test_a_run_is_stopped_stepped_and_retried_on_save(opened: Terminal, tmp_path: Path) -> None:
    """A module that does not load meanwhile is waited for."""
    opened.sees("● ready", "parcel", "not run yet")
    opened.press("4lb")
    opened.sees("● 1 breakpoint")
    opened.press("r")
    opened.sees("Run parcel")
    opened.press("\x13")
    opened.sees("⏸ paused before pack", "Data that pack would find", "n next step", "g go on")
    opened.press("n")
    opened.sees("✖ failed at pack", "the box is too small")
    opened.press("w")
    opened.sees("↻ retry on save: pack, waits for a save")
    (tmp_path / "shop.py").write_text(PARCEL + "\ndef broken(:\n")
    opened.sees("✖ shop.py line 16")
    (tmp_path / "shop.py").write_text(FIXED)
    opened.sees("✔ completed", "✔ pack", "✔ ship", "Retry on save has ended")
    opened.press("q")
    assert opened.end() == 0
