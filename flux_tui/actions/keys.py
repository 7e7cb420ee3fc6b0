"""The keys of actions: as the user bound them, as they are printed, as Textual wants them."""

from collections.abc import Iterable

from textual.binding import Binding
from textual.keys import format_key

from flux_tui.actions.action import Action, Keymap


def keys_of(action: Action, keymap: Keymap) -> tuple[str, ...]:
    """Return the keys of an action: those that the user bound to its id, else its own."""
    bound = keymap.get(action.id)
    if bound is None:
        return action.keys
    return tuple(key.strip() for key in bound.split(",") if key.strip())


def key_text(key: str) -> str:
    """Return a key as it is printed: ``?`` for ``question_mark``, ``^p`` for ``ctrl+p``."""
    *modifiers, name = key.split("+")
    shown = "".join("^" if modifier == "ctrl" else f"{modifier}+" for modifier in modifiers)
    return shown + format_key(name)


def bindings(actions: Iterable[Action]) -> list[Binding]:
    """Return the key bindings of the actions, each with the id of its action."""
    return [
        Binding(
            ",".join(action.keys),
            f"do('{action.id}')",
            action.label,
            id=action.id,
            tooltip=action.description,
            show=action.in_footer,
            priority=action.first or action.id == "palette",
        )
        for action in actions
        if action.keys
    ]
