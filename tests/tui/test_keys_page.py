"""The page of all keys says what the program does."""

from pathlib import Path

from flux_tui import actions, key_help
from flux_tui.keys_page import page

PAGE = Path(__file__).parents[2] / "docs" / "keys.md"


def test_the_page_is_the_one_that_the_registry_gives() -> None:
    """After a key or a text changed: ``uv run python -m flux_tui.keys_page > docs/keys.md``."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_key_that_can_be_changed_is_on_the_page() -> None:
    """Actions and keys of one part of the screen, by the id to bind them by."""
    text = page()
    assert all(f"`{action.id}`" in text for action in actions.ACTIONS)
    assert all(f"`{name}`" in text for name in key_help.local_ids())
