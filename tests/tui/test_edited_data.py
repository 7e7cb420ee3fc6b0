"""Data to be edited keeps its types, whoever tells of the run."""

import importlib
import sys
from pathlib import Path

import pytest

from flux_engine import FluxEngine, JsonFileTraceSink, SQLiteStorage
from flux_tui.feed.store import StoreFeed
from flux_tui.feed.trace import TraceFeed
from flux_tui.model import fold
from flux_tui.model.run import RunView
from flux_tui.screens.edit_data import EditDataScreen

MODULE = """\
from dataclasses import dataclass
from decimal import Decimal
from flux_engine import create_workflow

@dataclass
class Line:
    sku: str
    price: Decimal

def pick(ctx):
    ctx.data.line = Line("mug", Decimal("12.50"))

flow = create_workflow("shop").step("pick", pick).step("pay", lambda ctx: None)
"""


async def view_of(account: str, folder: Path) -> RunView | None:
    """Run a workflow; return the run as the trace or the store tells of it."""
    storage, sink = SQLiteStorage(folder / "flux.db"), JsonFileTraceSink(folder / "trace.ndjson")
    flow = importlib.import_module("shop_lines").flow
    async with FluxEngine(storage=storage, trace=sink) as engine:
        run_id = (await engine.execute(flow, None)).id
    del sys.modules["shop_lines"]
    if account == "store":
        feed = StoreFeed(folder / "flux.db")
        try:
            return await feed.run(run_id)
        finally:
            await feed.close()
    view = None
    for event in (await TraceFeed(folder / "trace.ndjson").poll()).events:
        view = fold.apply(view, event)
    return view


@pytest.mark.parametrize("account", ["trace", "store"])
async def test_an_object_is_edited_with_its_class(
    account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is edited names class and types, though the dashboard never loads the module of the class."""
    (tmp_path / "shop_lines.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    view = await view_of(account, tmp_path)
    assert view is not None
    line = EditDataScreen("Data", view.data_before("pay")).data["line"]
    assert (line["$type"], line["class"].endswith("Line")) == ("dataclass", True)
    assert line["value"] == {"sku": "mug", "price": {"$type": "decimal", "value": "12.50"}}
