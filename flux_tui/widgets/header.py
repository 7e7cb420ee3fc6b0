"""The top line: where this is, how the runner does, and how many runs need a look."""

from typing import ClassVar

from msgspec import Struct
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from flux_tui.model.text import cut, printable
from flux_tui.news import News
from flux_tui.widgets import tones

GAP = "   "
SHORTEST_NEWS = 16


class Headline(Struct, frozen=True, kw_only=True):
    """What the header says: the project's folder, its store, the news and the counts at the right."""

    project: str = ""
    store: str = ""
    news: News = News("muted", "○", "")
    running: int = 0
    failed: int = 0


class HeaderLine(Widget):
    """One line that gives up the store, then the folder, when the news needs the room."""

    DEFAULT_CSS = """
    HeaderLine { height: 1; background: $panel; color: $foreground; padding: 0 1; }
    """
    ALLOW_SELECT: ClassVar[bool] = False

    headline: reactive[Headline] = reactive(Headline())

    def render(self) -> Content:
        """Draw the headline into the width that there is."""
        return header_content(self.headline, self.size.width)


def header_content(headline: Headline, width: int) -> Content:
    """Return the header for a width: what matters least goes first when room is short."""
    right = _counts(headline)
    name = ("flux", "bold $primary")
    project = (printable(headline.project), "bold")
    store = (printable(headline.store), tones.MUTED)
    news = headline.news
    for places in ((name, project, store), (name, project), (name,), ()):
        left = Content(GAP).join(Content.styled(*place) for place in places if place[0])
        taken = left.cell_length + (len(GAP) if places else 0) + 2 + right.cell_length + len(GAP)
        room = width - taken
        text = printable(news.text)
        if Content(text).cell_length <= room or (not places and room >= SHORTEST_NEWS) or not places:
            break
    tone = tones.MUTED if news.tone == "muted" else f"$text-{news.tone}"
    shown = Content.assemble((news.glyph, f"${news.tone}" if news.tone != "muted" else tone), " ")
    shown += Content.styled(cut(text, max(room, SHORTEST_NEWS)), tone)
    left = Content(GAP).join([left, shown]) if left.plain else shown
    space = width - left.cell_length - right.cell_length
    return left if space < 1 else left + Content(" " * space) + right


def _counts(headline: Headline) -> Content:
    parts = []
    if headline.running:
        parts.append(Content.styled(f"{headline.running} running", "$text-accent"))
    if headline.failed:
        parts.append(Content.styled(f"{headline.failed} failed", "$text-error"))
    return Content(" · ").join(parts)
