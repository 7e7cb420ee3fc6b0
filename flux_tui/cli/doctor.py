"""``flux doctor``: what is wrong here, and what to do about it."""

import os
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import msgspec
import typer

from flux_tui.cli.epilogs import epilog
from flux_tui.cli.options import Db, Json, Trace
from flux_tui.cli.terminal import Look, look_of
from flux_tui.doctor import Check, State, examine
from flux_tui.model.json_text import write_json
from flux_tui.model.text import printable

FOUND: Final = 1
_SIGNS: Final = {
    State.GOOD: ("✔", "v", "success"),
    State.WARNING: ("▲", "!", "warning"),
    State.BAD: ("✖", "x", "error"),
}


def add_to(app: typer.Typer) -> None:
    """Add the command to an app."""
    app.command(
        "doctor",
        epilog=epilog("flux doctor", "flux doctor --json", codes={FOUND: "something does not work"}),
    )(doctor)


def doctor(*, db: Db = None, trace: Trace = None, as_json: Json = False) -> None:
    """Look over store, trace, runs, settings, modules and terminal, and say what to do.

    Nothing is changed. The modules are imported in a process of their own.
    """
    look = look_of(sys.stdout)
    area = ""
    found: list[Check] = []
    for check in examine(Path.cwd(), {"db": db, "trace": trace}, os.environ, sys.stdout):
        found.append(check)
        if not as_json:
            for line in _lines(check, look, titled=check.area != area):
                typer.echo(line)
        area = check.area
    counts = Counter(check.state for check in found)
    if as_json:
        checks = [msgspec.to_builtins(check) for check in found]
        typer.echo(write_json({"ok": not counts[State.BAD], "checks": checks}))
    else:
        typer.echo(_summary(counts), err=True)
    raise typer.Exit(FOUND if counts[State.BAD] else 0)


def _lines(check: Check, look: Look, *, titled: bool) -> list[str]:
    sign, plain, tone = _SIGNS[check.state]
    lines = [check.area] if titled else []
    lines.append(f"  {look.toned(look.sign(sign, plain), tone)} {printable(check.text)}")
    if check.advice:
        lines.append(f"    {look.sign('→', '->')} {printable(check.advice)}")
    return lines


def _summary(counts: Counter[State]) -> str:
    if counts[State.BAD]:
        return f"{counts[State.BAD]} that must be put right, {counts[State.WARNING]} to look at"
    return f"{counts[State.WARNING]} to look at" if counts[State.WARNING] else "all is well"
