"""The system's Chromium, and the dashboard's page in it as a user sees it."""

import contextlib
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from typing import Final

import pytest
from playwright.async_api import Error, Page, async_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS: Final = (
    "--no-sandbox",  # which a container without user namespaces, or root, cannot have
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DEADLINE: Final = 30.0

READ_TERMINAL: Final = """
Object.defineProperty(Object.prototype, "terminal", {
  configurable: true,
  set(value) {
    Object.defineProperty(this, "terminal", { value, writable: true, configurable: true, enumerable: true });
    if (value?.buffer) window.shownTerminal = value;
  },
});
window.shownText = () => {
  const shown = window.shownTerminal;
  if (!shown) return document.body?.innerText ?? "";
  const line = (row) => shown.buffer.active.getLine(shown.buffer.active.viewportY + row);
  return Array.from({ length: shown.rows }, (_, row) => line(row)?.translateToString(true) ?? "").join("\\n");
};
"""
"""Gets hold of the page's terminal, which is a field ``terminal`` of something that cannot be reached."""

READ_CLIPBOARD: Final = """
Object.getOwnPropertyDescriptor(Navigator.prototype, "clipboard").get.call(navigator).readText()
"""


def found() -> str | None:
    """Return the path of a Chromium that runs, or ``None``."""
    for name in NAMES:
        path = shutil.which(name)
        if path is not None and _runs(path):
            return path
    return None


def _runs(path: str) -> bool:
    """Tell whether there is a browser behind the name; some systems have a stub that only asks for one."""
    try:
        shown = subprocess.run([path, "--version"], capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return shown.returncode == 0


class Browser:
    """A page, what it asked the network for, and what went wrong in it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    async def text(self) -> str:
        """The whole terminal, or the text of a page without one."""
        try:
            return str(await self.page.evaluate("shownText()"))
        except Error as error:
            if "context was destroyed" in error.message:
                return ""  # one page is going, the next has not come
            raise

    async def press(self, *keys: str) -> None:
        """Press keys."""
        for key in keys:
            await self.page.keyboard.press(key)

    async def sees(self, *parts: str) -> str:
        """Wait until all these texts are shown; return all that is."""
        return await self._shows(lambda text: all(part in text for part in parts), " and ".join(parts))

    async def misses(self, part: str) -> str:
        """Wait until a text is no longer shown; return what is."""
        return await self._shows(lambda text: part not in text, f"the end of {part}")

    async def _shows(self, condition: Callable[[str], bool], what: str) -> str:
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            text = await self.text()
            if condition(text):
                return text
            await self.page.wait_for_timeout(20)
        pytest.fail(f"never came: {what}\n{await self.text()}\n{self.errors}")

    async def clipboard(self) -> str:
        """The text on the browser's clipboard."""
        return str(await self.page.evaluate(READ_CLIPBOARD))


@contextlib.asynccontextmanager
async def open_browser(path: str, origin: str) -> AsyncIterator[Browser]:
    """Open a window of a browser that is as good as new, which lets ``origin`` use the clipboard."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=FLAGS)
        context = await browser.new_context(viewport={"width": 1200, "height": 760})
        await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=origin)
        await context.add_init_script(READ_TERMINAL)
        yield Browser(await context.new_page())
        await browser.close()
