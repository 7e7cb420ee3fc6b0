"""What the user is told for a while, when there is something in it that wants to be more than text."""

from fake_desk import FakeDesk
from hostile import TEXTS
from textual.widgets._toast import Toast

from flux_tui.app import FluxApp
from flux_tui.model.text import UNPRINTABLE, printable


async def test_a_message_is_shown_as_it_is() -> None:
    """Neither markup nor orders to the terminal are read, in the title or in the text."""
    app = FluxApp(FakeDesk(settings={"theme": "flux-dark"}))
    app.animation_level = "none"
    async with app.run_test(size=(120, 60), notifications=True) as pilot:
        for text in TEXTS[:4]:
            app.notify(text, title=text, timeout=60)
        await pilot.pause()
        assert [told.message for told in app._notifications] == [*map(printable, TEXTS[:4])]
        assert len(app.screen.query(Toast)) == 4
        lines = "\n".join(strip.text for strip in app.screen._compositor.render_strips())
        assert "[bold]x[/]" in lines
        assert "]0;PWNED" in lines
        assert UNPRINTABLE.sub("", lines.replace("\n", "")) == lines.replace("\n", "")
