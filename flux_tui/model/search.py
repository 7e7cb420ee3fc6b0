"""Searching: what is looked for, where it was found so far, and which match comes next.

A search goes through its model a slice at a time, so that the keyboard never waits for it, and goes on
where it stopped when more arrives. Places are whatever says where something is, in an order of their own.
"""

import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from typing import Any, Final

from msgspec import Struct

Place = Any
"""Where a match is: comparable with the other places of the same search."""

Scan = Iterator[Place | None]
"""Goes through a model: yields the place of each match, and ``None`` after a bit of work without one."""

WINDOW: Final = 1 << 17
"""How many characters of one text are looked at in one go."""

SLICE: Final = 0.01
"""Seconds for which a search goes on before it lets others work."""


class Needle(Struct, frozen=True, kw_only=True):
    """A text to look for. In small letters it ignores case, with a capital in it it does not."""

    text: str
    exact: bool = False

    def __bool__(self) -> bool:
        return bool(self.text)

    def within(self, text: str) -> bool:
        """Whether the text has it in it."""
        return self.text in (text if self.exact else text.casefold())

    def look(self, text: str) -> Iterator[bool]:
        """Look through a text of any length, a window at a time; yields whether each window has it."""
        size = max(WINDOW, 2 * len(self.text))
        for start in range(0, max(len(text), 1), size):
            yield self.within(text[start : start + size + len(self.text) - 1])

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where it is in a text, from the left, without overlaps."""
        if not self.text:
            return []
        folded, places = (text, None) if self.exact else _folded(text)
        found = []
        at = folded.find(self.text)
        while at >= 0:
            end = at + len(self.text)
            found.append((at, end) if places is None else (places[at], places[end - 1] + 1))
            at = folded.find(self.text, end)
        return found


def _folded(text: str) -> tuple[str, list[int] | None]:
    """Return a text without case, and for each character the one it comes from, where that is another."""
    folded = text.casefold()
    if len(folded) == len(text):
        return folded, None
    pieces = [character.casefold() for character in text]
    return "".join(pieces), [at for at, piece in enumerate(pieces) for _ in piece]


def needle(text: str) -> Needle:
    """Return what is looked for when this was typed."""
    exact = text != text.lower()
    return Needle(text=text if exact else text.casefold(), exact=exact)


class Matches:
    """The places found so far, in their order. ``complete`` says that all there is was looked at."""

    def __init__(self, scan: Scan) -> None:
        self.places: list[Place] = []
        self.complete = False
        self._scan = scan

    def go_on(self, scan: Scan) -> None:
        """Look at what has arrived since; its places come after all others."""
        self._scan, self.complete = scan, False

    def take(self, seconds: float = SLICE, clock: Callable[[], float] = time.perf_counter) -> None:
        """Search for so long, or to the end."""
        end = clock() + seconds
        for place in self._scan:
            if place is not None:
                self.places.append(place)
            if clock() >= end:
                return
        self.complete = True

    def number(self, place: Place) -> int | None:
        """Return the how many-th match is at a place, from 1; ``None`` when none is."""
        at = bisect_left(self.places, place)
        return at + 1 if at < len(self.places) and self.places[at] == place else None

    def first_from(self, place: Place) -> Place | None:
        """Return the first match at a place or after it; ``None`` while none is known."""
        at = bisect_left(self.places, place)
        return self.places[at] if at < len(self.places) else None

    def beside(self, place: Place, step: int) -> tuple[Place, bool] | None:
        """Return the match after a place, with ``step`` -1 before it, and whether it is at the other end."""
        if not self.places:
            return None
        at = bisect_right(self.places, place) if step > 0 else bisect_left(self.places, place) - 1
        wrapped = not 0 <= at < len(self.places)
        return self.places[(0 if step > 0 else -1) if wrapped else at], wrapped

    def count_text(self, place: Place) -> str:
        """Return the count to show: ``3/17``, ``17+`` while it goes on, ``no match``."""
        if not self.places:
            return "no match" if self.complete else "searching…"
        number = self.number(place)
        many = f"{len(self.places):,}{'' if self.complete else '+'}"
        return many if number is None else f"{number:,}/{many}"
