"""The server for the Model Context Protocol, with the official client over its real pipes."""

import contextlib
import json
import os
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import StdioServerParameters
from mcp.client import Client
from mcp.client.stdio import stdio_client

from flux_tui.cli.errors import UsageError
from flux_tui.cli.mcp import mcp

FLUX = Path(sys.executable).parent / "flux"

SHOP = '''
from pydantic import BaseModel
from flux_engine import create_workflow, wait

class Order(BaseModel):
    order_id: str
    quantity: int = 1

def validate(ctx):
    """Look whether the order can be filled."""
    ctx.data.total = ctx.input.quantity * 10
    ctx.data.api_key = "do-not-tell"

def ship(ctx):
    with open("shipped", "a") as file:
        file.write("x")

def pay(ctx):
    print("paying", ctx.data.total)
    raise ConnectionError("gateway returned 502")

order_flow = (
    create_workflow("order").input(Order).step("validate", validate).commit("ship", ship).step("pay", pay)
)

def decide(ctx):
    ctx.data.approved = ctx.signals["approval"]["approved"]

expense_flow = (
    create_workflow("expense").step("approval", lambda ctx: wait("approval")).step("decide", decide)
)
'''
FIXED = SHOP.replace('raise ConnectionError("gateway returned 502")', "ctx.data.paid = ctx.data.total")

CRASH = """
import os
from pathlib import Path
from flux_engine import create_workflow

def fall(ctx):
    if not Path("calm").exists():
        os._exit(9)

crash_flow = create_workflow("crash").step("stand", lambda ctx: None).step("fall", fall)
"""


class Session:
    """A client that is connected to the server of a project."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def names(self) -> set[str]:
        """Return the names of the tools."""
        return {tool.name for tool in (await self._client.list_tools()).tools}

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool that succeeds."""
        answer = await self._client.call_tool(tool, arguments)
        assert not answer.is_error, answer.content
        assert answer.structured_content == json.loads(answer.content[0].text)
        return answer.structured_content

    async def refused(self, tool: str, **arguments: Any) -> str:
        """Call a tool that must not do it, and return what it says."""
        answer = await self._client.call_tool(tool, arguments)
        assert answer.is_error, answer.content
        return answer.content[0].text


@contextlib.asynccontextmanager
async def connected(folder: Path, *arguments: str) -> AsyncIterator[Session]:
    """Start ``flux mcp`` in a folder, and a client for it."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("FLUX_")}
    server = StdioServerParameters(command=str(FLUX), args=["mcp", *arguments], cwd=folder, env=environ)
    async with Client(stdio_client(server)) as client:
        yield Session(client)


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")


async def test_a_failed_run_is_read_corrected_and_retried(tmp_path):
    """The loop that the server is for; a completed commit is repeated only after its plan was told."""
    write(tmp_path, "shop.py", SHOP)
    async with connected(tmp_path) as flux:
        listed = await flux.call("list_workflows")
        assert {flow["name"]: flow["steps"] for flow in listed["workflows"]} == {
            "order": ["validate", "ship", "pay"],
            "expense": ["approval", "decide"],
        }
        described = await flux.call("describe_workflow", workflow="order")
        assert described["input_schema"]["required"] == ["order_id"]
        assert "order_id: Field required" in await flux.refused("run_workflow", workflow="order", input={})

        failed = await flux.call("run_workflow", workflow="order", input={"order_id": "1", "quantity": 3})
        run = failed["id"]
        assert (failed["status"], failed["error"]["step"]) == ("failed", "pay")
        assert "shop.py:20 in pay" in failed["error"]["at"][-1]
        assert "retry_step from 'pay'" in failed["what_to_do"]
        found = await flux.call("data_at_step", run_id=run[:8], step="pay", keys=["total", "api_key"])
        assert found["data_before"]["total"] == 30
        assert "do-not-tell" not in json.dumps([failed, found])
        assert [line["text"] for line in (await flux.call("get_logs", run_id=run))["lines"]] == ["paying 30"]

        write(tmp_path, "shop.py", FIXED)
        assert (await flux.call("reload_errors"))["ok"]
        done = await flux.call("retry_step", run_id=run, data={"total": 31})
        assert (done["status"], done["data"]["paid"]) == ("completed", 31)

        again: dict[str, Any] = {"run_id": run, "step": "validate", "confirm_repeated_commits": True}
        said = await flux.refused("retry_step", **again)  # nothing was told that could be confirmed
        assert "REPEATS the completed commit ship" in said
        assert (tmp_path / "shipped").read_text() == "x"
        plan = await flux.call("preview_retry", run_id=run, step="validate")
        assert [commit["step"] for commit in plan["repeated_commits"]] == ["ship"]
        assert (await flux.call("retry_step", **again))["status"] == "completed"
        assert (tmp_path / "shipped").read_text() == "xx"
        assert "would repeat" in await flux.refused("retry_step", **again)  # it was confirmed for once
        kept = await flux.call("retry_step", run_id=run, step="validate", keep_commits=True)
        assert kept["status"] == "completed"
        forked = await flux.call("fork", run_id=run, step="pay", data={"total": 7})
        assert (forked["id"] != run, forked["data"]["paid"]) == (True, 7)
        assert (tmp_path / "shipped").read_text() == "xx"

        waiting = await flux.call("run_workflow", workflow="expense")
        assert (waiting["status"], waiting["what_to_do"]) == ("suspended", "signal it: approval")
        assert "confirm=true" in await flux.refused("cancel", run_id=waiting["id"])
        answered = await flux.call(
            "signal", run_id=waiting["id"], name="approval", payload={"approved": True}
        )
        assert (answered["status"], answered["data"]) == ("completed", {"approved": True})
        other = await flux.call("run_workflow", workflow="expense")
        assert (await flux.call("cancel", run_id=other["id"], confirm=True))["status"] == "cancelled"
        runs = (await flux.call("list_runs", filter="workflow:expense"))["runs"]
        assert [row["status"] for row in runs] == ["cancelled", "completed"]
        assert "since:nope" in await flux.refused("list_runs", filter="since:nope")


async def test_neither_a_crash_nor_a_module_that_does_not_load_ends_the_server(tmp_path):
    """What went wrong is told with its place; the run goes on when that is put right."""
    write(tmp_path, "crash.py", CRASH)
    write(tmp_path, "bad.py", "import flux_engine\n\ndef half(:\n    pass\n")
    async with connected(tmp_path) as flux:
        (problem,) = (await flux.call("reload_errors"))["errors"]
        assert problem["at"] == f"{tmp_path / 'bad.py'}:3:10"
        assert problem["problem"].splitlines()[1:] == ["  def half(:", "           ^"]
        left = await flux.call("run_workflow", workflow="crash")
        assert (left["status"], "exited with 9" in left["left_because"]) == ("interrupted", True)
        (tmp_path / "calm").touch()
        write(tmp_path, "bad.py", "import flux_engine\n")
        assert (await flux.call("resume", run_id=left["id"]))["status"] == "completed"
        assert (await flux.call("reload_errors"))["ok"]


async def test_a_read_only_server_has_nothing_that_writes(tmp_path):
    """It describes workflows, and makes neither a store nor a trace."""
    write(tmp_path, "shop.py", SHOP)
    async with connected(tmp_path, "--read-only") as flux:
        assert await flux.names() == {
            *("list_workflows", "describe_workflow", "reload_errors"),
            *("list_runs", "get_run", "data_at_step", "get_logs"),
        }
        assert (await flux.call("describe_workflow", workflow="order"))["steps"][1]["commit"]
        assert (await flux.call("list_runs"))["runs"] == []
        assert "no run was made here" in await flux.refused("get_run", run_id="1")
        write(tmp_path, "shop.py", "import flux_engine\nraise ValueError('not yet')\n")
        (problem,) = (await flux.call("reload_errors"))["errors"]
        assert "ValueError: not yet" in problem["problem"]
    assert not (tmp_path / ".flux").exists()


def test_without_the_extra_the_command_says_how_to_install_it(tmp_path, monkeypatch):
    """It names the extra, for uv and for pip."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "mcp", None)
    for name in ("server", "looking", "moving"):
        monkeypatch.delitem(sys.modules, f"flux_tui.mcp.{name}", raising=False)
    for name in [name for name in sys.modules if name.startswith("mcp.")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UsageError, match=r"uv add 'flux-tui\[mcp\]'"):
        mcp()
