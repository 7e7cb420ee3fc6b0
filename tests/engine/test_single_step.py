"""One step alone, as tests of handlers want it."""

import datetime as dt
from decimal import Decimal

import pytest
from pydantic import BaseModel

from flux_engine import StepNotFoundError, StepStatus, WorkflowFailedError, create_workflow, wait
from flux_engine.testing import recorded, run_step, run_step_sync


class Order(BaseModel):
    total: Decimal


class Totals(BaseModel):
    net: int = 0
    gross: int = 0


def flow_of(handler, **options):
    """Return a workflow in which the step ``it`` stands behind one that must not run."""

    def never(ctx):
        raise AssertionError("only the step asked for runs")

    return create_workflow("shop").step("before", never).step("it", handler, **options).step("after", never)


async def test_a_step_finds_what_it_is_given_and_tells_what_it_changed():
    """Input, data, outputs and signals are there; nothing of the workflow's other steps runs."""

    def handler(ctx):
        ctx.data.total = ctx.data.net + ctx.outputs["before"]
        del ctx.data["net"]
        return ctx.signals["approval"]

    outcome = await run_step(
        flow_of(handler),
        "it",
        data={"net": 3, "kept": "x"},
        outputs={"before": 4},
        signals={"approval": {"by": "ann"}},
    )
    assert outcome.status is StepStatus.COMPLETED
    assert outcome.data == {"kept": "x", "total": 7}
    assert dict(outcome.changes.set) == {"total": 7}
    assert outcome.changes.deleted == ("net",)
    assert outcome.output == {"by": "ann"}


def test_a_failure_is_told_and_can_be_raised():
    """There is one attempt, whatever the step says of retries."""
    calls = []

    def handler(ctx):
        calls.append(ctx.attempt)
        raise LookupError("no such order")

    outcome = run_step_sync(flow_of(handler, retries=3), "it")
    assert outcome.status is StepStatus.FAILED
    assert str(outcome.error) == "LookupError: no such order"
    with pytest.raises(WorkflowFailedError) as raised:
        outcome.raise_for_error()
    assert isinstance(raised.value.__cause__, LookupError)
    assert calls == [1]


def test_a_condition_counts():
    """A step whose ``when`` says no is skipped."""
    outcome = run_step_sync(flow_of(lambda ctx: 1, when=lambda ctx: ctx.data.go), "it", data={"go": False})
    assert outcome.status is StepStatus.SKIPPED
    outcome.raise_for_error()


def test_a_step_that_waits_is_suspended():
    """The outcome tells so; nothing waits."""
    assert run_step_sync(flow_of(lambda ctx: wait("approval")), "it").status is StepStatus.SUSPENDED


def test_input_and_data_have_their_types():
    """A model given as JSON is one in the handler; typed data too."""

    def handler(ctx):
        assert isinstance(ctx.input, Order)
        ctx.data.gross = ctx.data.net * 2

    flow = flow_of(handler).input(Order).data(Totals)
    outcome = run_step_sync(flow, "it", input={"total": "12.50"}, data={"net": 4})
    assert outcome.data == Totals(net=4, gross=8)


def test_the_idempotency_key_is_that_of_the_run():
    """A commit that is tested with a recorded run's id passes the same key on."""
    outcome = run_step_sync(flow_of(lambda ctx: ctx.idempotency_key), "it", run_id="3f2a")
    assert outcome.output == "3f2a:it"


def test_an_unknown_step_is_told():
    """With the names of those that there are."""
    with pytest.raises(StepNotFoundError, match="before, it, after"):
        run_step_sync(flow_of(print), "that")


def test_recorded_values_come_back_with_their_types():
    """What JSON has not is written with tags in a record."""
    value = recorded({"at": {"$type": "datetime", "value": "2026-01-02T03:04:05+00:00"}, "n": 1})
    assert value == {"at": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC), "n": 1}
