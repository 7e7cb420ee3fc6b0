"""A search in one view: what is looked for, the matches, and the cursor that goes to them."""

from collections.abc import Callable
from typing import Protocol

from flux_tui.model.search import Matches, Needle, Place, Scan, needle

WRAPPED = "search wrapped"


class SearchTarget(Protocol):
    """What can be searched: it finds places, and has a cursor that can be put there."""

    def items_to_search(self) -> int:
        """Return how many items there are to look at."""
        ...

    def scan(self, needle: Needle, start: int) -> Scan:
        """Go through the items from ``start`` on."""
        ...

    def place_here(self) -> Place:
        """Return the place of the cursor."""
        ...

    def go_to_place(self, place: Place) -> None:
        """Put the cursor where a match is, and show it."""
        ...

    def show_context(self) -> None:
        """Show what is around the cursor, too."""
        ...

    def way_back(self) -> Callable[[], None]:
        """Return what brings the cursor back to where it is now."""
        ...

    def mark_matches(self, needle: Needle | None) -> None:
        """Make what is looked for stand out, or nothing any more."""
        ...

    def tell_searcher(self, searcher: Callable[[bool], None] | None) -> None:
        """Have ``searcher`` called when items changed, with whether places found before are void."""
        ...


class Search:
    """Looks for a text as it is typed. ``tell`` is called when there is something new to say of it.

    As long as it is ``unfinished``, somebody has to call ``work`` now and then.
    """

    def __init__(self, target: SearchTarget, tell: Callable[[], None]) -> None:
        self.target = target
        self.text = ""
        self._tell = tell
        self._needle = Needle(text="")
        self._matches = Matches(iter(()))
        self._looked_at = 0
        self._seeking = False
        self._moving = False
        self._note = ""
        self._start()
        target.tell_searcher(self._changed)

    def _start(self) -> None:
        self._origin, self._back = self.target.place_here(), self.target.way_back()

    @property
    def unfinished(self) -> bool:
        """Whether there is more to look at."""
        return bool(self._needle) and not self._matches.complete

    @property
    def found(self) -> bool:
        """Whether there is a match."""
        return bool(self._matches.places)

    @property
    def count_text(self) -> str:
        """The count of matches, and what is to be said of the last move."""
        if not self._needle:
            return ""
        count = self._matches.count_text(self.target.place_here())
        return f"{count} · {self._note}" if self._note else count

    def begin_again(self) -> None:
        """Have what is typed from now on looked for from where the cursor is now."""
        self._start()

    def look_for(self, text: str) -> None:
        """Look for a text, and go to its first match from where the search was begun."""
        self.text, self._needle, self._note = text, needle(text), ""
        self.target.mark_matches(self._needle or None)
        self._from_the_top()
        self._seeking = bool(self._needle)
        if self._needle:
            self.work()
        else:
            self._move(self._back)
            self._tell()

    def work(self) -> None:
        """Look for one slice of time."""
        self._matches.take()
        if self._matches.complete:
            self._looked_at = self.target.items_to_search()
        if self._seeking:
            self._seek()
        self._tell()

    def step(self, by: int) -> None:
        """Go to the next match, or with -1 to the one before; at either end to the other one."""
        beside = self._matches.beside(self.target.place_here(), by)
        self._note = ""
        if beside is not None:
            place, wrapped = beside
            self._note = WRAPPED if wrapped else ""
            self._go(place)
        self._tell()

    def take_back(self) -> None:
        """Bring the cursor back to where it was when the search was begun."""
        self._move(self._back)

    def end(self) -> None:
        """Forget what was looked for; the cursor stays."""
        self.target.mark_matches(None)
        self.target.tell_searcher(None)

    def _from_the_top(self) -> None:
        self._looked_at = 0
        self._matches = Matches(self.target.scan(self._needle, 0) if self._needle else iter(()))

    def _changed(self, anew: bool) -> None:  # noqa: FBT001
        if self._moving or not self._needle:
            return
        if anew:
            self._from_the_top()
        elif self._matches.complete:
            self._matches.go_on(self.target.scan(self._needle, self._looked_at))
        self.work()

    def _seek(self) -> None:
        place = self._matches.first_from(self._origin)
        if place is None and not self._matches.complete:
            return
        self._seeking = False
        if place is None and self.found:
            place = self._matches.places[0]
        if place is None:
            self._move(self._back)
        else:
            self._go(place)

    def _go(self, place: Place) -> None:
        self._move(lambda: self.target.go_to_place(place))
        self.target.show_context()

    def _move(self, move: Callable[[], None]) -> None:
        """Move the cursor; what is opened on the way is no news."""
        self._moving = True
        try:
            move()
        finally:
            self._moving = False
