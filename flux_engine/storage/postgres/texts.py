"""Texts as PostgreSQL can hold them.

Its texts have no NUL character, and no half of a surrogate pair; a run's id, the name of a step or the
message of an error may have both. Such a character is kept as a mark and four hexadecimal digits.
"""

import re

_MARK = "\uf5ff"  # of the private use area; kept in the same way where it comes by itself
_UNKEEPABLE = re.compile(f"[\0{_MARK}\ud800-\udfff]")
_KEPT = re.compile(f"{_MARK}([0-9a-f]{{4}})")


def kept(text: str) -> str:
    """Return the text as it is stored."""
    if text.isascii():
        if "\0" not in text:
            return text
    elif _UNKEEPABLE.search(text) is None:
        return text
    return _UNKEEPABLE.sub(lambda found: f"{_MARK}{ord(found[0]):04x}", text)


def given(text: str) -> str:
    """Return what ``kept`` was given."""
    if text.isascii() or _MARK not in text:
        return text
    return _KEPT.sub(lambda found: chr(int(found[1], 16)), text)


def optionally_kept(text: str | None) -> str | None:
    """Return a text as ``kept`` does, ``None`` for none."""
    return None if text is None else kept(text)


def optionally_given(text: str | None) -> str | None:
    """Return a text as ``given`` does, ``None`` for none."""
    return None if text is None else given(text)
