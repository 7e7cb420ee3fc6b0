"""Names, data, logs and errors that have orders to a terminal in them: none of them reaches it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from pty_terminal import Terminal

ORDERS: Final = (
    "\x1b]0;PWND\x07",
    "\x1b]52;c;PWND\x07",
    "\x1b[2JPWND",
    "\x1b[?1049lPWND",
    "\x1bPPWND\x1b\\",
    "\x1b_PWND\x1b\\",
    "\x1bcPWND",
    "\x9b2JPWND",
    "\x9d0;PWND\x9c",
    "\x90PWND\x9c",
)
"""A title, the clipboard, an empty screen, the other screen, strings for devices and programs, a reset."""

HOSTILE: Final = f"""
import os
import sys
from flux_engine import create_workflow

ALL = {"".join(ORDERS)!r}

def make(ctx):
    "Makes {"".join(ORDERS).encode("unicode_escape").decode()}."
    ctx.data.text = ALL
    ctx.data[ALL] = [ALL, {{ALL: ALL}}]
    if "SILENT" not in os.environ:
        print("log", ALL)
        print("error", ALL, file=sys.stderr)
        os.write(1, b"raw " + ALL.encode("latin-1") + b"\\n")
    return ALL

def fail(ctx):
    if "SILENT" not in os.environ:
        print("log", ALL)
    raise ValueError("failed " + ALL)

orders = create_workflow("orders " + ALL).step("make", make).step("fail " + ALL, fail)
"""

RAW: Final = tuple(order.encode() for order in ORDERS) + tuple(order.encode("latin-1") for order in ORDERS)
CONTROL: Final = re.compile(rb"[\x00-\x06\x07\x0b\x0c\x0e-\x1a\x7f]|\xc2[\x80-\x9f]")
"""What neither the dashboard nor a command writes: the bell, C1 characters, and all but line ends and ESC."""

POINTER: Final = re.compile(rb"\x1b\]22;[a-z-]+\x07")
"""The shape of the mouse pointer, which the dashboard sets."""

COLOURS: Final = re.compile(rb"\x1b\[[\d;]*m")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder with one hostile workflow."""
    (tmp_path / "orders.py").write_text(HOSTILE)
    return tmp_path


@pytest.fixture
def opened() -> Iterator[list[Terminal]]:
    """Terminals to close at the end."""
    terminals: list[Terminal] = []
    yield terminals
    for terminal in terminals:
        terminal.close()


def is_clean(written: bytes) -> bool:
    """Say whether the orders were shown, and none of them as an order."""
    assert b"PWND" in written
    assert [order for order in RAW if order in written] == []
    written = POINTER.sub(b"", written)
    assert [written[found.start() - 20 : found.end() + 20] for found in CONTROL.finditer(written)] == []
    return True


def test_no_view_of_the_dashboard_passes_an_order_on(project: Path, opened: list[Terminal]) -> None:
    """Every tab, the help and the palette are drawn, and the title of the window stays."""
    terminal = Terminal(project)
    opened.append(terminal)
    terminal.sees("● ready", "orders")
    terminal.press("r")
    terminal.sees("Run orders")
    terminal.press("\x13")
    terminal.sees("✖ fail", "ValueError: failed")
    for key, seen in (
        ("D", "Input of the run"),
        ("L", "log "),
        ("V", "workflow"),
        ("S", "orders.py"),
        ("I", "make"),
    ):
        terminal.press(key)
        terminal.sees(seen)
    terminal.press("E?")
    terminal.sees("Keys")
    terminal.press("\x1b")
    terminal.press("\x10")
    terminal.sees("Search")
    terminal.press("\x1b")
    assert is_clean(terminal.written)


def test_no_command_passes_an_order_on(project: Path, opened: list[Terminal]) -> None:
    """What a command writes to a terminal has colours in it and nothing else.

    What a handler itself prints in ``flux run`` is its own: it goes to the terminal as it is.
    """
    for arguments in (
        ["run", "orders.py", "--run-id", "run1"],
        ["runs", "list"],
        ["runs", "show", "run1"],
        ["runs", "show", ORDERS[2]],
    ):
        terminal = Terminal(project, *arguments, program="main", environ={"SILENT": "1"})
        opened.append(terminal)
        terminal.end()
        assert is_clean(terminal.written)
        assert b"\x1b" not in COLOURS.sub(b"", terminal.written)
