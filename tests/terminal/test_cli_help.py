"""The help of every command: examples that are right, and exit codes."""

import re
import shlex
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import typer

from flux_tui.cli.commands import _MODULES


def every_command() -> dict[str, Any]:
    """Return all commands by what is typed for them."""
    app = typer.Typer(rich_markup_mode=None)
    app.callback()(lambda: None)
    for module in _MODULES.values():
        import_module(module).add_to(app)
    return dict(_leaves("flux", typer.main.get_command(app)))


def _leaves(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    for name, child in getattr(command, "commands", {}).items():
        if hasattr(child, "commands"):
            yield from _leaves(f"{path} {name}", child)
        else:
            yield f"{path} {name}", child


COMMANDS = every_command()
PRINTING = {"flux dev", "flux mcp", "flux runs test"}
"""Commands that write no JSON: a dashboard, a server, and a file of Python."""


def options_of(command: Any) -> set[str]:
    """Return the options that a command has."""
    return {option for each in command.params for option in (*each.opts, *each.secondary_opts)}


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_shows_examples_and_exit_codes(path):
    """The examples are of this very command, with options that it has; line breaks are kept."""
    command = COMMANDS[path]
    examples, codes = re.fullmatch(
        r"\x08\nExamples:\n(.*)\n\n\x08\nExit codes: (.*)", command.epilog, re.DOTALL
    ).groups()
    lines = [line.strip() for line in examples.splitlines()]
    assert any(line.startswith(path) for line in lines)
    for line in lines:
        words = shlex.split(line.partition("|")[0].partition(" > ")[0], comments=False)
        found = max((name for name in COMMANDS if " ".join(words).startswith(name)), key=len, default=None)
        if found is not None:
            assert {word for word in words if word.startswith("-") and len(word) > 1} <= options_of(
                COMMANDS[found]
            ), line
    assert codes.startswith("0 done")
    assert "2 bad use" in codes


@pytest.mark.parametrize("path", sorted(COMMANDS.keys() - PRINTING))
def test_every_command_can_write_json(path):
    """For programs that read what it says."""
    assert "--json" in options_of(COMMANDS[path])


def test_pruning_is_found_in_both_places():
    """It is one command with two names."""
    assert COMMANDS["flux prune"].callback.__wrapped__ is COMMANDS["flux runs prune"].callback.__wrapped__
