"""The page of all keys in the documentation: ``python -m flux_tui.keys_page`` prints it."""

import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from textual.binding import Binding

from flux_tui import actions, key_help

HEAD: Final = """\
# Keys

Press `?` in the dashboard for the same list, with a search and with the reason where something cannot be done
just now. `ctrl+p` finds every action by name. A key that is not for the part of the screen that has the focus
goes on to the whole screen.

Each key can be changed by its id, in `pyproject.toml`:

```toml
[tool.flux.keymap]
retry = "f5"
run = "r,f6"
pause = ""                 # no key
```

Keys are letters, digits, signs, `f1` to `f12`, `enter`, `up`, `space` and so on, after `ctrl+`, `alt+` or
`shift+` where that is wanted. A key that two would have, one that hides another, an id or a key that nobody
knows, and a keymap that leaves no key for help or for quitting are told at the start, with the file. Help has
clashes on top, and says what was rebound. In brackets stands the command that does the same.
"""


def page() -> str:
    """Return the page: the actions by group, then the keys of each part of the screen and of each dialog."""
    return HEAD + "".join(_sections())


def _sections() -> Iterator[str]:
    for group, members in groupby(actions.ACTIONS, key=lambda action: action.group):
        rows = [(_keys(action.keys), action.id, _described(action)) for action in members]
        yield _table(group, ("key", "id", "what it does"), rows)
    for title, part in (*key_help.PARTS, *key_help.DIALOGS):
        own = [each for each in part.__dict__.get("BINDINGS", ()) if isinstance(each, Binding)]
        rows = [(_keys(each.key.split(",")), each.id or "", each.description) for each in own]
        yield _table(title, ("key", "id", "what it does"), rows)


def _described(action: actions.Action) -> str:
    return action.description if action.command is None else f"{action.description} (`{action.command}`)"


def _keys(keys: Sequence[str]) -> str:
    return " ".join(f"`{actions.key_text(key).replace('^', 'ctrl+')}`" for key in keys) or "(palette)"


def _table(title: str, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"\n## {title}\n", _line(head), _line("---" for _ in head)]
    cells = ((keys, f"`{name}`", text.replace("|", "\\|")) for keys, name, text in rows)
    return "\n".join([*lines, *map(_line, cells)]) + "\n"


def _line(cells: Sequence[str] | Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(page())
