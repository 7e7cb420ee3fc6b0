"""What an action is."""

from collections.abc import Mapping

from msgspec import Struct

from flux_tui.needs import Needs

Keymap = Mapping[str, str]
"""Keys by the id of what they do, as the user bound them; several are separated by commas."""


class Action(Struct, frozen=True, kw_only=True):
    """One thing to do. ``keys`` are Textual's key names; ``label`` is for the footer, ``title`` the palette.

    ``writes`` marks what ``--read-only`` takes away. ``transient`` marks moves that need no place in the
    command palette.
    """

    id: str
    keys: tuple[str, ...]
    label: str
    title: str
    description: str
    group: str
    needs: Needs
    in_footer: bool = False
    writes: bool = False
    transient: bool = False
