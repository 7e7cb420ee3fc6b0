"""``ctx.data`` behaves like a dict, and every change to it is found."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from flux_engine.codec import encode
from flux_engine.data import Data, DataShape, RunData
from flux_engine.errors import SerializationError

SHAPE = DataShape()


def run_data(**values: Any) -> RunData:
    """Return the data of a run that has these values."""
    return RunData({key: encode(value) for key, value in values.items()})


def changed(run: RunData, data: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what ``data`` changed, decoded."""
    delta, _ = SHAPE.changes(data, run)
    return {key: json.loads(text) for key, text in delta.set.items()}, delta.deleted


def test_keys_are_attributes():
    """Reading, setting and deleting; a missing one names those that exist."""
    data = SHAPE.open(run_data(order={"id": 1}))
    assert data.order is data["order"]
    data.paid = True
    assert data["paid"] is True
    del data.order
    assert "order" not in data
    with pytest.raises(AttributeError, match="no 'order'; it has 'paid'"):
        _ = data.order
    with pytest.raises(AttributeError):
        del data.order
    with pytest.raises(AttributeError, match="'items' is a method"):
        data.items = [1]
    assert "paid" in dir(data)
    assert not hasattr(data, "absent")


def test_only_what_changed_is_found():
    """Reading is no change, and neither is setting a value that is there already."""
    run = run_data(a=[1], b=[2], c=3, d=4)
    data = SHAPE.open(run)
    assert data.a == [1]
    data.b.append(5)
    data.c = 3
    del data.d
    data.e = None
    assert changed(run, data) == ({"b": [2, 5], "e": None}, ("d",))


@pytest.mark.parametrize(
    "touch",
    [
        lambda data: data["a"].append(2),
        lambda data: data.get("a").append(2),
        lambda data: next(iter(data.values())).append(2),
        lambda data: next(value for _, value in data.items()).append(2),
        lambda data: dict(data)["a"].append(2),
        lambda data: {**data}["a"].append(2),
        lambda data: data.copy()["a"].append(2),
        lambda data: copy.copy(data)["a"].append(2),
        lambda data: (data | {})["a"].append(2),
        lambda data: data.setdefault("a", []).append(2),
        lambda data: (lambda a: a.append(2))(**data),
    ],
)
def test_a_change_inside_a_value_is_found_however_it_was_reached(touch):
    """And the run's own value is not touched by it."""
    run = run_data(a=[1])
    data = SHAPE.open(run)
    touch(data)
    assert changed(run, data) == ({"a": [1, 2]}, ())
    assert SHAPE.open(run).a == [1]


def test_a_deep_copy_is_independent():
    """It is no longer the data of a step."""
    run = run_data(a=[1])
    data = SHAPE.open(run)
    copy.deepcopy(data)["a"].append(2)
    assert changed(run, data) == ({}, ())


def test_data_can_be_given_to_others_that_read_dicts():
    """json, pydantic and keyword arguments see plain values."""

    class Model(BaseModel):
        a: list[int]

    data = SHAPE.open(run_data(a=[1]))
    assert json.dumps(data) == '{"a": [1]}'
    assert Model.model_validate(data).a == [1]
    assert Model(**data).a == [1]
    assert data == {"a": [1]}
    assert isinstance(data, dict)
    assert repr(data) == "{'a': [1]}"


def test_keys_are_strings():
    """Anything else could not be told from its string in the store."""
    data = SHAPE.open(run_data())
    with pytest.raises(SerializationError, match=r"strings, not int \(1\)"):
        data[1] = 2


def test_an_error_names_the_key():
    """So that one need not search."""
    run = run_data()
    data = SHAPE.open(run)
    data.fine = 1
    data.broken = {"x": [object()]}
    with pytest.raises(SerializationError, match="'broken'"):
        SHAPE.changes(data, run)


keys = st.sampled_from(["a", "b", "c"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=5,
)
operations = st.lists(
    st.one_of(
        st.tuples(st.just("set"), keys, values),
        st.tuples(st.just("pop"), keys),
        st.tuples(st.just("setdefault"), keys, values),
        st.tuples(st.just("update"), st.dictionaries(keys, values)),
        st.tuples(st.just("or"), st.dictionaries(keys, values)),
        st.tuples(st.just("popitem")),
        st.tuples(st.just("clear")),
        st.tuples(st.just("append"), keys, values),
        st.tuples(st.just("step")),
    ),
    max_size=12,
)


@given(operations)
def test_data_is_a_dict_that_remembers(program):
    """Any sequence of changes over several steps gives what a plain dict gives."""
    run, model = RunData({}), {}
    data = SHAPE.open(run)
    for operation, *arguments in program:
        for kind in ("data", "model"):
            target = data if kind == "data" else model
            if operation == "set":
                target[arguments[0]] = copy.deepcopy(arguments[1])
            elif operation == "pop":
                target.pop(arguments[0], None)
            elif operation == "setdefault":
                target.setdefault(arguments[0], copy.deepcopy(arguments[1]))
            elif operation == "update":
                target.update(copy.deepcopy(arguments[0]))
            elif operation == "or":
                target.__ior__(copy.deepcopy(arguments[0]))
            elif operation == "popitem" and kind == "data" and data:
                model.pop(data.popitem()[0])  # the order of keys is not kept from step to step
            elif operation == "clear":
                target.clear()
            elif operation == "append" and isinstance(target.get(arguments[0]), list):
                target[arguments[0]].append(copy.deepcopy(arguments[1]))
        if operation == "step":
            run.apply(*SHAPE.changes(data, run))
            data = SHAPE.open(run)
        assert data == model
        assert list(data.items()) == list(model.items()) or set(data) == set(model)
    run.apply(*SHAPE.changes(data, run))
    assert run.decoded() == model
    assert isinstance(run.decoded(), Data)
    assert run.values == model
