"""The page of all commands: ``uv run python -m flux_tui.cli.commands_page > docs/commands.md``."""

import inspect
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any, Final

import typer

from flux_tui import actions
from flux_tui.cli.commands import COMMAND_MODULES, root_app

INTRODUCTION: Final = """\
# Commands

`flux` has a command for everything that the dashboard does; `flux-tui` is `flux dev`. `flux COMMAND --help`
shows what is on this page.

- **Data goes to standard output, everything else to standard error**, what handlers print included. `--json`
  writes one JSON document, or a line for each event of a trace.
- **A run** is named by its id or the beginning of it. **A target** is `FILE.py:VAR`, or `FILE.py` if it has
  one workflow.
- **Store and trace** are those of the current folder, `.flux/flux.db` and `.flux/trace.ndjson`, unless
  `--db`, `--trace` or [the configuration](configuration.md) say otherwise. To look makes neither.
  The store may be [on a server](remote-stores.md): `--db postgresql://…`.
- **Secrets** are masked; `--reveal` shows them where it is offered.
- **Exit codes**: 0 done, 1 a run failed (or what the command says), 2 bad use or nothing done, 130 Ctrl-C.

The shell completes commands, options, runs, workflows, steps and targets, and imports no module of yours:

```console
flux --install-completion
```
"""

HEAD: Final = "flux"


def every_command() -> dict[str, Any]:
    """Return all commands by what is typed for them, ``flux`` itself among them."""
    app = root_app()
    for module in COMMAND_MODULES.values():
        import_module(module).add_to(app)
    root = typer.main.get_command(app)
    return {HEAD: root, **dict(_leaves(HEAD, root))}


def _leaves(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    for name, child in getattr(command, "commands", {}).items():
        if hasattr(child, "commands"):
            yield from _leaves(f"{path} {name}", child)
        else:
            yield f"{path} {name}", child


def options_of(command: Any) -> set[str]:
    """Return the options of a command, in all their spellings."""
    return {option for each in command.params for option in (*each.opts, *each.secondary_opts)} | {"--help"}


def command_of(words: list[str], commands: dict[str, Any]) -> str:
    """Return which command a line is. Raises ``KeyError`` when there is none."""
    for length in (3, 2, 1):
        path = " ".join(words[:length])
        if path in commands and (length > 1 or all(word.startswith("-") for word in words[1:2])):
            return path
    raise KeyError(" ".join(words))


def page() -> str:
    """Return the page."""
    commands = every_command()
    del commands[HEAD]
    parts = [INTRODUCTION, *(_section(path, command) for path, command in commands.items()), _twins()]
    return "\n".join(parts)


def _section(path: str, command: Any) -> str:
    arguments = " ".join(
        each.metavar
        if "[" in (each.metavar or "") or each.required
        else f"[{each.metavar or each.name.upper()}]"
        for each in _arguments(command)
    )
    paragraphs = inspect.cleandoc(command.help).replace("\x0c", "").split("\n\n")
    said = "\n\n".join(" ".join(_marked(paragraph).split()) for paragraph in paragraphs)
    found = re.fullmatch(r"\x08\nExamples:\n(.*)\n\n\x08\n(Exit codes: .*)", command.epilog, re.DOTALL)
    examples, codes = (found[1], found[2]) if found else ("", "")
    lines = "\n".join(line.strip() for line in examples.splitlines())
    head = f"## {path}\n\n`{path} {arguments}`".rstrip(" `") + "`"
    return f"{head}\n\n{said}\n\n```console\n{lines}\n```\n\n{_options(command)}\n{codes}\n"


def _arguments(command: Any) -> list[Any]:
    return [each for each in command.params if each.param_type_name == "argument"]


def _options(command: Any) -> str:
    rows = [
        f"| {' '.join(f'`{option}`' for option in each.opts)}{_metavar(each)} | {_marked(each.help or '')} |"
        for each in command.params
        if each.param_type_name == "option" and each.help
    ]
    return "\n".join(["| option | |", "|---|---|", *rows, ""]) if rows else ""


def _metavar(option: Any) -> str:
    if option.is_flag:
        return ""
    return " `" + (option.metavar or "VALUE").replace("|", "\\|") + "`"


def _marked(text: str) -> str:
    """Return a text with its options and file names as code, and nothing in it that ends a cell."""
    return re.sub(r"(?<![\w`-])(--[a-z][a-z-]*)", r"`\1`", text).replace("|", "\\|")


def _twins() -> str:
    """Return the actions of the dashboard with the commands that do the same."""
    rows = [
        f"| {action.title.removesuffix('…')} | `{action.command}` |"
        for action in actions.ACTIONS
        if action.command is not None
    ]
    return "\n".join(
        ["## In the dashboard and on the command line", "", "| action | command |", "|---|---|", *rows, ""]
    )


if __name__ == "__main__":
    sys.stdout.write(page())
