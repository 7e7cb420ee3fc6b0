"""Data that a person has edited, as values again.

It is shown and typed in the form in which it is stored: what JSON has not has a tag.
"""

import json
from collections.abc import Mapping
from typing import Any

from flux_engine.codec import decode


def edited_values(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data with its tagged values as what they stand for.

    Raises ``UnknownTypeError`` for classes of modules that are not loaded, ``SerializationError`` for a tag
    that does not fit what it has.
    """
    return {key: edited_value(value) for key, value in data.items()}


def edited_value(value: Any) -> Any:
    """Return a value that was edited; raises as ``edited_values``."""
    return decode(json.dumps(value))
