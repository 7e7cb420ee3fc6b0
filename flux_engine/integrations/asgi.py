"""An engine that lives as long as an ASGI application: FastAPI, Starlette, and any other.

from fastapi import FastAPI
from flux_engine.integrations.asgi import flux_lifespan

app = FastAPI(lifespan=flux_lifespan(engine, [order_flow]))

@app.post("/orders")
async def order(request: Request, body: Order):
    result = await request.app.state.flux.execute(order_flow, body)
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from flux_engine.arguments import Workflow, as_definition
from flux_engine.engine import FluxEngine

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Lifespan = Callable[[Any], AbstractAsyncContextManager[Any]]


def flux_lifespan(
    engine: FluxEngine,
    workflows: Iterable[Workflow[Any, Any]],
    *,
    name: str = "flux",
    lifespan: Lifespan | None = None,
) -> Callable[[Any], AbstractAsyncContextManager[Mapping[str, Any]]]:
    """Return a lifespan for an application: the engine is open while the application serves.

    Args:
        engine: what runs the workflows.
        workflows: those whose runs are recovered at the start: what an earlier process left in the middle is
            taken over and goes on in the background.
        name: the engine is ``app.state.flux``, and ``request.state.flux``, or what this says.
        lifespan: another one, which begins when the engine is open and ends before it is closed.

    At the end the runs in hand are handed back at their next step boundary, or cut short after the engine's
    ``stop_grace``. A start that fails, because the store cannot be opened, fails the start of the server.
    """
    definitions = [as_definition(workflow) for workflow in workflows]

    @asynccontextmanager
    async def flux(app: Any) -> AsyncIterator[Mapping[str, Any]]:
        async with _serving(engine, definitions):
            state = getattr(app, "state", None)
            if state is not None:
                setattr(state, name, engine)
            if lifespan is None:
                yield {name: engine}
            else:
                async with lifespan(app) as given:
                    yield {name: engine, **(given or {})}

    return flux


class FluxMiddleware:
    """Wraps any ASGI application, also one without a way to set a lifespan.

    The engine is ``scope["state"]["flux"]`` in every request, or under another ``name``. The application's
    own lifespan, if it has one, begins when the engine is open and ends before it is closed. The other
    arguments are those of ``flux_lifespan``.
    """

    def __init__(
        self,
        app: ASGIApp,
        engine: FluxEngine,
        workflows: Iterable[Workflow[Any, Any]],
        *,
        name: str = "flux",
    ) -> None:
        self.app = app
        self._engine = engine
        self._definitions = [as_definition(workflow) for workflow in workflows]
        self._name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the lifespan."""
        scope.setdefault("state", {})[self._name] = self._engine
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        await self._live(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        opened = contextlib.AsyncExitStack()
        try:
            await opened.enter_async_context(_serving(self._engine, self._definitions))
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": f"{type(error).__name__}: {error}"})
            raise
        async with opened:
            inner = _InnerLifespan(receive, send)
            try:
                await self.app(scope, inner.receive, inner.send)
            except Exception:
                if inner.started:
                    raise
            if not inner.failed:  # an application without a lifespan returns, or raises, at once
                await inner.finish()
        if inner.ended_well:
            await send({"type": "lifespan.shutdown.complete"})


class _InnerLifespan:
    """What the wrapped application is told of the lifespan; its end is told when the engine is closed too."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._told = False
        self.started = False
        self.failed = False
        self.stopping = False

    @property
    def ended_well(self) -> bool:
        return self.stopping and not self.failed

    async def receive(self) -> Message:
        if not self._told:
            self._told = True
            return {"type": "lifespan.startup"}
        message = await self._receive()
        self.stopping = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "lifespan.shutdown.complete":
            return
        self.started = self.started or message["type"] == "lifespan.startup.complete"
        self.failed = self.failed or message["type"].endswith(".failed")
        await self._send(message)

    async def finish(self) -> None:
        """Live on until the server stops, in place of an application that has no lifespan."""
        if not self.started:
            self.started = True
            await self._send({"type": "lifespan.startup.complete"})
        if not self.stopping:
            await self._receive()
            self.stopping = True


@asynccontextmanager
async def _serving(engine: FluxEngine, definitions: Iterable[Workflow[Any, Any]]) -> AsyncIterator[None]:
    """Open the engine and recover what was left; hand back what is in hand at the end."""
    async with engine:
        await engine.recover(definitions)
        yield
