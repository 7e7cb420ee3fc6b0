"""``.input(type)``: ``ctx.input`` as an instance of any type that pydantic can validate."""

from functools import cached_property
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import to_json

from flux_engine.errors import DefinitionError, InvalidInputError
from flux_engine.secret_fields import has_secrets, with_secrets, without_masks

T = TypeVar("T")


class TypedInput(Generic[T]):
    """The type of a workflow's input. Raises ``DefinitionError`` for one that pydantic cannot handle."""

    def __init__(self, kind: Any, workflow: str) -> None:
        self._workflow = workflow
        try:
            self._adapter: TypeAdapter[T] = TypeAdapter(kind)
        except PydanticUserError as error:
            raise DefinitionError(
                f"workflow {workflow!r}: pydantic cannot validate {kind!r}: {error}"
            ) from error

    def schema(self) -> dict[str, Any] | None:
        """Return the JSON schema, or ``None`` for a type that has none."""
        try:
            schema = self._adapter.json_schema()
        except PydanticUserError:
            return None
        return without_masks(schema) if self._has_secrets else schema

    @cached_property
    def _has_secrets(self) -> bool:
        return has_secrets(self._adapter)

    def validate(self, value: Any) -> T:
        """Return the input as its type. Raises ``InvalidInputError`` with every problem found."""
        try:
            return self._adapter.validate_python(value)
        except ValidationError as error:
            raise self._invalid(error) from error

    def encode(self, value: T) -> str:
        """Return a validated input as JSON text. Raises ``ValueError`` or ``TypeError`` for what has none."""
        if not self._has_secrets:
            return self._adapter.dump_json(value, by_alias=True, round_trip=True).decode()
        dumped = self._adapter.dump_python(value, mode="json", by_alias=True, round_trip=True)
        plain = self._adapter.dump_python(value, by_alias=True, round_trip=True)
        return to_json(with_secrets(dumped, plain), inf_nan_mode="null").decode()

    def decode(self, text: str) -> T:
        """Return a stored input as its type. Raises ``InvalidInputError`` when it no longer fits."""
        try:
            return self._adapter.validate_json(text)
        except ValidationError as error:
            raise self._invalid(error) from error

    def _invalid(self, error: ValidationError) -> InvalidInputError:
        problems = [(".".join(map(str, each["loc"])), each["msg"]) for each in error.errors()]
        return InvalidInputError(self._workflow, problems)
