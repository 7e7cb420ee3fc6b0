"""The loop that the product is judged by, in a real browser: load, run, fail, read, fix, retry."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from chromium import found, open_browser
from served import FIXED, Served, make_project, until

CHROMIUM = found()
TOKEN = "a-token-of-the-user"

CONNECT = """
(url) => new Promise((resolve) => {
  const socket = new WebSocket(url);
  socket.onopen = () => resolve("let in");
  socket.onerror = () => resolve("refused");
})
"""

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project folder with one workflow."""
    return make_project(tmp_path)


@pytest.fixture
def served(project: Path) -> Iterator[Served]:
    """The dashboard on that project, for browsers on this machine."""
    server = Served(project)
    yield server
    server.close()


async def test_a_failed_step_is_fixed_and_the_run_goes_on(project: Path, served: Served) -> None:
    """By the keyboard alone, from the loaded page to the completed run; the graph moves on the way."""
    async with open_browser(CHROMIUM or "", served.url) as browser:
        await browser.page.goto(served.url)
        await browser.sees("● ready", "parcel", "not run yet", "○ pick", "○ ship")

        await browser.press("r")
        await browser.sees("Run parcel")
        await browser.press("Control+s")
        at_work = await browser.sees("✔ pick", "○ ship", "running")
        assert "○ pack" not in at_work
        (project / "go").touch()
        await browser.sees("✖ failed at pack", "ValueError: the box is too small", "✔ pick", "shop.py:12")

        await browser.press("o")
        await browser.sees("a browser has no terminal that an editor could open in")
        await browser.press("y")
        shown = await browser.sees("to the clipboard of the browser")
        copied = await browser.clipboard()
        assert f"parcel  {copied[:6]} " in shown  # the id of the run
        await browser.press("Control+p", "Control+v")
        await browser.sees(copied)
        await browser.press("Escape")
        await browser.misses(copied)

        (project / "shop.py").write_text(FIXED)
        await browser.sees("reloaded shop.py")
        await browser.press("t")
        await browser.sees("✔ completed", "✔ pack", "✔ ship")

        await browser.press("q")
        await browser.page.get_by_text("The dashboard of this tab has ended").wait_for()
        await until(lambda: not served.dashboards(), "the end of the dashboard")
        await browser.press("Enter")
        await browser.sees("● ready", "✔ parcel")
        assert browser.errors == []
        assert {url for url in browser.requests if not url.startswith(served.url)} == set()


async def test_the_token_of_the_address_lets_in_and_is_gone(project: Path) -> None:
    """Without it there is a refusal; with it once the page opens, and opens again without."""
    served = Served(project, "--token", TOKEN)
    origin = served.url.partition("?")[0]
    try:
        async with open_browser(CHROMIUM or "", origin) as browser:
            await browser.page.goto(origin)
            await browser.sees("This dashboard asks for a token")
            await browser.page.goto(served.url)
            await browser.sees("● ready", "parcel")
            assert browser.page.url == origin
            assert await browser.page.evaluate("document.cookie") == ""
            again = await browser.page.goto(f"{origin}assets/icon.svg")
            assert again is not None
            assert again.ok
    finally:
        served.close()


async def test_another_page_of_the_browser_cannot_reach_the_dashboard(served: Served) -> None:
    """A page of another server on this machine can neither connect to it nor show it in a frame."""

    async def page(_request: web.Request) -> web.Response:
        return web.Response(text=f'<iframe src="{served.url}"></iframe>', content_type="text/html")

    other = web.Application()
    other.router.add_get("/", page)
    async with TestServer(other) as server, open_browser(CHROMIUM or "", served.url) as browser:
        await browser.page.goto(str(server.make_url("/")))
        assert served.url not in {shown.url for shown in browser.page.frames}
        assert await browser.page.evaluate(CONNECT, served.url.replace("http", "ws") + "tab") == "refused"
        assert not served.dashboards()
