"""The top line: where this is, how the runner does, and how many runs need a look."""

from typing import ClassVar

from msgspec import Struct
from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.style import Style
from textual.widget import Widget

from flux_tui.model.text import cut, printable
from flux_tui.news import News
from flux_tui.widgets import tones

GAP = "   "
SHORTEST_NEWS = 16
PART = "part"
"""What the text of the header knows about where it was clicked."""


class Headline(Struct, frozen=True, kw_only=True):
    """What the header says: the project's folder, its store, the news and the counts at the right.

    ``watch`` is what it says of a run that is retried on save, the longest form first.
    """

    project: str = ""
    store: str = ""
    news: News = News("muted", "○", "")
    running: int = 0
    failed: int = 0
    watch: tuple[str, ...] = ()


class HeaderLine(Widget):
    """One line that gives up the store, then the folder, when the news needs the room."""

    DEFAULT_CSS = """
    HeaderLine { height: 1; background: $panel; color: $foreground; padding: 0 1; }
    """
    ALLOW_SELECT: ClassVar[bool] = False

    headline: reactive[Headline] = reactive(Headline())

    class Pressed(Message):
        """A part was clicked: ``news``, ``running`` or ``failed``."""

        def __init__(self, part: str) -> None:
            super().__init__()
            self.part = part

    def render(self) -> Content:
        """Draw the headline into the width that there is."""
        return header_content(self.headline, self.size.width)

    def on_click(self, event: events.Click) -> None:
        """Say which part was clicked."""
        part = event.style.meta.get(PART)
        if part is not None:
            self.post_message(self.Pressed(part))


def header_content(headline: Headline, width: int) -> Content:
    """Return the header for a width: what matters least goes first when room is short."""
    name = ("flux", "bold $primary")
    project = (printable(headline.project), "bold")
    store = (printable(headline.store), tones.MUTED)
    text = printable(headline.news.text)
    for form in headline.watch or ("",):
        right = _right(headline, form)
        for places in ((name, project, store), (name, project), (name,)):
            left = Content(GAP).join(Content.styled(*place) for place in places if place[0])
            room = width - left.cell_length - len(GAP) - 2 - right.cell_length - len(GAP)
            if Content(text).cell_length <= room:
                return _joined(left + Content(GAP) + _news(headline.news, text), right, width)
    room = max(width - 2 - right.cell_length - len(GAP), SHORTEST_NEWS)
    return _joined(_news(headline.news, cut(text, room)), right, width)


def _joined(left: Content, right: Content, width: int) -> Content:
    space = width - left.cell_length - right.cell_length
    return left if space < 1 else left + Content(" " * space) + right


def _news(news: News, text: str) -> Content:
    muted = news.tone == "muted"
    glyph = (news.glyph, tones.MUTED if muted else f"$text-{news.tone}")
    said = Content.assemble(glyph, " ", (text, tones.MUTED if muted else f"$text-{news.tone}"))
    return said.stylize(Style.from_meta({PART: "news"}))


def _right(headline: Headline, watch: str) -> Content:
    counts = []
    if headline.running:
        counts.append(_count(headline.running, "running", "$text-accent"))
    if headline.failed:
        counts.append(_count(headline.failed, "failed", "$text-error"))
    parts = [Content.styled(watch, "bold $text-warning")] if watch else []
    parts += [Content(" · ").join(counts)] if counts else []
    return Content(GAP).join(parts)


def _count(number: int, status: str, tone: str) -> Content:
    return Content.styled(f"{number} {status}", tone).stylize(Style.from_meta({PART: status}))
