"""Which fields of a form hold secrets, and the JSON of a field with its secrets masked."""

from flux_tui.model.declared import is_declared
from flux_tui.model.form import Field, Kind, Raw
from flux_tui.model.json_text import JsonProblem, read_json, write_json
from flux_tui.model.masked_json import MaskedJson
from flux_tui.model.secrets import MASK, Secrets

_WHOLE = write_json(MASK)


def is_secret(field: Field, secrets: Secrets) -> bool:
    """Say whether all of a field is a secret: by its name, or because its schema says so."""
    return field.name in secrets or is_declared(field.schema)


class SecretJson:
    """What the JSON of a field is shown as, and what is meant when that is edited."""

    def __init__(self, field: Field, secrets: Secrets) -> None:
        self.revealed = False
        self.hides = False
        self._is_json = field.kind is Kind.JSON
        self._is_secret = is_secret(field, secrets)
        self._masked = MaskedJson(secrets)
        self._kept = ""

    def write(self, raw: str) -> str:
        """Return the text to show for what the field holds."""
        value = read_json(raw)
        if isinstance(value, JsonProblem):
            return raw
        self._kept = raw
        text = _WHOLE if self._is_secret and value else self._masked.write(value)
        self.hides = MASK in text
        return text if self.hides and not self.revealed else raw

    def read(self, text: str) -> str:
        """Return what the field holds when this is the text."""
        if MASK not in text:
            return text
        if text.strip() == _WHOLE and self._is_secret:
            return self._kept
        value = self._masked.read(text)
        return text if isinstance(value, JsonProblem) else write_json(value)

    def has_mask(self, raw: Raw) -> bool:
        """Whether the field holds a mask that stands for nothing."""
        return self._is_json and MASK in str(raw) and MASK not in self._kept
