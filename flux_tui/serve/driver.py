"""How the dashboard draws into a browser tab: by Textual's web driver, ended when nobody is there."""

import contextlib
import os
from typing import Any, Final

from textual import messages
from textual.app import App
from textual.drivers.web_driver import WebDriver

DRIVER: Final = "flux_tui.serve.driver:TabDriver"
VARIABLES: Final = ("TEXTUAL_DRIVER", "TEXTUAL_COLOR_SYSTEM", "COLUMNS", "ROWS")
"""Environment variables that are for this process alone, not for what it starts."""


class TabDriver(WebDriver):
    """Speaks with the web server over standard input and output, and ends the program when that is gone."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        for variable in VARIABLES:
            os.environ.pop(variable, None)

    def write(self, data: str) -> None:
        """Write to the browser, if it is still there."""
        with contextlib.suppress(BrokenPipeError):
            super().write(data)

    def write_meta(self, data: dict[str, object]) -> None:
        """Tell the server something, if it is still there."""
        with contextlib.suppress(BrokenPipeError):
            super().write_meta(data)

    def run_input_thread(self) -> None:
        """Read what the browser sends; the end of that, however it comes, is the end of the program."""
        super().run_input_thread()
        if not self.exit_event.is_set():
            self._app.post_message(messages.ExitApp())
