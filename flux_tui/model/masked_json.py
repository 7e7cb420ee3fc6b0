"""JSON to edit in which secrets are masks: what the masks stand for is put back when it is read."""

from typing import Any, Final

from flux_tui.model.json_text import JsonProblem, read_json, write_json
from flux_tui.model.secrets import MASK, Secrets

NOWHERE: Final = f"{MASK} stands for nothing here: write the value, or show the secrets first"


class MaskedJson:
    """Writes values as text and reads them again. ``revealed`` writes them with their secrets.

    ``value`` is what was written last, ``hides`` whether there are secrets in it.
    """

    def __init__(self, secrets: Secrets) -> None:
        self.revealed = False
        self.hides = False
        self.value: Any = None
        self._secrets = secrets

    def write(self, value: Any) -> str:
        """Return a value as text; its secrets are masked."""
        masked = write_json(self._secrets.redact(value))
        self.value, self.hides = value, MASK in masked
        return write_json(value) if self.revealed else masked

    def read(self, text: str) -> Any:
        """Return the value of a text, with the secrets that its masks stand for, or a ``JsonProblem``."""
        return unmasked(text, self.value, self._secrets)


def unmasked(text: str, before: Any, secrets: Secrets) -> Any:
    """Return the value of an edited text: masks that were left count as what they hide in ``before``.

    A mask that came to stand where nothing is hidden is a ``JsonProblem``: it would be taken for the value.
    """
    value = read_json(text)
    if isinstance(value, JsonProblem):
        return value
    value = secrets.restore(value, before)
    if _has_mask(value) and not _has_mask(before):
        line, column = _place_of_mask(text)
        return JsonProblem(line=line, column=column, message=NOWHERE)
    return value


def _has_mask(value: Any) -> bool:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str) and MASK in each:
            return True
        if isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list | tuple):
            waiting += each
    return False


def _place_of_mask(text: str) -> tuple[int, int]:
    before, found, _ = text.partition(MASK)
    if not found:  # it is written with escapes
        return 1, 1
    return before.count("\n") + 1, len(before) - before.rfind("\n")
