"""JSON as a person types it: read with the place of the first mistake."""

import json
from typing import Any

from msgspec import Struct


class JsonProblem(Struct, frozen=True, kw_only=True):
    """Why a text is no JSON. ``line`` and ``column`` count from 1."""

    line: int
    column: int
    message: str

    @property
    def text(self) -> str:
        """The problem in one line."""
        return f"line {self.line}, column {self.column}: {self.message}"


def read_json(text: str) -> Any:
    """Return the value of a JSON text, or a ``JsonProblem``."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return JsonProblem(line=error.lineno, column=error.colno, message=_plainer(error, text))
    except (ValueError, RecursionError) as error:
        return JsonProblem(line=1, column=1, message=str(error) or "too deep")


def write_json(value: Any) -> str:
    """Return a value as JSON to edit."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _plainer(error: json.JSONDecodeError, text: str) -> str:
    if not text.strip():
        return "nothing is written yet"
    rest = text[error.pos :].lstrip()
    if not rest:
        return "the text ends too early"
    if rest[0] == "'":
        return 'strings need double quotes: "'
    if text[: error.pos].rstrip().endswith(",") and rest[0] in "]}":
        return "a comma too many"
    return error.msg[0].lower() + error.msg[1:]
