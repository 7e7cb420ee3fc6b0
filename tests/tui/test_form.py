"""Forms from JSON schemas, without a screen."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from flux_tui.model.form import ABSENT, Kind, fields, misfits, raws_of, read, read_field, start, unfit
from flux_tui.model.json_text import JsonProblem, read_json


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Item(BaseModel):
    sku: str
    price: Decimal = Decimal(1)


class Order(BaseModel):
    """The input that the forms of these tests are for."""

    order_id: str = Field(min_length=3, pattern="^o-", description="as on the invoice")
    quantity: int = Field(default=1, ge=1, le=10)
    ratio: float | None = None
    express: bool = False
    maybe: bool | None = None
    colour: Colour = Colour.RED
    size: Literal["S", "M"] | None = None
    price: Decimal = Field(default=Decimal("9.90"), gt=0)
    due: date | None = None
    items: list[Item] = []
    first: Item | None = None
    either: int | str = 1


FORM = fields(Order.model_json_schema()) or ()
BY_NAME = {field.name: field for field in FORM}


def test_each_property_gets_the_control_that_fits() -> None:
    """References resolved, optional ones seen through, what is complex as JSON."""
    assert {field.name: field.kind for field in FORM} == {
        "order_id": Kind.TEXT,
        "quantity": Kind.INTEGER,
        "ratio": Kind.NUMBER,
        "express": Kind.BOOLEAN,
        "maybe": Kind.CHOICE,
        "colour": Kind.CHOICE,
        "size": Kind.CHOICE,
        "price": Kind.DECIMAL,
        "due": Kind.TEXT,
        "items": Kind.JSON,
        "first": Kind.JSON,
        "either": Kind.JSON,
    }
    assert [field.name for field in FORM if field.required] == ["order_id"]
    assert BY_NAME["colour"].choices == ("red", "blue")
    assert BY_NAME["size"].choices == ("S", "M", None)
    assert BY_NAME["order_id"].description == "as on the invoice"
    assert BY_NAME["quantity"].hint == "integer, 1 to 10"


def test_defaults_are_prefilled_and_make_a_valid_input() -> None:
    """A form with only the required field filled in is what the model accepts."""
    raws = {field.name: start(field) for field in FORM} | {"order_id": "o-1"}
    assert raws["quantity"] == "1"
    assert raws["price"] == "9.90"
    reading = read(FORM, raws)
    assert reading.problems == {}
    assert Order.model_validate(reading.value) == Order(order_id="o-1")


@pytest.mark.parametrize(
    ("name", "raw", "problem"),
    [
        ("order_id", "", "required"),
        ("order_id", "o-", "must be at least 3 long, is 2"),
        ("order_id", "x-12", "must be like ^o-"),
        ("quantity", "1.5", "not a whole number"),
        ("quantity", "11", "must be at most 10"),
        ("quantity", "0", "must be at least 1"),
        ("ratio", "many", "not a number"),
        ("ratio", "nan", "not a number that JSON has"),
        ("price", "0", "must be more than 0"),
        ("due", "31.1.2025", "must be a date such as 2025-01-31"),
        ("items", "[1,]", "line 1, column 4: a comma too many"),
    ],
)
def test_what_does_not_fit_is_said_as_it_is_typed(name: str, raw: str, problem: str) -> None:
    """Bounds, lengths, patterns, formats and JSON, each in words."""
    said = read_field(BY_NAME[name], raw)[1]
    assert said is not None
    assert said.startswith(problem[:24])


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("quantity", " 7 ", 7),
        ("ratio", "2", 2),
        ("ratio", "0.5", 0.5),
        ("ratio", "", ABSENT),
        ("price", "12.50", "12.50"),
        ("size", 2, None),
        ("items", '[{"sku": "a"}]', [{"sku": "a"}]),
        ("first", "", ABSENT),
        ("due", "2025-01-31", "2025-01-31"),
    ],
)
def test_values_keep_their_types(name: str, raw: Any, value: Any) -> None:
    """A whole number stays one, a decimal keeps its digits, empty is left out."""
    assert read_field(BY_NAME[name], raw) == (value, None)


def test_a_value_goes_into_the_form_and_comes_back() -> None:
    """Toggling between form and JSON loses nothing."""
    value = Order(order_id="o-7", ratio=0.25, size="M", items=[Item(sku="a")], either="x").model_dump(
        mode="json"
    )
    assert unfit(FORM, value) is None
    reading = read(FORM, raws_of(FORM, value))
    assert reading.problems == {}
    assert Order.model_validate(reading.value) == Order.model_validate(value)


@pytest.mark.parametrize("value", [[], {"colour": "green"}, {"quantity": "many"}, {"order_id": "a\nb"}])
def test_values_that_the_form_cannot_show_are_refused(value: Any) -> None:
    """They stay JSON instead of being changed silently."""
    assert unfit(FORM, value) is not None


@pytest.mark.parametrize("schema", [None, {}, {"type": "array"}, {"$ref": "#/$defs/none"}])
def test_schemas_without_properties_have_no_form(schema: Any) -> None:
    """Their input is written as JSON."""
    assert fields(schema) is None


def test_a_schema_that_refers_to_itself_ends() -> None:
    """A circle of references is JSON text, not a hang."""
    schema = {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"$ref": "#/$defs/A"}}}
    form = fields(schema)
    assert form is not None
    assert form[0].kind is Kind.JSON


def test_problems_of_the_engine_find_their_fields() -> None:
    """Nested ones say where inside; those of no field come apart."""
    by_field, others = misfits(FORM, [("items.0.sku", "missing"), ("quantity", "too big"), ("", "all wrong")])
    assert by_field == {"items": "0.sku: missing", "quantity": "too big"}
    assert others == ["all wrong"]


def test_json_mistakes_have_a_place() -> None:
    """Line and column count from one."""
    problem = read_json('{\n  "a": tru\n}')
    assert isinstance(problem, JsonProblem)
    assert (problem.line, problem.column) == (2, 8)
    assert isinstance(read_json("[NaN]"), JsonProblem)
    assert isinstance(read_json("[" * 100_000), JsonProblem)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values)
def test_no_schema_breaks_the_form(schema: Any) -> None:
    """Whatever a trace holds in place of a schema gives a form or none, and the form can be read."""
    form = fields({"properties": {"x": schema}, "$defs": {"x": schema}})
    assert form is not None
    read(form, {field.name: start(field) for field in form})
    assert all(isinstance(field.hint, str) for field in form)
