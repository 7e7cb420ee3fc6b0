"""The frame of a pane, and what is written into it."""

from textual.app import App, ComposeResult
from textual.content import Content

from flux_tui.widgets.pane import Pane

NAME = "order-fulfillment-for-the-whole-of-the-north"


class PaneApp(App[None]):
    """One pane on a screen of its own."""

    CSS = "#pane { width: 1fr; height: 1fr; }"

    def compose(self) -> ComposeResult:
        """Yield the pane."""
        yield Pane(id="pane")


def top(app: PaneApp) -> str:
    """Return the first line of the screen."""
    return "".join(part.text for part in app.screen._compositor.render_strips()[0])


async def test_a_long_name_gives_way_to_the_rest_of_the_title() -> None:
    """How the run stands is read at every width, and all of the name where there is room again."""
    app = PaneApp()
    async with app.run_test(size=(50, 5)) as pilot:
        app.query_one(Pane).show_title(Content(f"{NAME}  3f2a9c  ✖ failed at count"), name=NAME)
        await pilot.pause()
        assert "─ order-fulfillmen…  3f2a9c  ✖ failed at count ─" in top(app)
        await pilot.resize_terminal(40, 5)
        await pilot.pause()
        assert "─ order-fulfi…  3f2a9c  ✖ failed at… ─" in top(app)
        await pilot.resize_terminal(90, 5)
        await pilot.pause()
        assert f"─ {NAME}  3f2a9c  ✖ failed at count ─" in top(app)
