"""Fields that hold secrets by their type."""

import pytest
from pydantic import BaseModel, SecretBytes, SecretStr

from flux_engine import create_workflow
from flux_tui.model.declared import declared, declared_in
from flux_tui.model.form import ABSENT, fields, read_field, start
from flux_tui.model.secrets import MASK, Secrets


class Card(BaseModel):
    """A part of the input."""

    digits: SecretStr


class Order(BaseModel):
    """An input whose names give nothing away."""

    name: str = "ann"
    code: SecretStr = SecretStr("by-default")
    maybe: SecretBytes | None = None
    many: list[SecretStr] = []
    each: dict[str, SecretStr] = {}
    card: Card | None = None


DESCRIPTION = create_workflow("order").input(Order).step("take", print).describe()


@pytest.fixture(autouse=True)
def nothing_declared():
    """Each test ends without names."""
    yield
    declared.forget()


def test_fields_of_secret_types_are_found_at_any_depth():
    """Also one that may be empty, and lists and mappings of them."""
    assert declared_in(DESCRIPTION) == {"code", "maybe", "many", "each", "digits"}
    assert declared_in({"input_schema": None}) == frozenset()


def test_what_is_declared_is_masked_by_its_name():
    """Whoever has made the rules of masking before."""
    secrets = Secrets()
    declared.add(declared_in(DESCRIPTION))
    shown = secrets.redact({"name": "ann", "code": "0815", "card": {"digits": "4111"}})
    assert shown == {"name": "ann", "code": MASK, "card": {"digits": MASK}}


def test_a_secret_with_a_default_is_left_out_of_a_form_that_leaves_it_empty():
    """The default is known to the model alone; the hint says that there is one."""
    field = next(each for each in fields(DESCRIPTION["input_schema"]) or () if each.name == "code")
    assert (start(field), field.hint) == ("", "password, has a default")
    assert read_field(field, start(field)) == (ABSENT, None)
