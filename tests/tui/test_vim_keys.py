"""The keys that hands expect, in every list, tree and dialog."""

from collections.abc import Iterator

import pytest
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.content import Content
from textual.dom import DOMNode

from flux_tui import key_help
from flux_tui.model.definitions import ModuleView, TreeRow
from flux_tui.model.run import DefinitionView, GraphSpec
from flux_tui.screens.confirm import ConfirmScreen
from flux_tui.screens.dialog import Dialog
from flux_tui.widgets.line_list import LineList
from flux_tui.widgets.text_rows import TextRow, TextRows
from flux_tui.widgets.workflows import WorkflowList

LISTS = {
    "j": "cursor_down",
    "k": "cursor_up",
    "g": "first",
    "G": "last",
    "ctrl+d": "half_page_down",
    "ctrl+u": "half_page_up",
    "ctrl+f": "page_down",
    "ctrl+b": "page_up",
}
DIALOGS = {"j": "scroll_rows(1)", "k": "scroll_rows(-1)", "ctrl+d": "scroll_pages(0.5)"}


def family(kind: type[DOMNode]) -> Iterator[type[DOMNode]]:
    """Yield a class of the dashboard and all that are made from it."""
    assert key_help.PARTS  # all widgets and screens are imported with it
    if kind.__module__.startswith("flux_tui"):
        yield kind
    for each in kind.__subclasses__():
        yield from family(each)


def bound(kind: type[DOMNode], key: str) -> str | None:
    """Return the action of a key in a class, as it is inherited."""
    for each in kind.__mro__:
        for binding in each.__dict__.get("BINDINGS", ()):
            if isinstance(binding, Binding) and key in binding.key.split(","):
                return binding.action
    return None


@pytest.mark.parametrize(
    "kind", sorted(family(LineList), key=lambda kind: kind.__name__), ids=lambda k: k.__name__
)
def test_every_list_is_walked_with_the_keys_of_vim(kind):
    """No list has another meaning for them."""
    assert {key: bound(kind, key) for key in LISTS} == LISTS


@pytest.mark.parametrize(
    "kind", sorted(family(Dialog), key=lambda kind: kind.__name__), ids=lambda k: k.__name__
)
def test_every_dialog_scrolls_with_the_keys_of_vim(kind):
    """Where nothing is being typed."""
    assert {key: bound(kind, key) for key in DIALOGS} == DIALOGS


@pytest.mark.parametrize(
    "kind", [kind for kind in family(LineList) if kind.__name__ in {"DataTree", "WorkflowList", "LogView"}]
)
def test_trees_open_and_close_sideways(kind):
    """``l`` and right open, ``h`` and left close."""
    assert bound(kind, "l") == bound(kind, "right") != bound(kind, "h") == bound(kind, "left")
    assert None not in {bound(kind, "l"), bound(kind, "h")}


class Hands(App[None]):
    def compose(self) -> ComposeResult:
        yield TextRows(id="rows")
        yield WorkflowList(empty="", id="workflows")


async def test_half_pages_and_trees_and_dialogs_move() -> None:
    """As in vim: half the height; from a workflow to its module, which then closes."""
    app = Hands()
    async with app.run_test(size=(40, 20)) as pilot:
        rows, workflows = app.query_one(TextRows), app.query_one(WorkflowList)
        rows.set_rows([TextRow(key=number, content=Content(str(number))) for number in range(100)])
        rows.focus()
        await pilot.press("ctrl+d", "ctrl+d", "ctrl+u", "j")
        assert rows.cursor == rows.size.height // 2 + 1
        module = ModuleView(
            path="/shop/orders.py",
            workflows=(DefinitionView(name="order", path="", variable="", graph=GraphSpec()),),
        )
        flow = module.workflows[0]
        workflows.show(
            [
                TreeRow(key="m", module=module, label="orders.py"),
                TreeRow(key="w", module=module, workflow=flow, label="order"),
            ],
            {},
        )
        workflows.focus()
        await pilot.press("j", "h")
        assert workflows.cursor_key == "m"
        await pilot.press("h")
        assert workflows.row_count() == 1
        await pilot.press("l")
        assert workflows.row_count() == 2
        dialog = ConfirmScreen("Go on?", "\n".join(map(str, range(100))))
        app.push_screen(dialog)
        await pilot.press("ctrl+d", "j")
        assert dialog._box.scroll_offset.y > 1
