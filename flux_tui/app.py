"""The Textual application: themes, key bindings, command palette, and an end that leaves nothing behind."""

import asyncio
import signal
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import App, SuspendNotSupported, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import CommandPalette, Provider
from textual.filter import LineFilter, Monochrome
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, TextArea

from flux_tui import actions, editor, keymap, long_lived, themes
from flux_tui.desk import Desk
from flux_tui.harmless import HARMLESS
from flux_tui.model.text import printable, printable_lines
from flux_tui.palette import PLACEHOLDER, JumpProvider
from flux_tui.palette_actions import ActionProvider
from flux_tui.plain import ASCII, MONOCHROME, NO_COLOR
from flux_tui.screens.main import MainScreen
from flux_tui.settings import Settings
from flux_tui.telling import replaces

if TYPE_CHECKING:
    from flux_tui.screens.edit_data import EditDataScreen

STOP_SECONDS = 5.0
"""How long the end of the program waits for the runner."""


MOST_TOLD = 3
"""How many mistakes of a keymap are told at once."""


MOST_IN_HASTE = 64
"""How many keys are remembered that were given to the line which opened while they were on their way."""


class FluxApp(App[int], inherit_bindings=False):
    """The dashboard."""

    TITLE = "flux"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {ActionProvider, JumpProvider}
    CSS_PATH: ClassVar = ["styles/main.tcss", "styles/plain.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "hint_quit", "Quit", show=False, system=True),
    ]

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        self._handed_on: deque[events.Key] = deque(maxlen=MOST_IN_HASTE)
        for theme in themes.THEMES:
            self.register_theme(theme)
        self._unknown_theme = (
            None if desk.settings.theme in (None, *self.available_themes) else desk.settings.theme
        )
        if self.no_color:
            self._filters = [each for each in self._filters if not isinstance(each, Monochrome)]
        self.choose_theme(few_colors=self.no_color)
        self.set_keymap(keymap.for_textual(desk.settings.keymap))

    def choose_theme(self, *, few_colors: bool) -> None:
        """Begin with the theme of the settings, of earlier sessions, or the one that fits the terminal."""
        wanted, earlier = self.desk.settings.theme, self.desk.remembered.get("theme", str)
        self.theme = themes.chosen(wanted, earlier, self.available_themes, few_colors=few_colors)

    def get_css_variables(self) -> dict[str, str]:
        """Return the colours of the theme, all of them readable."""
        found = themes.with_contrast(super().get_css_variables(), self.current_theme.variables)
        self.theme_variables = found
        return found

    def get_line_filters(self) -> list[LineFilter]:
        """Return what is done to each line before it is written: what is unwanted is taken out."""
        filters: list[LineFilter] = [HARMLESS, *super().get_line_filters()]
        if self.no_color:
            filters.append(NO_COLOR if self.native_ansi_color else MONOCHROME)
        if self.desk.settings.ascii:
            filters.append(ASCII)
        return filters

    def get_default_screen(self) -> Screen[None]:
        """Return the one screen."""
        return MainScreen(self.desk)

    def on_mount(self) -> None:
        """Say what is wrong with the settings; end well when the terminal goes away."""
        if self._unknown_theme is not None:
            names = ", ".join(sorted(self.available_themes))
            self.notify(
                f"there is no {self._unknown_theme!r}. Known themes: {names}", title="Theme", markup=False
            )
        self._tell_of_the_keymap()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            try:
                loop.add_signal_handler(number, self.exit, 128 + number)
            except (NotImplementedError, RuntimeError, ValueError):
                return  # not in the main thread, or not on this system

    def _tell_of_the_keymap(self) -> None:
        bound = self.desk.settings.keymap
        if not bound:
            return
        from flux_tui import key_help  # noqa: PLC0415 - not before the first frame: with it come all dialogs

        found = keymap.problems(bound, key_help.every_key(), keymap.place_of_keymap(self.desk.project))
        if found:
            more = [f"And {len(found) - MOST_TOLD} more."] if len(found) > MOST_TOLD else []
            text = "\n".join((*found[:MOST_TOLD], *more))
            self.notify(text, title="Keys", severity="warning", timeout=10, markup=False)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Have the caret stand still: nothing moves on a screen on which nothing happens."""
        if isinstance(event.widget, Input | TextArea):
            event.widget.cursor_blink = False

    async def on_unmount(self) -> None:
        """Stop the runner, whatever ended the program."""
        await self.desk.stop()

    async def on_event(self, event: events.Event) -> None:
        """Give what is typed in haste to the line that the key before it opened, and to no action.

        A key comes back here, unused, when the focus moved while it was on its way. A character is for the
        line then, and so is the key that ends it: it waits its turn behind the characters that are not in
        the line yet. It does so as a copy that this program has not sent, for no other comes back again.
        """
        back = isinstance(event, events.Key) and event.is_forwarded and not self._was_handed_on(event)
        focused = self.focused if back else None
        if isinstance(event, events.Key) and focused is not None and _typed_into(focused, event):
            copy = events.Key(event.key, event.character).set_sender(focused)
            self._handed_on.append(copy)
            focused.post_message(copy)
        else:
            await super().on_event(event)

    def _was_handed_on(self, event: events.Key) -> bool:
        return any(each is event for each in self._handed_on)

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Tell the user something for a while: as it is, whatever is in it, never read as markup.

        Nothing is told twice at a time, and of what cannot be done now only the latest.
        """
        del markup
        title, message = printable(title), printable_lines(message)
        for told in [each for each in self._notifications if replaces(title, message, each)]:
            self._unnotify(told, refresh=False)
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=False)

    def action_hint_quit(self) -> None:
        """Say how to quit."""
        keys = actions.keys_of(actions.find("quit"), self.desk.settings.keymap)
        self.notify(f"press {actions.key_text(keys[0])} to quit" if keys else "quit from the command palette")

    def action_command_palette(self) -> None:
        """Open the command palette, but not above a dialog."""
        if isinstance(self.screen, MainScreen):
            self.push_screen(CommandPalette(placeholder=PLACEHOLDER, id="--command-palette"))

    def on_edit_data_screen_editor_requested(self, message: "EditDataScreen.EditorRequested") -> None:
        """Hand the text of a dialog to the user's editor, and take back what comes of it."""
        if self.is_web:
            self.notify(editor.NOT_IN_A_BROWSER, title="Open in editor", markup=False)
            return
        chosen = editor.editor(self.desk.settings.editor)
        if chosen is None:
            self.notify(editor.HOW_TO_SET, severity="warning", markup=False)
            return
        try:
            with self.suspend():
                text = editor.edited(chosen, message.text)
        except (OSError, SuspendNotSupported) as error:
            self.notify(str(error), title="Open in editor", severity="error", markup=False)
            return
        message.screen.set_text(text)
        self.refresh(layout=True)

    def _fatal_error(self) -> None:
        """End with the traceback of a fault of the dashboard, but no values: some may be secret."""
        from flux_tui.failed import report  # noqa: PLC0415 - needed by nobody, if all goes well

        self.bell()
        self.panic(report())

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Yield the actions for the command palette, those that cannot be done now with the reason."""
        if not isinstance(screen, MainScreen):
            return
        situation = screen.situation()
        for action in actions.offered(read_only=self.desk.read_only):
            if action.transient:
                continue
            reason = action.needs(situation)
            keys = " ".join(map(actions.key_text, actions.keys_of(action, self.desk.settings.keymap)))
            about = action.description if reason is None else f"Not now: {reason}"
            text = f"{keys} · {about}" if keys else about
            yield SystemCommand(action.title, text, lambda chosen=action.id: screen.action_do(chosen))


def _typed_into(widget: Widget, event: events.Key) -> bool:
    if widget.check_consume_key(event.key, event.character):
        return True
    return isinstance(widget, Input | TextArea) and widget.message_queue_size > 0


def run_dashboard(
    settings: Settings, paths: Sequence[Path], *, trace_only: bool = False, read_only: bool = False
) -> int:
    """Open the dashboard and return the exit code when it is closed.

    ``paths`` are the workflow modules, or folders of them. With ``trace_only`` the trace of the settings
    is shown and nothing can be run; ``read_only`` takes away every action that writes.
    """
    return run_app(Desk(settings, paths, trace_only=trace_only, read_only=read_only))


def run_app(desk: Desk) -> int:
    """Open the dashboard on a desk and return the exit code when it is closed."""
    desk.when_read = long_lived.keep
    app = FluxApp(desk)
    app.choose_theme(few_colors=app.no_color or app.console.color_system in (None, "standard", "windows"))
    return app.run() or app.return_code or 0
