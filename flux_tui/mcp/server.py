"""The server: a workshop and its tools, in the Model Context Protocol on standard input and output."""

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations

from flux_engine.errors import FluxError
from flux_tui.mcp.guard import Guard
from flux_tui.mcp.looking import Looking
from flux_tui.mcp.moving import Moving
from flux_tui.mcp.workshop import Workshop
from flux_tui.runner.member import RunnerRefused
from flux_tui.settings import Settings

INSTRUCTIONS: Final = (
    "Flux runs workflows: chains of named steps whose results are stored. A failed run keeps the data that "
    "each step found, so the loop is: get_run (read the error and its place), correct the code, "
    "reload_errors, then retry_step. A commit is a step with side effects; one that was completed is "
    "repeated only when that is confirmed after its plan was told. Saved code is loaded anew by itself. "
    "Secrets are masked."
)

Tool = Callable[..., Awaitable[dict[str, Any]]]


def serve(settings: Settings, paths: Sequence[Path], *, read_only: bool) -> None:
    """Speak with a client until it closes standard input."""
    make_server(settings, paths, read_only=read_only).run("stdio")


def make_server(settings: Settings, paths: Sequence[Path], *, read_only: bool) -> MCPServer[Workshop]:
    """Return the server of a project; ``read_only`` leaves out the tools that write, and the runner."""
    workshop = Workshop(settings, paths, read_only=read_only)

    @asynccontextmanager
    async def opened(_: MCPServer[Workshop]) -> AsyncIterator[Workshop]:
        async with workshop:
            yield workshop

    lifespan: Callable[[MCPServer[Workshop]], AbstractAsyncContextManager[Workshop]] = opened
    server = MCPServer(
        "flux",
        title="Flux",
        instructions=INSTRUCTIONS,
        version=version("flux-tui"),
        log_level="WARNING",
        lifespan=lifespan,
    )
    guard = Guard()
    looking = Looking(workshop, guard)
    for tool in _looking_tools(looking, read_only=read_only):
        server.add_tool(answering(tool), annotations=ToolAnnotations(read_only_hint=True))
    if not read_only:
        moving = Moving(workshop, looking, guard)
        for tool in (moving.run_workflow, moving.resume, moving.signal, moving.pause, moving.fork):
            server.add_tool(answering(tool), annotations=_writes(destructive=False))
        for tool in (moving.retry_step, moving.cancel):
            server.add_tool(answering(tool), annotations=_writes(destructive=True))
    return server


def _looking_tools(looking: Looking, *, read_only: bool) -> list[Tool]:
    tools: list[Tool] = [
        looking.list_workflows,
        looking.describe_workflow,
        looking.reload_errors,
        looking.list_runs,
        looking.get_run,
        looking.data_at_step,
        looking.get_logs,
    ]
    return tools if read_only else [*tools, looking.preview_retry]


def _writes(*, destructive: bool) -> ToolAnnotations:
    return ToolAnnotations(read_only_hint=False, destructive_hint=destructive, idempotent_hint=False)


def answering(tool: Tool) -> Tool:
    """Return the tool with what Flux raises on purpose turned into an answer that says what to do."""

    @functools.wraps(tool)
    async def answered(*arguments: Any, **options: Any) -> dict[str, Any]:
        try:
            return await tool(*arguments, **options)
        except RunnerRefused as refused:
            lines = [refused.message, *(f"{where or 'input'}: {what}" for where, what in refused.problems)]
            raise ToolError("\n".join(lines)) from None
        except FluxError as error:
            raise ToolError(str(error)) from None

    return answered
