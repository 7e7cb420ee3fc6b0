"""The server of ``flux dev --port``: what it answers to whom, and when it and its dashboards end."""

import contextlib
import re
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar, WSServerHandshakeError
from served import Served, Tab, flux_dev, is_running, make_project, until

from flux_tui.serve.access import Access
from flux_tui.serve.dashboard import environment
from flux_tui.serve.listening import address, listen
from flux_tui.serve.opening import Opening
from flux_tui.serve.page import ASSETS, page
from flux_tui.serve.server import Server, start
from flux_tui.settings import Settings

TOKEN = "a-token-of-the-user"


@contextlib.asynccontextmanager
async def server(folder: Path, access: Access) -> AsyncIterator[str]:
    """Serve in this process; give the origin of the pages."""
    opening = Opening.of(Settings(project=folder).anchored(), [folder], trace_only=False, read_only=False)
    with listen("127.0.0.1", 0) as listening:
        runner = await start(Server(opening, access).app(), listening)
        yield address(listening, "127.0.0.1", None).removesuffix("/")
        await runner.cleanup()


@contextlib.asynccontextmanager
async def client() -> AsyncIterator[ClientSession]:
    """A client that keeps cookies and follows nothing."""
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        yield session


async def refused(session: ClientSession, url: str, **headers: str) -> int:
    """The status with which a WebSocket is refused."""
    with pytest.raises(WSServerHandshakeError) as refusal:
        await session.ws_connect(url, headers=headers)
    return refusal.value.status


async def test_the_page_and_all_its_files_come_from_the_server(tmp_path: Path) -> None:
    """It works without a network, and its policy forbids to load anything from elsewhere."""
    async with server(tmp_path, Access()) as origin, client() as session:
        async with session.get(f"{origin}/") as response:
            text = await response.text()
            policy = response.headers["Content-Security-Policy"]
            assert response.headers["X-Frame-Options"] == "DENY"
        named = re.findall(r'(?:src|href)="([^"]*)"', text)
        assert named
        for name in [*named, *(f"assets/{name}" for name in ASSETS)]:
            async with session.get(f"{origin}/{name}") as response:
                assert response.status == 200, name
                assert response.headers["X-Content-Type-Options"] == "nosniff"
        async with session.get(f"{origin}/assets/page.html") as response:
            assert response.status == 404
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "://" not in text + policy


async def test_a_foreign_name_gets_nothing(tmp_path: Path) -> None:
    """Page, file and WebSocket are refused to a host name that was made to resolve to this machine."""
    async with server(tmp_path, Access()) as origin, client() as session:
        for path in ("/", "/assets/page.js"):
            async with session.get(origin + path, headers={"Host": "evil.example"}) as response:
                assert response.status == 403
                assert "localhost" in await response.text()
        evil = {"Host": "evil.example", "Origin": "http://evil.example"}
        assert await refused(session, f"{origin}/tab", **evil) == 403


async def test_a_page_of_another_site_cannot_open_the_websocket(tmp_path: Path) -> None:
    """Nor can one without an origin: only the dashboard's own page can."""
    async with server(tmp_path, Access()) as origin, client() as session:
        assert await refused(session, f"{origin}/tab", Origin="https://evil.example") == 403
        assert await refused(session, f"{origin}/tab", Origin="null") == 403
        assert await refused(session, f"{origin}/tab") == 403


async def test_a_token_is_asked_for_once(tmp_path: Path) -> None:
    """It is taken from the address, which loses it, and a cookie stands for it that no script can read."""
    async with server(tmp_path, Access(token=TOKEN)) as origin, client() as session:
        for path in ("/", "/assets/page.js", "/?token=", "/?token=wrong", f"/?token={TOKEN}x"):
            async with session.get(origin + path) as response:
                assert (response.status, response.content_type) == (403, "text/plain")
                assert "flux dev" in await response.text()
        assert await refused(session, f"{origin}/tab", Origin=origin) == 403

        async with session.get(f"{origin}/?token={TOKEN}", allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/")
            cookie = response.headers["Set-Cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            assert TOKEN not in cookie
        async with session.get(f"{origin}/") as response:
            assert response.status == 200
        assert await refused(session, f"{origin}/tab", Origin="https://evil.example") == 403


async def test_a_server_with_a_token_answers_under_any_name(tmp_path: Path) -> None:
    """It is reached by the names that its machine has for others."""
    async with server(tmp_path, Access(token=TOKEN)) as origin, client() as session:
        shop = {"Host": "shop.example"}
        async with session.get(f"{origin}/?token={TOKEN}", headers=shop, allow_redirects=False) as response:
            assert response.status == 303


def test_the_title_of_the_page_is_text() -> None:
    """The name of the folder can be anything."""
    assert "<title>flux · &lt;b&gt;</title>" in page("flux · <b>")


def test_the_token_is_kept_from_the_workflows() -> None:
    """A dashboard, and the code that it runs, gets the environment without it."""
    given = environment({"FLUX_TOKEN": TOKEN, "HOME": "/root"}, columns=80, rows=24)
    assert TOKEN not in given.values()
    assert given["HOME"] == "/root"


def test_an_address_for_all_interfaces_names_the_machine() -> None:
    """``0.0.0.0`` is no address to open; a token is written as an address wants it."""
    with listen("0.0.0.0", 0) as listening:
        port = listening.getsockname()[1]
        assert address(listening, "0.0.0.0", "a b") == f"http://{socket.gethostname()}:{port}/?token=a%20b"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--host", "127.0.0.1"], "--host and --token are for the dashboard in a browser: give --port too"),
        (["--port", "0", "--token", "short"], "--token: expected at least 16 characters, found 5"),
        (["--port", "0", "--trace", "-"], "--trace - cannot be served"),
        (["--port", "0", "--host", "192.0.2.1"], "192.0.2.1 is not an address of this machine"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_served_says_why(tmp_path: Path, arguments: list[str], told: str) -> None:
    """With exit code 2, and nothing on standard output."""
    done = flux_dev(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_a_port_that_is_taken_says_what_to_do(tmp_path: Path) -> None:
    """The message names the port and the way out."""
    with listen("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        done = flux_dev(tmp_path, "--port", port)
    assert done.returncode == 2
    assert f"port {port} is in use" in done.stderr
    assert "--port 0" in done.stderr


@pytest.mark.parametrize("package", ["aiohttp", "textual_serve"])
def test_without_the_extra_the_command_that_installs_it_is_told(tmp_path: Path, package: str) -> None:
    """The extra is not needed for anything else, so it may well be missing."""
    hidden = f"import sys; sys.modules[{package!r}] = None"
    done = flux_dev(tmp_path, "--port", "0", before=hidden)
    assert done.returncode == 2
    assert "pip install 'flux-tui[serve]'" in done.stderr


def test_elsewhere_than_on_loopback_there_is_a_token(tmp_path: Path) -> None:
    """One is made, and part of the address that is printed; who reads it is warned."""
    served = Served(make_project(tmp_path), "--host", "0.0.0.0")
    try:
        assert re.fullmatch(r"http://[^/]+:\d+/\?token=[\w-]{43}", served.url)
        code, told = served.end(signal.SIGINT)
        assert code == 0
        assert "not encrypted" in told
    finally:
        served.close()


async def test_tabs_share_the_store_and_end_on_their_own(tmp_path: Path) -> None:
    """A run started in one is seen in the other; a closed tab ends its dashboard, Ctrl-C the rest."""
    (tmp_path / "go").touch()
    served = Served(make_project(tmp_path))
    try:
        origin = served.url.removesuffix("/")
        async with Tab.open(origin) as one:
            async with Tab.open(origin) as other:
                await one.sees("● ready", "○ ship")
                await other.sees("● ready", "○ ship")
                assert len(served.dashboards()) == 2
                await one.press("r")
                await one.sees("Run parcel")
                await one.press("\x13")
                await one.sees("✖ failed at pack", "the box is too small")
                await other.sees("✖ parcel")
            await until(lambda: len(served.dashboards()) == 1, "the end of the closed tab's dashboard")
            (left,) = served.dashboards()
            code, told = served.end(signal.SIGINT)
            assert (code, is_running(left)) == (0, False)
            assert "Traceback" not in told
            await one.reading
    finally:
        served.close()


async def test_a_restate_server_is_shown_in_a_tab(tmp_path: Path) -> None:
    """The tab is a dashboard of that server: one that is away is told of, and no module is looked for."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
        served = Served(make_project(tmp_path), "--restate", address)
        try:
            async with Tab.open(served.url.removesuffix("/")) as tab:
                await tab.sees(f"The admin port of Restate at {address} cannot be reached")
                assert "shop.py" not in tab.text
        finally:
            served.close()


async def test_what_cannot_be_changed_is_not_in_a_tab(tmp_path: Path) -> None:
    """``--read-only`` holds there too; and a dashboard ends when its server is gone without a word."""
    served = Served(make_project(tmp_path), "--read-only")
    try:
        async with Tab.open(served.url.removesuffix("/")) as tab:
            await tab.sees("parcel", "? help")
            assert "r run" not in tab.text
            assert "t retry" not in tab.text
            (dashboard,) = served.dashboards()
            served.end(signal.SIGKILL)
            await until(lambda: not is_running(dashboard), "the end of the dashboard")
    finally:
        served.close()
