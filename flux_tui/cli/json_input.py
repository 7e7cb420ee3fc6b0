"""JSON given on the command line: as text, ``@file``, or ``-`` for standard input."""

import json
import sys
from pathlib import Path
from typing import Any

from flux_tui.cli.errors import UsageError


def read_json(option: str, value: str) -> Any:
    """Return the JSON value that an option stands for. Raises ``UsageError`` naming line and column."""
    place, text = _source(option, value)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = text.splitlines()[error.lineno - 1] if text.splitlines() else ""
        pointer = f"\n  {line}\n  {' ' * (error.colno - 1)}^" if line.isprintable() and line else ""
        raise UsageError(
            f"{place} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.{pointer}"
        ) from None


def read_json_object(option: str, value: str) -> dict[str, Any]:
    """Return the JSON object that an option stands for."""
    found = read_json(option, value)
    if not isinstance(found, dict):
        raise UsageError(f"{option}: expected a JSON object, found {json.dumps(found)[:80]}")
    return found


def _source(option: str, value: str) -> tuple[str, str]:
    if value == "-":
        return "standard input", sys.stdin.read()
    if not value.startswith("@"):
        return option, value
    path = Path(value[1:])
    try:
        return str(path), path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{option}: {path} cannot be read: {error}") from None
