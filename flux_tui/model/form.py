"""An input form from a JSON schema: which fields there are, and what is typed into them as a value.

A field shows one top-level property. What has no simple control (nested objects, lists, unions) is
JSON text. Schemas are those of pydantic, but whatever is not understood becomes JSON text too.
"""

import json
from collections.abc import Mapping, Sequence
from enum import Enum, StrEnum
from typing import Any, Final

from msgspec import Struct

from flux_tui.model import constraints
from flux_tui.model.json_text import JsonProblem, read_json, write_json

MAX_REFS: Final = 20
Schema = Mapping[str, Any]
Raw = str | bool | int
"""What a control holds: text, a switch's state, or the index of a choice."""


class Absent(Enum):
    """No value: the property is left out."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


class Kind(StrEnum):
    """Which control a field has."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    JSON = "json"


class Field(Struct, frozen=True, kw_only=True):
    """A property of the input. ``schema`` is what applies to its value, references resolved."""

    name: str
    kind: Kind
    schema: Schema
    required: bool = False
    nullable: bool = False
    default: Any = ABSENT
    choices: tuple[Any, ...] = ()
    description: str = ""

    @property
    def hint(self) -> str:
        """What may be typed, in a few words."""
        if self.kind in (Kind.CHOICE, Kind.BOOLEAN):
            return ""
        if self.kind is Kind.JSON:
            kinds = {"object": "object as JSON", "array": "list as JSON"}
            words = [kinds.get(str(self.schema.get("type")), "JSON")]
        else:
            words = [str(self.schema.get("format") or self.kind), *constraints.words(self.schema)]
        if self.nullable:
            words.append("may be empty")
        elif self.schema.get("writeOnly") and not self.required and self.default is ABSENT:
            words.append("has a default")
        return ", ".join(words)


class Reading(Struct, frozen=True, kw_only=True):
    """What a form holds: the value as far as it can be read, and a problem for each field that cannot."""

    value: dict[str, Any]
    problems: dict[str, str]


def fields(schema: Schema | None) -> tuple[Field, ...] | None:
    """Return the fields of a form, or ``None`` when the input is better written as JSON."""
    if not isinstance(schema, Mapping):
        return None
    root = resolve(schema, schema)
    properties = root.get("properties")
    if root.get("type", "object") != "object" or not isinstance(properties, Mapping):
        return None
    required = root.get("required")
    names = set(required) if isinstance(required, list | tuple) else set()
    return tuple(_field(str(name), each, schema, name in names) for name, each in properties.items())


def resolve(schema: Any, root: Schema) -> Schema:
    """Follow ``$ref`` and an ``allOf`` of one; what stands beside a reference is kept."""
    known: dict[str, Any] = {}
    for _ in range(MAX_REFS):
        if not isinstance(schema, Mapping):
            return known
        known = {**{key: item for key, item in schema.items() if key not in ("$ref", "allOf")}, **known}
        target = schema.get("$ref")
        whole = schema.get("allOf")
        if isinstance(target, str):
            schema = _target(target, root)
        elif isinstance(whole, list) and len(whole) == 1:
            schema = whole[0]
        else:
            break
    return known


def _target(reference: str, root: Schema) -> Any:
    found: Any = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _field(name: str, schema: Any, root: Schema, required: bool) -> Field:  # noqa: FBT001
    outer = resolve(schema, root)
    inner, nullable = _without_null(outer, root)
    kind, choices = _kind(inner, root)
    if nullable and kind in (Kind.CHOICE, Kind.BOOLEAN):
        kind, choices = Kind.CHOICE, (*(choices or (True, False)), None)
    return Field(
        name=name,
        kind=kind,
        schema=inner,
        required=required,
        nullable=nullable,
        default=outer.get("default", ABSENT),
        choices=choices,
        description=str(outer.get("description") or ""),
    )


def _without_null(schema: Schema, root: Schema) -> tuple[Schema, bool]:
    options = _options(schema, root)
    if options is not None:
        others = [option for option in options if option.get("type") != "null"]
        if len(others) == 1:
            beside = {key: item for key, item in schema.items() if key not in ("anyOf", "oneOf")}
            return {**beside, **others[0]}, len(options) > 1
        return schema, len(others) < len(options)
    types = schema.get("type")
    if isinstance(types, list | tuple):
        others_left = [each for each in types if each != "null"]
        if len(others_left) == 1:
            return {**schema, "type": others_left[0]}, len(types) > 1
    return schema, False


def _options(schema: Schema, root: Schema) -> list[Schema] | None:
    options = schema.get("anyOf", schema.get("oneOf"))
    return [resolve(option, root) for option in options] if isinstance(options, list | tuple) else None


def _kind(schema: Schema, root: Schema) -> tuple[Kind, tuple[Any, ...]]:
    if isinstance(schema.get("enum"), list | tuple) and schema["enum"]:
        return Kind.CHOICE, tuple(schema["enum"])
    if "const" in schema:
        return Kind.CHOICE, (schema["const"],)
    options = _options(schema, root)
    if options is not None:
        types = {str(option.get("type")) for option in options} - {"null"}
        return (Kind.DECIMAL if types == {"number", "string"} and _is_decimal(options) else Kind.JSON), ()
    simple = {"string": Kind.TEXT, "integer": Kind.INTEGER, "number": Kind.NUMBER, "boolean": Kind.BOOLEAN}
    return simple.get(str(schema.get("type")), Kind.JSON), ()


def _is_decimal(options: Sequence[Schema]) -> bool:
    """Whether a number or a text is how pydantic describes a decimal: one of the two has rules."""
    return any("pattern" in option or len(option) > 1 for option in options if option.get("type") != "null")


def start(field: Field) -> Raw:
    """Return what the control of a field holds at first: its default, if it has one."""
    raw = None if field.default is ABSENT else fill(field, field.default)
    if raw is not None:
        return raw
    if field.kind is Kind.BOOLEAN:
        return False
    if field.kind is Kind.CHOICE:
        return field.choices.index(None) if None in field.choices else 0 if field.required else -1
    return ""


def fill(field: Field, value: Any) -> Raw | None:
    """Return what the control holds for a value, or ``None`` when it cannot show it."""
    if field.kind is Kind.BOOLEAN:
        return value if isinstance(value, bool) else None
    if field.kind is Kind.CHOICE:
        at = (at for at, each in enumerate(field.choices) if _same(each, value))
        return -1 if value is ABSENT else next(at, None)
    if value is ABSENT or (value is None and field.nullable):
        return ""
    if field.kind is Kind.JSON:
        return write_json(value)
    return _fill_line(field.kind, value)


def _fill_line(kind: Kind, value: Any) -> str | None:
    if isinstance(value, str):
        return value if kind in (Kind.TEXT, Kind.DECIMAL) and "\n" not in value else None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return json.dumps(value) if is_number and kind is not Kind.TEXT else None


def _same(left: Any, right: Any) -> bool:
    return type(left) is type(right) and bool(left == right)


def read_field(field: Field, raw: Raw) -> tuple[Any, str | None]:
    """Return the value that a control holds, and what is wrong with it."""
    if field.kind is Kind.BOOLEAN:
        return bool(raw), None
    if field.kind is Kind.CHOICE:
        return _read_choice(field, raw)
    text = str(raw)
    if not text.strip() and not (text and field.kind is Kind.TEXT):
        return _read_empty(field)
    if field.kind is Kind.TEXT:
        return text, constraints.text_problem(text, field.schema)
    return _read_json(text) if field.kind is Kind.JSON else _read_number(field, text.strip())


def _read_choice(field: Field, raw: Raw) -> tuple[Any, str | None]:
    if isinstance(raw, int) and 0 <= raw < len(field.choices):
        return field.choices[raw], None
    return ABSENT, "choose one" if field.required else None


def _read_json(text: str) -> tuple[Any, str | None]:
    value = read_json(text)
    return (ABSENT, value.text) if isinstance(value, JsonProblem) else (value, None)


def _read_empty(field: Field) -> tuple[Any, str | None]:
    if field.required:
        return (None, None) if field.nullable else (ABSENT, "required")
    if field.default is ABSENT or field.default is None or field.default == "":
        return ABSENT, None
    if field.nullable:
        return None, None
    return ("", constraints.text_problem("", field.schema)) if field.kind is Kind.TEXT else (ABSENT, None)


def _read_number(field: Field, text: str) -> tuple[Any, str | None]:
    try:
        number = int(text) if field.kind is Kind.INTEGER else float(text)
    except ValueError:
        return ABSENT, "not a whole number" if field.kind is Kind.INTEGER else "not a number"
    if number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124
        return ABSENT, "not a number that JSON has"
    problem = constraints.number_problem(number, _number_schema(field.schema))
    if field.kind is Kind.DECIMAL:
        return text, problem
    if field.kind is Kind.NUMBER and number == int(number) and text.lstrip("+-").isdigit():
        return int(text), problem
    return number, problem


def _number_schema(schema: Schema) -> Schema:
    options: Sequence[Any] = schema.get("anyOf") or ()
    return next(
        (each for each in options if isinstance(each, Mapping) and each.get("type") == "number"), schema
    )


def read(form: Sequence[Field], raws: Mapping[str, Raw]) -> Reading:
    """Return the value of a whole form, fields without a value left out."""
    value: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field in form:
        item, problem = read_field(field, raws[field.name])
        if problem is not None:
            problems[field.name] = problem
        if item is not ABSENT:
            value[field.name] = item
    return Reading(value=value, problems=problems)


def unfit(form: Sequence[Field], value: Any) -> str | None:
    """Say why a value cannot be shown in a form, or ``None`` when it can."""
    if not isinstance(value, Mapping):
        return "the form shows an object, and this is none"
    for field in form:
        if field.name in value and fill(field, value[field.name]) is None:
            return f"{field.name} has a value that the form cannot show"
    return None


def raws_of(form: Sequence[Field], value: Mapping[str, Any]) -> dict[str, Raw]:
    """Return what each control holds for a value that is not ``unfit``; what is absent is empty."""
    return {
        field.name: raw if (raw := fill(field, value.get(field.name, ABSENT))) is not None else start(field)
        for field in form
    }


def misfits(form: Sequence[Field], problems: Sequence[tuple[str, str]]) -> tuple[dict[str, str], list[str]]:
    """Sort the problems that the engine found by field; those of no field come second, as text."""
    names = {field.name for field in form}
    by_field: dict[str, str] = {}
    others = []
    for location, message in problems:
        name, _, rest = location.partition(".")
        if name in names:
            said = f"{rest}: {message}" if rest else message
            by_field[name] = f"{by_field[name]}; {said}" if name in by_field else said
        else:
            others.append(f"{location}: {message}" if location else message)
    return by_field, others
