"""What the terminal can show, and which tools there are for the clipboard and for editing."""

import shlex
import shutil
from collections.abc import Iterator, Mapping
from typing import Final, TextIO

from flux_tui import clipboard, editor
from flux_tui.cli.terminal import look_of
from flux_tui.doctor.check import Check, good, warning

AREA: Final = "terminal"
LEAST: Final = (60, 16)


def check_terminal(
    stream: TextIO, environ: Mapping[str, str], *, editor_setting: str | None
) -> Iterator[Check]:
    """Look at the terminal that a stream leads to, if it is one."""
    if stream.isatty():
        yield _size()
        yield _colours(environ)
    else:
        yield good(AREA, "none here: size and colours were not looked at")
    if look_of(stream).ascii:
        text = f"its encoding is {stream.encoding}: Unicode cannot be shown"
        yield warning(AREA, text, "export LANG=C.UTF-8; until then all is drawn with ASCII")
    else:
        yield good(AREA, "shows Unicode")
    tool = clipboard.tool(environ)
    name = (
        "the terminal's own way (OSC 52)"
        if tool is None
        else f"{tool[0]}, and the terminal's own way (OSC 52)"
    )
    yield good(AREA, f"copies with {name}")
    yield _editor(editor.editor(editor_setting, environ), environ)


def _size() -> Check:
    columns, rows = shutil.get_terminal_size()
    text = f"{columns} columns, {rows} rows"
    if columns < LEAST[0] or rows < LEAST[1]:
        return warning(
            AREA, text, f"the dashboard needs {LEAST[0]} columns and {LEAST[1]} rows: make it larger"
        )
    return good(AREA, text)


def _colours(environ: Mapping[str, str]) -> Check:
    term, truecolor = environ.get("TERM", ""), environ.get("COLORTERM", "") in ("truecolor", "24bit")
    if environ.get("NO_COLOR"):
        return good(AREA, "no colours, as NO_COLOR asks for")
    if term in ("", "dumb"):
        return warning(
            AREA, f"TERM is {term or 'not set'}: no colours", "export TERM=xterm-256color, if it is one"
        )
    if truecolor or term.endswith("-direct"):
        return good(AREA, "all colours")
    if "256" in term:
        return good(AREA, f"256 colours (TERM={term})")
    return warning(
        AREA, f"16 colours (TERM={term})", "the theme flux-16 is made for that: flux dev --theme flux-16"
    )


def _editor(command: str | None, environ: Mapping[str, str]) -> Check:
    if command is None:
        return warning(
            AREA, "no editor is set: o cannot open a step's code", "export EDITOR=…, or editor = in flux.toml"
        )
    program = (shlex.split(command) or [""])[0]
    if shutil.which(program, path=environ.get("PATH")) is None:
        return warning(
            AREA, f"the editor {program!r} is not found", "correct $EDITOR, or editor = in flux.toml"
        )
    return good(AREA, f"opens code with {command}")
