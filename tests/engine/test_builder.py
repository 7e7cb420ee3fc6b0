"""How a workflow is written, described and refused."""

import json
from dataclasses import dataclass
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from flux_engine import DefinitionError, InvalidInputError, StepNotFoundError, create_workflow


class Order(BaseModel):
    order_id: str
    quantity: int = Field(default=1, ge=1)
    speed: Literal["slow", "fast"] = "slow"


def nothing(ctx):
    """Do nothing at all.

    Really.
    """


def test_both_forms_make_the_same_definition():
    """Chained calls and decorators are two ways to write one thing."""
    chained = create_workflow("w").step("a", nothing, retries=2).commit("b", nothing)
    decorated = create_workflow("w")
    assert decorated.step("a", retries=2)(nothing) is nothing
    decorated.commit("b")(nothing)
    assert chained.describe() == decorated.describe()


def test_a_description_is_json_and_has_the_input_schema():
    """Whoever draws or triggers a workflow needs nothing but its description."""
    flow = (
        create_workflow("orders").input(Order).step("a", nothing, retries=2, timeout=1.5).commit("b", nothing)
    )
    described = json.loads(json.dumps(flow.describe()))
    assert described["name"] == "orders"
    first, second = described["steps"]
    assert (first["name"], first["index"], first["commit"]) == ("a", 0, False)
    assert (first["retries"], first["timeout"]) == (2, 1.5)
    assert (second["retries"], second["timeout"], second["commit"]) == (None, None, True)
    assert first["description"] == "Do nothing at all."
    assert first["source"]["file"] == __file__
    assert first["source"]["function"] == "nothing"
    assert described["edges"] == [["a", "b"]]
    assert described["input_schema"]["properties"]["quantity"]["minimum"] == 1
    assert described["data_schema"] is None


def test_neighbours_with_conditions_are_branches_between_the_steps_around_them():
    """The drawing fans out to them and joins behind them; a lone condition stays in the chain."""
    when = lambda ctx: True  # noqa: E731
    flow = create_workflow("w").step("classify", nothing)
    for branch in ("x", "y", "z"):
        flow.step(branch, nothing, when=when)
    flow.step("join", nothing).step("lone", nothing, when=when).step("end", nothing)
    edges = {tuple(edge) for edge in flow.describe()["edges"]}
    assert edges == {
        *(("classify", branch) for branch in "xyz"),
        *((branch, "join") for branch in "xyz"),
        ("join", "lone"),
        ("lone", "end"),
    }


def test_a_definition_does_not_change_when_the_builder_goes_on():
    """What the engine runs is frozen."""
    flow = create_workflow("w").step("a", nothing)
    built = flow.build()
    flow.step("b", nothing)
    assert built.names == ("a",)
    assert flow.build().names == ("a", "b")
    assert (flow.name, flow.step_count) == ("w", 2)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: create_workflow("w").build(), "no steps"),
        (lambda: create_workflow(""), "name"),
        (lambda: create_workflow("w").step("", nothing), "name"),
        (lambda: create_workflow("w").step("a", nothing).commit("a", nothing), "'a'.*already"),
        (lambda: create_workflow("w").step("a", "no"), "not callable"),
        (lambda: create_workflow("w").step("a", nothing, retries=-1), "retries"),
        (lambda: create_workflow("w").step("a", nothing, retries=True), "retries"),
        (lambda: create_workflow("w").step("a", nothing, timeout=0), "timeout"),
        (lambda: create_workflow("w").step("a", nothing, timeout="soon"), "timeout"),
        (lambda: create_workflow("w").step("a", nothing, when=1), "when"),
        (lambda: create_workflow("w").step("a", nothing, backoff=-1), "back-?off"),
        (lambda: create_workflow("w").step("a", nothing, retry_on=ValueError()), "retry_on"),
        (lambda: create_workflow("w").step("a", nothing, retry=3), "unknown option 'retry'"),
        (lambda: create_workflow("w").data(int), "pydantic model or a dataclass"),
        (lambda: create_workflow("w").data(Order), "needs a default"),
        (lambda: create_workflow("w").input(object()), "pydantic"),
        (lambda: create_workflow("w").validate("x"), "validate"),
    ],
)
def test_a_mistake_in_a_definition_is_refused_where_it_is_made(mistake, message):
    """The message names the workflow or step and what was expected."""
    with pytest.raises(DefinitionError, match=message):
        mistake()


def test_an_unknown_step_is_named_together_with_those_that_exist():
    """The message is enough to correct a slip of the keyboard."""
    with pytest.raises(StepNotFoundError, match="'c'.*a, b"):
        create_workflow("w").step("a", nothing).step("b", nothing).build().step("c")


async def test_input_that_does_not_fit_names_every_field_and_starts_nothing(engine):
    """All problems come at once, and no run exists afterwards."""
    flow = create_workflow("w").input(Order).step("a", nothing)
    with pytest.raises(InvalidInputError) as caught:
        await engine.execute(flow, {"quantity": 0, "speed": "warp"})
    assert {where for where, _ in caught.value.problems} == {"order_id", "quantity", "speed"}
    assert await engine.list() == []


@pytest.mark.parametrize("check", [lambda order: False, lambda order: 1 / 0])
async def test_a_validate_function_can_refuse_input(engine, check):
    """Returning false and raising are both a refusal, before any run exists."""
    flow = create_workflow("w").input(Order).validate(check).step("a", nothing)
    with pytest.raises(InvalidInputError):
        await engine.execute(flow, {"order_id": "1"})
    assert await engine.list() == []


async def test_the_input_is_an_instance_of_its_type_in_every_step_and_after_a_retry(engine):
    """What the handler sees does not depend on where the run was started from."""
    seen = []
    flow = create_workflow("w").input(Order).step("a", lambda ctx: seen.append(ctx.input))
    result = await engine.execute(flow, Order(order_id="7", quantity=2))
    await engine.retry_step(flow, result.id, "a")
    assert seen == [Order(order_id="7", quantity=2)] * 2


@dataclass
class Point:
    x: int
    y: int = 0


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        (list[int], ["1", 2], [1, 2]),
        (Point, {"x": 1}, Point(1)),
        (int | None, None, None),
        (dict[str, Point], {"a": {"x": 3}}, {"a": Point(3)}),
    ],
)
async def test_any_type_that_pydantic_validates_can_be_the_input(engine, kind, given, expected):
    """Not only models."""
    flow = create_workflow("w").input(kind).step("a", lambda ctx: {"same": ctx.input == expected})
    result = await engine.execute(flow, given)
    assert result.history[0].output == {"same": True}


async def test_each_attempt_has_an_input_of_its_own(engine):
    """What a handler does to it is not seen by the next attempt, the next step or the caller."""
    seen = []

    async def change(ctx):
        seen.append(list(ctx.input["items"]))
        ctx.input["items"].append("changed")
        assert ctx.input["items"][-1] == "changed"
        if ctx.attempt == 1:
            raise ValueError

    given = {"items": [1]}
    flow = create_workflow("w").step("a", change, retries=1).step("b", change, retries=1)
    assert (await engine.execute(flow, given)).ok
    assert seen == [[1]] * 4
    assert given == {"items": [1]}
