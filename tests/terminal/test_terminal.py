"""What terminals do to programs: other sizes, editors in between, few colours, and sudden ends."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pty_terminal import FIXED, PARCEL, Terminal

SLOW = PARCEL.replace(
    'raise ValueError("the box is too small")',
    'import pathlib, time\n    while not pathlib.Path("free").exists():\n        time.sleep(0.01)',
).replace("ctx.data.shipped = ctx.data.box", "ctx.data.shipped = True")

EDITOR = """\
#!/bin/sh
printf 'EDITING %s\\n' "$1"
read key
cp fixed.txt "$1"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder with one workflow, whose second step fails."""
    (tmp_path / "shop.py").write_text(PARCEL)
    return tmp_path


@pytest.fixture
def opened() -> Iterator[list[Terminal]]:
    """Terminals to close at the end."""
    terminals: list[Terminal] = []
    yield terminals
    for terminal in terminals:
        terminal.close()


def gone(processes: list[str]) -> bool:
    """Wait until these processes are no more; return whether that came."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        if not any(Path(f"/proc/{process}").exists() for process in processes):
            return True
        time.sleep(0.02)
    return False


def test_the_screen_follows_the_size_of_the_terminal(project: Path, opened: list[Terminal]) -> None:
    """Small, and large again, also under a dialog: what matters stays readable."""
    terminal = Terminal(project)
    opened.append(terminal)
    terminal.sees("● ready", "parcel", "○ pick")
    terminal.resize(60, 16)
    terminal.wait_for(lambda text: "Workflows" in text and "q quit" in text, "the low screen")
    terminal.press("r")
    terminal.sees("Run parcel")
    terminal.resize(80, 24)
    terminal.sees("Run parcel", "esc cancel")
    terminal.press("\x13")
    terminal.sees("✖ failed at pack")
    terminal.resize(120, 36)
    terminal.sees("✖ failed at pack", "ValueError: the box is too small", "✔ pick")


def test_an_editor_gets_the_terminal_and_gives_it_back(project: Path, opened: list[Terminal]) -> None:
    """``o`` hands over at the error; what was saved there is reloaded, and the screen is whole again."""
    editor = project / "edit.sh"
    editor.write_text(EDITOR)
    editor.chmod(0o755)
    (project / "fixed.txt").write_text(FIXED)
    terminal = Terminal(project, environ={"EDITOR": str(editor), "VISUAL": ""})
    opened.append(terminal)
    terminal.sees("● ready", "parcel")
    terminal.press("r")
    terminal.sees("Run parcel")
    terminal.press("\x13")
    terminal.sees("✖ failed at pack")
    terminal.press("o")
    terminal.sees("EDITING")
    terminal.press("\n")
    terminal.sees("reloaded shop.py", "✖ failed at pack", "Workflows")
    terminal.press("t")
    terminal.sees("✔ completed", "✔ ship")


@pytest.mark.parametrize("end", ["vanish", "kill"])
def test_a_run_in_hand_outlives_the_terminal(project: Path, opened: list[Terminal], end: str) -> None:
    """However the dashboard ends, no process is left, and the next one goes on with the run."""
    (project / "shop.py").write_text(SLOW)
    first = Terminal(project)
    opened.append(first)
    first.sees("● ready", "parcel")
    first.press("r")
    first.sees("Run parcel")
    first.press("\x13")
    first.sees("◐ running at pack")
    runners = first.runners()
    assert runners
    if end == "vanish":
        first.vanish()
    else:
        os.kill(first.process.pid, signal.SIGKILL)
    first.end()
    assert gone(runners)

    (project / "free").touch()
    second = Terminal(project)
    opened.append(second)
    second.sees("● ready", "interrupted at pack", "✔ pick")
    second.press("2u")
    second.sees("✔ completed", "✔ pack", "✔ ship")


@pytest.mark.parametrize(
    "environ",
    [{"NO_COLOR": "1"}, {"TERM": "xterm-16color", "COLORTERM": ""}, {"TERM": "linux", "COLORTERM": ""}],
    ids=["no-color", "16-colours", "console"],
)
def test_terminals_with_few_colours_are_served(
    project: Path, opened: list[Terminal], environ: dict[str, str]
) -> None:
    """Nothing is said by colour alone, and no terminal is sent colours that it was not said to have."""
    terminal = Terminal(project, environ=environ)
    opened.append(terminal)
    terminal.sees("● ready", "parcel", "○ pick")
    terminal.press("q")
    assert terminal.end() == 0
    if "NO_COLOR" not in environ:
        assert b"38;2;" not in terminal.written
        assert b"48;2;" not in terminal.written
