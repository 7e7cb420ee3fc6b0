"""The help of every command: examples that are right, and exit codes."""

import re
import shlex
from pathlib import Path

import pytest

from flux_tui.cli.commands_page import command_of, every_command, options_of, page

COMMANDS = {path: command for path, command in every_command().items() if path != "flux"}
PRINTING = {"flux dev", "flux mcp", "flux runs test"}
"""Commands that write no JSON: a dashboard, a server, and a file of Python."""


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
        if words[0] == "flux":
            named = {word for word in words if word.startswith("-") and len(word) > 1}
            assert named <= options_of(COMMANDS[command_of(words, COMMANDS)]), line
    assert codes.startswith("0 done")
    assert "2 bad use" in codes


@pytest.mark.parametrize("path", sorted(COMMANDS.keys() - PRINTING))
def test_every_command_can_write_json(path):
    """For programs that read what it says."""
    assert "--json" in options_of(COMMANDS[path])


def test_pruning_is_found_in_both_places():
    """It is one command with two names."""
    assert COMMANDS["flux prune"].callback.__wrapped__ is COMMANDS["flux runs prune"].callback.__wrapped__


def test_the_page_of_the_commands_is_up_to_date():
    """After a command changed: ``uv run python -m flux_tui.cli.commands_page > docs/commands.md``."""
    assert (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8") == page()
