"""What an action is."""

from collections.abc import Callable, Mapping

from msgspec import Struct

from flux_tui.needs import Needs, Situation

Keymap = Mapping[str, str]
"""Keys by the id of what they do, as the user bound them; several are separated by commas."""


class Action(Struct, frozen=True, kw_only=True):
    """One thing to do. ``keys`` are Textual's key names; ``label`` is for the footer, ``title`` the palette.

    ``writes`` marks what ``--read-only`` takes away. ``transient`` marks moves that need no place in the
    command palette. ``label_now`` gives the label where it depends on the situation. ``only_now``
    keeps it out of the footer while it cannot be done. ``first`` has its key go before those of the part that
    has the focus, whenever it can be done. ``command`` is what does the same on the command line.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    title: str
    description: str
    group: str
    needs: Needs
    in_footer: bool = False
    label_now: Callable[[Situation], str] | None = None
    only_now: bool = False
    first: bool = False
    writes: bool = False
    transient: bool = False
    command: str | None = None
