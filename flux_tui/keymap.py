"""What a keymap does to the keys: which clash, which hide others, and which names nobody knows. Pure.

Keys that lie over each other by design are none of its business: only what the keymap changed is told.
"""

import difflib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from textual.binding import Binding
from textual.keys import KEY_NAME_REPLACEMENTS, KEY_TO_UNICODE_NAME, Keys

from flux_tui.actions.keys import key_text

Keymap = Mapping[str, str]

NO_KEY: Final = "none"
"""Written in the place of a key by those who want none. No terminal sends it."""

MODIFIERS: Final = ("ctrl", "shift", "alt", "meta", "super", "hyper")
NEEDED: Final = {"quit": "Flux is left", "help": "this list of keys is shown"}
"""The actions that must have a key, and what happens when it is pressed."""

_NAMES: Final = frozenset(
    (
        *(key.value for key in Keys),
        *KEY_NAME_REPLACEMENTS.values(),
        *KEY_TO_UNICODE_NAME,
        "space",
        "full_stop",
    )
)


class Key(Struct, frozen=True, kw_only=True):
    """What can be bound: its id, its own keys, and the part of the screen where they work.

    ``part`` is empty for what works everywhere; a ``modal`` part hears its own keys only. ``around`` are
    the more general parts whose keys work there too.
    """

    id: str
    keys: tuple[str, ...]
    title: str = ""
    part: str = ""
    modal: bool = False
    around: tuple[str, ...] = ()

    def hides(self, other: "Key") -> bool:
        """Whether this one wins over another one for which the same key is pressed."""
        return other.part in self.around or bool(self.part and not other.part and not self.modal)


class Clash(Struct, frozen=True, kw_only=True):
    """A key that is wanted twice. ``hides`` says that the first one wins where both could be meant."""

    key: str
    ids: tuple[str, str]
    part: str = ""
    hides: bool = False

    @property
    def text(self) -> str:
        """The clash as a sentence."""
        one, other = self.ids
        key = key_text(self.key)
        if self.hides:
            return f"{key} is {one!r} {self.part}, which hides {other!r}"
        return f"{key} is the key of {one!r} and of {other!r}"


def keys_with(key: Key, keymap: Keymap) -> tuple[str, ...]:
    """Return the keys of something under a keymap, by their long names."""
    bound = keymap.get(key.id)
    names = key.keys if bound is None else tuple(bound.split(","))
    return tuple(long for name in names if (long := long_name(name)) and long != NO_KEY)


def long_name(key: str) -> str:
    """Return the name that a key has here: ``question_mark`` for ``?``, ``ctrl+t`` for `` Ctrl+T ``."""
    key = key.strip()
    if len(key) <= 1:
        return _of_character(key) if key else ""
    *modifiers, name = key.split("+")
    known = _of_character(name) if len(name) == 1 and not modifiers else name.lower()
    return "+".join([*(each.lower() for each in modifiers), known])


def for_textual(keymap: Keymap) -> dict[str, str]:
    """Return a keymap as Textual wants it: keys by their long names, and one that never comes for none."""
    return {
        name: ",".join(long for key in keys.split(",") if (long := long_name(key))) or NO_KEY
        for name, keys in keymap.items()
    }


def _of_character(character: str) -> str:
    return next(iter(Binding.make_bindings([(character, "", "")]))).key


def clashes(keymap: Keymap, every: Sequence[Key]) -> list[Clash]:
    """Return the keys that are wanted twice because of a keymap."""
    found = []
    for one, other in combinations(every, 2):
        if one.id == other.id or not {one.id, other.id} & keymap.keys():
            continue
        same = one.part == other.part
        if not (same or one.hides(other) or other.hides(one)):
            continue
        first, second = (other, one) if other.hides(one) else (one, other)
        found += [
            Clash(key=key, ids=(first.id, second.id), part=_in(first.part), hides=not same)
            for key in keys_with(first, keymap)
            if key in keys_with(second, keymap)
        ]
    return found


def _in(part: str) -> str:
    return part[:1].lower() + part[1:]


def problems(keymap: Keymap, every: Sequence[Key], place: str = "keymap") -> list[str]:
    """Return all that is wrong with a keymap, each as a sentence that begins with the place it stands in."""
    said = [*_unknown_ids(keymap, every), *_unknown_keys(keymap, every)]
    said += [f"{clash.text}: bind one of them to another key" for clash in clashes(keymap, every)]
    return [f"{place}: {text}" for text in (*said, *_unreachable(keymap, every))]


def _unknown_ids(keymap: Keymap, every: Sequence[Key]) -> Iterator[str]:
    known = {key.id for key in every}
    for name in keymap:
        if name not in known:
            yield f"nothing has the id {name!r}{_nearest(name, known)}"


def _unknown_keys(keymap: Keymap, every: Sequence[Key]) -> Iterator[str]:
    known = {key.id for key in every}
    for name, bound in keymap.items():
        for key in bound.split(",") if name in known and bound.strip() else ():
            problem = key_problem(key)
            if problem is not None:
                yield f"{name} = {bound!r}: {problem}"


def key_problem(key: str) -> str | None:
    """Say why a key can never be pressed, or return ``None``."""
    *modifiers, name = long_name(key).split("+")
    if not name:
        return f"{key.strip()!r} ends where a key should be, as in 'ctrl+t'"
    for modifier in modifiers:
        if modifier not in MODIFIERS:
            return f"{modifier!r} is no modifier: they are {', '.join(MODIFIERS)}"
    if len(name) == 1 or name in _NAMES or name == NO_KEY or _is_character(name):
        return None
    return f"there is no key {name!r}{_nearest(name, _NAMES)}"


def _is_character(name: str) -> bool:
    import unicodedata  # noqa: PLC0415 - a large table, for mistakes only

    try:
        unicodedata.lookup(name.replace("_", " ").upper())
    except KeyError:
        return False
    return True


def _unreachable(keymap: Keymap, every: Sequence[Key]) -> Iterator[str]:
    """Tell which of the needed actions has no key left: its own was taken away, or taken by another one."""
    for key in every:
        if key.id not in NEEDED:
            continue
        taken = {
            each
            for other in every
            if other.id != key.id and not other.part and other.id in keymap
            for each in keys_with(other, keymap)
        }
        if not set(keys_with(key, keymap)) - taken:
            yield f"no key is left with which {NEEDED[key.id]}: bind {key.id!r}, or use the command palette"


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f". Did you mean {near[0]!r}?" if near else ""


def place_of_keymap(project: Path, environ: Mapping[str, str] | None = None) -> str:
    """Return where the keymap of a project stands, as settings are read: the last place that has one."""
    if (os.environ if environ is None else environ).get("FLUX_KEYMAP"):
        return "FLUX_KEYMAP"
    if "keymap" in _table(project / "flux.toml"):
        return "flux.toml [keymap]"
    return "pyproject.toml [tool.flux.keymap]"


def _table(path: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415 - its import takes 20 ms, and only a wrong keymap is looked for

    with suppress(OSError, ValueError):
        return tomllib.loads(path.read_text(encoding="utf-8"))
    return {}


def as_json(keymap: Keymap, every: Sequence[Key]) -> str:
    """Return every key that can be bound, with the keys it has now, as JSON."""
    rows = [
        {"id": key.id, "title": key.title, "where": key.part, "keys": list(keys_with(key, keymap))}
        for key in every
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False)
