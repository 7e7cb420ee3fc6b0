"""Secrets of pydantic in an input: stored as they are, since a run has no other way to come by them.

Pydantic writes ``**********`` where a ``SecretStr`` stands, and as the default of one in a schema. Stored,
that would be the input of the run.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import Secret, SecretBytes, SecretStr, TypeAdapter
from pydantic_core import to_jsonable_python

_KINDS: Final = (Secret, SecretBytes, SecretStr)
_STARS: Final = "**"


def has_secrets(adapter: TypeAdapter[Any]) -> bool:
    """Say whether a value of this type can hold a secret."""
    return any(
        isinstance(kind := node.get("cls"), type) and issubclass(kind, _KINDS)
        for node in _nodes(adapter.core_schema)
        if node.get("type") == "is-instance"
    )


def _nodes(schema: Any) -> Iterator[Mapping[str, Any]]:
    left, seen = [schema], set()
    while left:
        node = left.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Mapping):
            yield node
            left += node.values()
        elif isinstance(node, list | tuple):
            left += node


def with_secrets(dumped: Any, value: Any) -> Any:
    """Return a value dumped for JSON with its secrets in it. ``value`` is the same dumped for Python."""
    if isinstance(value, _KINDS):
        return to_jsonable_python(value.get_secret_value())
    if isinstance(value, Mapping) and isinstance(dumped, dict):
        pairs = zip(dumped.items(), value.values(), strict=True)
        return {key: with_secrets(shown, item) for (key, shown), item in pairs}
    if isinstance(value, list | tuple | set | frozenset) and isinstance(dumped, list):
        return [with_secrets(*both) for both in zip(dumped, value, strict=True)]
    return dumped


def without_masks(schema: Any) -> Any:
    """Return a JSON schema without the defaults that are only shown as stars."""
    if isinstance(schema, list):
        return [without_masks(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: without_masks(item) for key, item in schema.items() if key != "default" or not _is_masked(item)
    }


def _is_masked(default: Any) -> bool:
    if isinstance(default, Mapping):
        return any(map(_is_masked, default.values()))
    if isinstance(default, list):
        return any(map(_is_masked, default))
    return isinstance(default, str) and _STARS in default
