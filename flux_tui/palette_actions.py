"""The actions in the command palette, those that cannot be done now with the reason.

What is said of a command may have names from data in it, so it is drawn as it is and never read as markup.
"""

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from flux_tui.model.text import printable

LONGEST = 300


def command_text(title: Content, about: str) -> Content:
    """Return the two lines of a command: what it is called, and what is said of it."""
    return Content("\n").join([title, Content.styled(printable(about[:LONGEST]), "dim not bold")])


class ActionProvider(Provider):
    """Finds the commands of the app by their names."""

    async def discover(self) -> Hits:
        """Yield all of them by name, before anything is typed."""
        commands = sorted(self.app.get_system_commands(self.screen), key=lambda command: command.title)
        for command in commands:
            if command.discover:
                shown = command_text(Content(command.title), command.help)
                yield DiscoveryHit(shown, command.callback, text=command.title)

    async def search(self, query: str) -> Hits:
        """Yield those whose names match."""
        matcher = self.matcher(query)
        for command in self.app.get_system_commands(self.screen):
            score = matcher.match(command.title)
            if score > 0:
                shown = command_text(matcher.highlight(command.title), command.help)
                yield Hit(score, shown, command.callback, text=command.title)
