"""How what is being typed into the filter may go on."""

from collections.abc import Iterable, Sequence
from typing import Final

from flux_tui.model.filter import FIELDS, STATUSES

PLACEHOLDER: Final = "status:failed since:2h !text"
_NAMES: Final = ("status:", "since:", "workflow:", "before:", "after:", "took:", "id:")
_VALUES: Final[dict[str, Sequence[str]]] = {
    "status": ("failed", "interrupted", *STATUSES),
    "since": ("2h", "10m", "today", "yesterday"),
    "before": ("2h", "today", "yesterday"),
    "took": (">5s", "<100ms"),
}


def continued(text: str, workflows: Iterable[str]) -> str | None:
    """Return the text with its last word completed, or ``None`` when nothing suggests itself."""
    word = text.rpartition(" ")[2].removeprefix("!")
    if not word:
        return None
    name, colon, value = word.partition(":")
    if not colon:
        return _with_rest(text, word, _NAMES)
    field = FIELDS.get(name.casefold(), "")
    if field == "workflow":
        return _with_rest(text, value.removeprefix("="), (name for name in workflows if " " not in name))
    return _with_rest(text, value.rpartition(",")[2], _VALUES.get(field, ()))


def _with_rest(text: str, part: str, words: Iterable[str]) -> str | None:
    low = part.casefold()
    fitting = (word for word in words if word.casefold().startswith(low) and len(word) > len(part))
    word = next(fitting, None)
    return None if word is None else text + word[len(part) :]
