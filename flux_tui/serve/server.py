"""The web server: guards every request, gives out the page, connects each tab with its own dashboard."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final
from weakref import WeakSet

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from flux_tui.serve.access import Access
from flux_tui.serve.dashboard import KILL_SECONDS, STOP_SECONDS, Dashboard
from flux_tui.serve.opening import Opening
from flux_tui.serve.page import ASSETS, HEADERS, page

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HEARTBEAT_SECONDS: Final = 15.0
"""How often a browser is asked whether it is still there."""
LARGEST_SIDE: Final = 2000

WRONG_HOST = (
    "This dashboard is for the machine it runs on: open it under localhost or 127.0.0.1. "
    "To reach it under another name, start it with --token.\n"
)
NO_TOKEN = "This dashboard asks for a token: open the whole address that `flux dev` printed.\n"  # noqa: S105
WRONG_TOKEN = "That is not the token of this dashboard: open the whole address that `flux dev` printed.\n"  # noqa: S105
WRONG_PAGE = "Only the page of this dashboard may connect to it.\n"


class Server:
    """The routes of one server, and the tabs that are open."""

    def __init__(self, opening: Opening, access: Access) -> None:
        self._opening = opening
        self._access = access
        self._open: WeakSet[web.WebSocketResponse] = WeakSet()

    def app(self) -> web.Application:
        """Return the application to be served."""
        app = web.Application()
        app.router.add_get("/", self._guarded(self._page))
        app.router.add_get("/assets/{name}", self._guarded(self._asset))
        app.router.add_get("/tab", self._guarded(self._tab))
        app.on_shutdown.append(self._close_tabs)
        return app

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            refusal = self._refusal(request)
            if refusal is not None:
                response: web.StreamResponse = web.Response(status=403, text=refusal)
            elif "token" in request.query:
                response = self._let_in(request)
            else:
                response = await handler(request)
            if not response.prepared:
                response.headers.update(HEADERS)
            return response

        return guarded

    def _refusal(self, request: web.Request) -> str | None:
        """Return why this request gets nothing, or ``None``."""
        if not self._access.knows_host(request.host):
            return WRONG_HOST
        if self._access.token is not None and "token" in request.query:
            return None if self._access.accepts_token(request.query["token"]) else WRONG_TOKEN
        return None if self._access.accepts_cookie(request.cookies.get(_cookie_name(request))) else NO_TOKEN

    def _let_in(self, request: web.Request) -> web.Response:
        """Answer to the right token: the browser keeps a cookie, and the address loses the token."""
        response = web.Response(status=303, headers={"Location": "/"})
        if self._access.token is not None:
            response.set_cookie(
                _cookie_name(request),
                self._access.cookie,
                httponly=True,
                samesite="Strict",
                secure=request.secure,
            )
        return response

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        project = self._opening.settings.project
        title = f"flux · {project.name or project}"
        return web.Response(text=page(title), content_type="text/html")

    async def _asset(self, request: web.Request) -> web.StreamResponse:
        path = ASSETS.get(request.match_info["name"])
        return web.Response(status=404) if path is None else web.FileResponse(path)

    async def _tab(self, request: web.Request) -> web.StreamResponse:
        """Start a dashboard and connect the browser with it, until either ends."""
        if not self._access.is_own_page(request.headers.get("Origin"), request.host):
            return web.Response(status=403, text=WRONG_PAGE)
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_SECONDS)
        await socket.prepare(request)
        self._open.add(socket)
        dashboard = await Dashboard.start(
            self._opening,
            columns=_side(request.query.get("width"), 80),
            rows=_side(request.query.get("height"), 24),
        )
        drawing = asyncio.create_task(_draw(dashboard, socket))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await _take(message.data, dashboard, socket)
        finally:
            drawing.cancel()
            await asyncio.gather(drawing, return_exceptions=True)
            await dashboard.stop()
        return socket

    async def _close_tabs(self, _app: web.Application) -> None:
        closing = [
            socket.close(code=WSCloseCode.GOING_AWAY, message=b"the server ends") for socket in self._open
        ]
        await asyncio.gather(*closing, return_exceptions=True)


async def start(app: web.Application, listening: Any) -> web.AppRunner:
    """Serve ``app`` on a listening socket; end it with ``cleanup()``, which also ends the dashboards."""
    runner = web.AppRunner(
        app, access_log=None, handle_signals=False, shutdown_timeout=STOP_SECONDS + KILL_SECONDS + 1
    )
    await runner.setup()
    await web.SockSite(runner, listening).start()
    return runner


async def _draw(dashboard: Dashboard, socket: web.WebSocketResponse) -> None:
    """Show what the dashboard draws; when it ends by itself, why, if that was not wanted."""
    with contextlib.suppress(ConnectionError):
        async for drawn in dashboard.drawn():
            await socket.send_bytes(drawn)
        if await dashboard.stop() != 0:
            sys.stderr.write(dashboard.errors)
            await socket.send_bytes(b"\x1b[?1049l" + dashboard.errors.replace("\n", "\r\n").encode())
        await socket.close()


async def _take(text: str, dashboard: Dashboard, socket: web.WebSocketResponse) -> None:
    """Do what a message of the page says: ``[kind]`` or ``[kind, value]``. Others are ignored."""
    match _message(text):
        case ["stdin", str() as typed]:
            await dashboard.type(typed)
        case ["resize", {"width": int() as width, "height": int() as height}]:
            await dashboard.tell("resize", width=_side(width, 80), height=_side(height, 24))
        case ["ping", str() as sent]:
            await socket.send_json(["pong", sent])
        case ["focus" | "blur" as kind]:
            await dashboard.tell(kind)


def _message(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None


def _side(given: str | int | None, default: int) -> int:
    """Return a width or height in cells that a terminal can have."""
    try:
        return min(max(int(given or default), 1), LARGEST_SIDE)
    except ValueError:
        return default


def _cookie_name(request: web.Request) -> str:
    """Return a name for the cookie that another server on this machine, at another port, does not use."""
    port = request.host.rpartition(":")[2] if ":" in request.host else ""
    return f"flux-{port}" if port.isdecimal() else "flux"
