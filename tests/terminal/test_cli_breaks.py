"""Breakpoints on the command line: --break, --next and --data."""

import json

import pytest
from forked_flux import flux

ORDER = """
from flux_engine import create_workflow

order_flow = create_workflow("order").step("price", lambda ctx: ctx.data.update(total=35))
order_flow.step("payment", lambda ctx: ctx.data.update(paid=ctx.data.total))
order_flow.step("ship", lambda ctx: None)
"""


@pytest.fixture
def orders(tmp_path):
    """A project folder with a workflow of three steps."""
    (tmp_path / "order.py").write_text(ORDER, encoding="utf-8")
    return tmp_path


def test_a_run_is_stopped_and_goes_on_step_by_step(orders):
    """It has done no wrong: the exit code is 0, and the command that goes on is named."""
    stopped = flux(orders, "run", "order.py", "--run-id", "r1", "--break", "payment")
    assert (stopped.returncode, json.loads(stopped.stdout)) == (0, {"total": 35})
    assert "paused before payment" in stopped.stderr
    command = stopped.stderr.strip().rpartition(": flux ")[2].split()
    stepped = flux(orders, *command, "--next", "--data", '{"total": 20}')
    assert "paused before ship" in stepped.stderr
    assert json.loads(stepped.stdout) == {"total": 20, "paid": 20}
    assert json.loads(flux(orders, *command, "--json").stdout)["status"] == "completed"


def test_a_breakpoint_on_no_step_is_bad_use(orders):
    """The steps that there are are named, and nothing runs."""
    refused = flux(orders, "run", "order.py", "--break", "payed")
    assert refused.returncode == 2
    assert "no such step; there are: price, payment, ship" in refused.stderr
