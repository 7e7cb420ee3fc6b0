"""JSON as a person types it: read with the place of the first mistake."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from flux_engine.codec import encode
from flux_tui.model.remade import Done, remade

MOST_INDENTED: Final = 100
_TOO_FAR_IN: Final = "\n" + "  " * (MOST_INDENTED + 1)
_INVISIBLE: Final = re.compile(
    "[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


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
        return _problem(error, text)
    except (ValueError, RecursionError) as error:
        return JsonProblem(line=1, column=1, message=str(error) or "too deep")


def write_json(value: Any) -> str:
    """Return a value as JSON to edit; characters that cannot be seen are escaped."""
    text = indented(value)
    return _INVISIBLE.sub(lambda match: json.dumps(match.group())[1:-1], text)


def indented(value: Any) -> str:
    """Return a value as JSON to read, a line for each item, indented up to ``MOST_INDENTED`` levels."""
    try:
        text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
    except RecursionError:
        return "".join(_deep(value))
    return "".join(_deep(value)) if _TOO_FAR_IN in text else text


def _deep(value: Any) -> Iterator[str]:
    """Yield a value as indented JSON, however deep it is; below ``MOST_INDENTED`` it is indented no more."""
    waiting: list[tuple[str, Any, int]] = [("", value, 0)]
    while waiting:
        before, each, depth = waiting.pop()
        yield before
        if type(each) is Done:
            continue
        if not each or not isinstance(each, Mapping | list | tuple):
            yield json.dumps(each, ensure_ascii=False, default=str)
            continue
        begin, end = "{}" if isinstance(each, Mapping) else "[]"
        outer, inner = ("\n" + "  " * min(level, MOST_INDENTED) for level in (depth, depth + 1))
        yield begin
        waiting.append((outer + end, Done(None), depth))
        if isinstance(each, Mapping):
            names = [f"{inner}{json.dumps(str(key), ensure_ascii=False)}: " for key in each]
            items = list(each.values())
        else:
            names, items = [inner] * len(each), list(each)
        behind = [f",{name}" if at else name for at, name in enumerate(names)]
        waiting += reversed([(name, item, depth + 1) for name, item in zip(behind, items, strict=True)])


def tagged(value: Any) -> Any:
    """Return a value as JSON, what JSON has not in the tagged form of the codec; tags stay as they are."""
    return remade(value, _tagged)


def _tagged(value: Any) -> Any:
    if isinstance(value, Mapping) and all(type(key) is str for key in value):
        return dict(value)
    if type(value) is list:
        return value.copy()
    if value is None or type(value) in (str, bool, int, float):
        return value
    return Done(json.loads(encode(value)))


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _problem(error: json.JSONDecodeError, text: str) -> JsonProblem:
    """Return the problem in the same words and at the same place in every version of Python."""
    if text[error.pos : error.pos + 1] == "," and error.msg.startswith("Illegal trailing comma"):
        behind = error.pos + 1 + len(text[error.pos + 1 :]) - len(text[error.pos + 1 :].lstrip())
        error = json.JSONDecodeError("Expecting value", text, behind)
    return JsonProblem(line=error.lineno, column=error.colno, message=_plainer(error, text))


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
