"""The fields that hold secrets by their type: those of an input that are ``SecretStr`` or the like."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

_FORMS: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_PARTS: Final = ("items", "additionalProperties")


class DeclaredNames:
    """Names of such fields, of every workflow that this process knows."""

    def __init__(self) -> None:
        self._names: frozenset[str] = frozenset()

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def add(self, names: Iterable[str]) -> None:
        """Take these names for secret keys from now on."""
        self._names |= frozenset(names)

    def forget(self) -> None:
        """Know no names any more."""
        self._names = frozenset()


declared: Final = DeclaredNames()
"""The names of this process."""


def is_declared(schema: Any) -> bool:
    """Say whether the schema of a field describes a secret, or a list or mapping of secrets."""
    if not isinstance(schema, Mapping):
        return False
    if schema.get("writeOnly") is True or schema.get("format") == "password":
        return True
    forms = (each for key in _FORMS for each in _listed(schema.get(key)))
    return any(map(is_declared, (*forms, *(schema.get(key) for key in _PARTS))))


def declared_in(description: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the secret fields, at any depth, of the input that a workflow describes."""
    return frozenset(_names(description.get("input_schema")))


def _names(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        fields = schema.get("properties")
        if isinstance(fields, Mapping):
            yield from (str(name) for name, field in fields.items() if is_declared(field))
        for part in schema.values():
            yield from _names(part)
    for part in _listed(schema):
        yield from _names(part)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
