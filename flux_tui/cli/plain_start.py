"""A dashboard that is opened with plain words: paths, and options written in full with their value behind.

That is how it nearly always is opened, and to import the parser of the commands for it takes longer than to
make the first frame. Everything else, mistakes included, is left to that parser.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

_SWITCHES: Final = {"--read-only": "read_only", "--ascii": "ascii_only"}
_OPTIONS: Final = {"--db": ("db", str), "--trace": ("trace", Path), "--theme": ("theme", str)}


def opened_plainly(words: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Open the dashboard if all words are plain, and end the process with it; else return ``False``."""
    asked_for = plain_arguments(words)
    if asked_for is None or os.name == "nt" or any(name.endswith("_COMPLETE") for name in environ):
        return False
    from flux_tui.cli.errors import INTERRUPTED, errors_told  # noqa: PLC0415 - for plain words only
    from flux_tui.cli.opening import open_dashboard  # noqa: PLC0415 - as above

    with errors_told():
        try:
            code = open_dashboard(**asked_for)
        except KeyboardInterrupt:
            code = INTERRUPTED
        raise SystemExit(code)


def plain_arguments(words: Sequence[str]) -> dict[str, Any] | None:
    """Return what the words ask ``open_dashboard`` for, or ``None`` if one of them is not plain."""
    paths: list[Path] = []
    given: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        if word in _SWITCHES:
            given[_SWITCHES[word]] = True
        elif word in _OPTIONS:
            name, kind = _OPTIONS[word]
            value = next(rest, "")
            if not _is_plain(value):
                return None
            given[name] = kind(value)
        elif _is_plain(word):
            paths.append(Path(word))
        else:
            return None
    return given | {"paths": paths or None}


def _is_plain(word: str) -> bool:
    return word != "" and not word.startswith("-")
