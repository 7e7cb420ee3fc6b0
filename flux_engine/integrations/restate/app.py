"""``restate_app``: workflows as an ASGI application that a Restate server calls."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from datetime import timedelta
from typing import Any

from flux_engine.arguments import Workflow, as_definition, check_parts
from flux_engine.builder import check_retries, check_timeout
from flux_engine.errors import DefinitionError, FluxError
from flux_engine.hooks import Hooks
from flux_engine.logger import FluxLogger, default_logger
from flux_engine.running.announcer import Announcer, Sink
from flux_engine.running.problems import Problems

try:
    import restate
    from restate.entry_codec import JournalValueCodec

    from flux_engine.integrations.restate.once_told import Announcers, leaves
    from flux_engine.integrations.restate.termination import share_sigterm
    from flux_engine.integrations.restate.workflow_service import Settings, workflow_service
except ImportError as missing:
    raise FluxError(
        "Serving workflows to Restate needs its library: pip install 'flux-tui[restate]'"
    ) from missing

Message = MutableMapping[str, Any]
AsgiApp = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Any]


def restate_app(
    workflows: Iterable[Workflow[Any, Any]],
    *,
    trace: Sink | None = None,
    default_retries: int = 3,
    default_timeout: float | None = 30.0,
    logger: FluxLogger | None = None,
    on: Hooks | None = None,
    keep: timedelta = timedelta(days=7),
    inactivity_timeout: timedelta | None = None,
    identity_keys: Iterable[str] = (),
) -> AsgiApp:
    """Return an ASGI application with a Restate service for each workflow, unchanged.

    Serve it with a server that speaks HTTP/2 (``hypercorn module:app``) and register its address.

    Args:
        workflows: builders or definitions, each with a name of its own.
        trace: a sink for trace events, told each event once although Restate replays handlers.
        default_retries: as for ``FluxEngine``.
        default_timeout: seconds, as for ``FluxEngine``.
        logger: by default ``logging.getLogger("flux_engine")``.
        on: hooks.
        keep: how long Restate keeps a run that has ended.
        inactivity_timeout: after how long a handler that only waits is suspended, by default the server's.
        identity_keys: keys of the Restate servers whose requests are taken; none for all.

    Raises:
        DefinitionError: a workflow cannot be built, two have the same name, or there is none.
    """
    check_parts(None, trace, on)
    check_retries("restate_app(default_retries=…)", default_retries)
    check_timeout("restate_app(default_timeout=…)", default_timeout)
    definitions = [as_definition(workflow) for workflow in workflows]
    names = [definition.name for definition in definitions]
    if not names or len(set(names)) < len(names):
        raise DefinitionError(
            f"restate_app takes workflows, each with a name of its own; found {', '.join(names) or 'none'}."
        )
    chosen = logger or default_logger()
    settings = Settings(
        announcers=_announcers(trace, on or Hooks(), Problems(chosen)),
        logger=chosen,
        default_retries=default_retries,
        default_timeout=default_timeout,
        keep=keep,
        inactivity_timeout=inactivity_timeout,
    )
    served = restate.app(
        [workflow_service(definition, settings) for definition in definitions],
        identity_keys=list(identity_keys),
        journal_value_codec=_AsItIs(),
    )
    return _with_lifespan(served, trace)


class _AsItIs(JournalValueCodec):
    """Changes nothing. With a codec, a replay is not asked to give the very bytes that it gave before.

    So the code of a step may change while runs are on their way: what they have recorded stays, and only the
    order of what they do has to.
    """

    def encode(self, buf: bytes) -> bytes:
        return buf

    async def decode(self, buf: bytes) -> bytes:
        return buf


def _announcers(trace: Sink | None, on: Hooks, problems: Problems) -> Announcers:
    return Announcers(
        whole=Announcer(trace, on, problems),
        sinks=[(sink, Announcer(sink, Hooks(), problems)) for sink in leaves(trace)],
        hooks=Announcer(None, on, problems),
    )


def _with_lifespan(served: Any, trace: Sink | None) -> AsgiApp:
    """Answer the server's lifespan events; the sink is closed with the last of them."""
    shared: set[asyncio.AbstractEventLoop] = set()

    async def app(
        scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        if scope["type"] != "lifespan":
            loop = asyncio.get_running_loop()
            if loop not in shared:
                shared.add(loop)
                share_sigterm(loop)
            await served(scope, receive, send)
            return
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        close = getattr(trace, "close", None)
        pending = close() if callable(close) else None
        if pending is not None:
            await pending
        await send({"type": "lifespan.shutdown.complete"})

    return app
