"""``.data(type)``: ``ctx.data`` as an instance of a pydantic model or of a dataclass."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_type_hints

from pydantic import BaseModel, TypeAdapter, ValidationError

from flux_engine.codec import decode
from flux_engine.data import DataShape, Delta, RunData, _difference, encode_key
from flux_engine.errors import DefinitionError, InvalidInputError


def data_shape(kind: Any, workflow: str) -> DataShape:
    """Return the shape for a type. Raises ``DefinitionError`` for one that cannot be data."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return TypedData(kind, workflow, tuple(kind.model_fields), kind.model_construct)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        names = tuple(entry.name for entry in dataclasses.fields(kind) if entry.init)
        return TypedData(kind, workflow, names, kind)
    raise DefinitionError(
        f"workflow {workflow!r}: .data() takes a pydantic model or a dataclass, not {kind!r}; "
        "leave it out for a plain dict with attribute access"
    )


class TypedData(DataShape):
    """Gives handlers an instance of a class with named fields, each stored as a top-level key."""

    def __init__(
        self, kind: type[Any], workflow: str, names: tuple[str, ...], construct: Callable[..., Any]
    ) -> None:
        self._kind = kind
        self._workflow = workflow
        self._names = names
        self._construct = construct
        try:
            kind()
        except (TypeError, ValidationError) as error:
            raise DefinitionError(
                f"workflow {workflow!r}: the data begins empty, so every field of {kind.__qualname__} "
                f"needs a default: {error}"
            ) from error
        self._adapter: TypeAdapter[Any] = TypeAdapter(kind)
        self.schema = self._adapter.json_schema

    def open(self, run: RunData) -> Any:
        """Return an instance with the stored fields, and defaults for the others."""
        values = {key: decode(text) for key, text in run.texts.items() if self._takes(key)}
        return self._construct(**values)

    def _takes(self, key: str) -> bool:
        return key in self._names or getattr(self._kind, "model_config", {}).get("extra") == "allow"

    def changes(self, data: Any, run: RunData) -> tuple[Delta, dict[str, Any]]:
        """Compare every field with what is stored."""
        values = {name: getattr(data, name) for name in self._names if hasattr(data, name)}
        values |= getattr(data, "__pydantic_extra__", None) or {}
        gone = (name for name in self._names if name not in values)
        return _difference(values, gone, run)

    def edit(self, patch: Mapping[str, Any]) -> Delta:
        """Validate each value as its field. Raises ``InvalidInputError`` with every problem."""
        hints = {entry: self._field_type(entry) for entry in self._names}
        problems: list[tuple[str, str]] = []
        texts: dict[str, str] = {}
        for key, value in patch.items():
            if key not in hints:
                if self._takes(key):
                    texts[key] = encode_key(key, value)
                else:
                    problems.append((key, f"{self._kind.__qualname__} has no such field"))
                continue
            try:
                texts[key] = encode_key(key, TypeAdapter(hints[key]).validate_python(value))
            except ValidationError as error:
                problems += [(".".join([key, *map(str, e["loc"])]), e["msg"]) for e in error.errors()]
        if problems:
            raise InvalidInputError(self._workflow, problems)
        return Delta(set=texts)

    def _field_type(self, name: str) -> Any:
        if issubclass(self._kind, BaseModel):
            field = self._kind.model_fields[name]
            return Annotated[field.annotation, field]
        return get_type_hints(self._kind, include_extras=True)[name]

    def result(self, run: RunData) -> Any:
        """Return an instance."""
        return self.open(run)
