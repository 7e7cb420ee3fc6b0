"""What a workflow is: a frozen definition, checked when it is built."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
from msgspec import Struct, structs

from flux_engine.codec import decode, encode
from flux_engine.data import DataShape
from flux_engine.errors import InvalidInputError, SerializationError, StepNotFoundError
from flux_engine.fingerprint import source_of
from flux_engine.retry import Backoff
from flux_engine.steps_graph import followers

if TYPE_CHECKING:
    from flux_engine.typed_input import TypedInput

InputT = TypeVar("InputT")
DataT = TypeVar("DataT")

Handler = Callable[[Any], Any]


class _EngineDefault:
    """Stands for an option that was not given, so that the engine's own default counts."""

    def __repr__(self) -> str:
        return "<the engine's default>"


ENGINE_DEFAULT: Any = _EngineDefault()


class StepDefinition(Struct, frozen=True, kw_only=True):
    """A step: its handler and its options. ``timeout`` is seconds an attempt, ``None`` for no limit.

    ``after`` names its predecessors; ``chained`` says that it has none but the step declared before it,
    because ``after=`` was not given.

    ``retries`` and ``timeout`` are ``ENGINE_DEFAULT`` when the step does not say. ``fingerprint`` stands
    for the source of the handler and of ``when``.
    """

    name: str
    index: int
    handler: Handler
    commit: bool = False
    retries: int | _EngineDefault = ENGINE_DEFAULT
    timeout: float | _EngineDefault | None = ENGINE_DEFAULT
    when: Callable[[Any], Any] | None = None
    backoff: Backoff
    retry_on: tuple[type[BaseException], ...] = (Exception,)
    after: tuple[str, ...] = ()
    chained: bool = True
    compensate: Handler | None = None
    on_crash: str = "retry"
    fingerprint: str = ""

    def describe(self) -> dict[str, Any]:
        """Return the step as JSON values. ``timeout`` is seconds; ``null`` is the engine's default."""
        source = source_of(self.handler)
        return {
            "name": self.name,
            "index": self.index,
            "commit": self.commit,
            "conditional": self.when is not None,
            "after": list(self.after),
            "compensated": self.compensate is not None,
            "retries": self.retries if isinstance(self.retries, int) else None,
            "timeout": self.timeout if isinstance(self.timeout, int | float) else None,
            "description": _first_line(self.handler),
            "fingerprint": self.fingerprint,
            "source": None if source is None else msgspec.to_builtins(source),
        }


def _first_line(handler: Handler) -> str:
    text = inspect.getdoc(handler) if inspect.isroutine(handler) else None
    return text.splitlines()[0].strip() if text else ""


class WorkflowDefinition(Generic[InputT, DataT]):
    """A workflow that can be run: named steps in order, the type of its input, the shape of its data.

    ``by_name`` has the steps by name. Made by ``WorkflowBuilder.build()``; never changes.
    """

    def __init__(
        self,
        *,
        name: str,
        steps: tuple[StepDefinition, ...],
        input_type: "TypedInput[InputT] | None",
        shape: DataShape,
        check_input: Callable[[Any], Any] | None,
    ) -> None:
        self._name = name
        self._steps = steps
        self.by_name: Mapping[str, StepDefinition] = {step.name: step for step in steps}
        self._input_type = input_type
        self._shape = shape
        self._check_input = check_input

    def __repr__(self) -> str:
        return f"<workflow {self._name!r}: {', '.join(self.by_name)}>"

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self._name

    @property
    def steps(self) -> tuple[StepDefinition, ...]:
        """The steps, in the order of their declaration."""
        return self._steps

    @property
    def step_count(self) -> int:
        """How many steps there are."""
        return len(self._steps)

    @property
    def shape(self) -> DataShape:
        """How ``ctx.data`` is given to handlers."""
        return self._shape

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the steps, in order."""
        return tuple(self.by_name)

    def step(self, name: str | int) -> StepDefinition:
        """Return a step by name or index. Raises ``StepNotFoundError`` naming those that exist."""
        if isinstance(name, str) and name in self.by_name:
            return self.by_name[name]
        if isinstance(name, int) and 0 <= name < len(self._steps):
            return self._steps[name]
        raise StepNotFoundError(
            f"Workflow {self._name!r} has no step {name!r}; its steps are {', '.join(self.names)}."
        )

    @functools.cached_property
    def after(self) -> dict[str, tuple[str, ...]]:
        """The predecessors of each step."""
        return {step.name: step.after for step in self._steps}

    @functools.cached_property
    def following(self) -> dict[str, list[str]]:
        """The steps that directly follow each step."""
        return followers(self.after)

    @functools.cached_property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """The edges to draw: neighbouring steps with ``when`` are branches between the steps around them."""
        return draw_edges(self._steps)

    @functools.cached_property
    def graph(self) -> dict[str, Any]:
        """Name, steps and edges as JSON values: what a run remembers of its definition."""
        return {
            "name": self._name,
            "steps": [step.describe() for step in self._steps],
            "edges": [list(edge) for edge in self.edges],
        }

    @functools.cached_property
    def graph_json(self) -> str:
        """The graph as JSON text."""
        return msgspec.json.encode(self.graph).decode()

    def without_condition(self, name: str) -> "WorkflowDefinition[InputT, DataT]":
        """Return this definition with one step that is not asked for its condition.

        The graph stays: it is how the workflow is written, not how it is run this once.
        """
        return self.with_steps(
            tuple(structs.replace(s, when=None) if s.name == name else s for s in self._steps)
        )

    def with_steps(self, steps: tuple[StepDefinition, ...]) -> "WorkflowDefinition[InputT, DataT]":
        """Return this definition with its steps run in another way. The graph stays as it is written."""
        other = self.made_of(steps)
        other.__dict__["graph"] = self.graph
        return other

    def made_of(self, steps: tuple[StepDefinition, ...]) -> "WorkflowDefinition[InputT, DataT]":
        """Return a definition with other steps, and this one's name and types."""
        return WorkflowDefinition(
            name=self._name,
            steps=steps,
            input_type=self._input_type,
            shape=self._shape,
            check_input=self._check_input,
        )

    def describe(self) -> dict[str, Any]:
        """Return the definition as JSON values: ``steps``, ``edges``, ``input_schema``, ``data_schema``.

        A schema is ``None`` when the workflow does not state a type, or when the type has no JSON schema.
        """
        return self.graph | {"input_schema": self._input_schema(), "data_schema": self._shape.schema()}

    def _input_schema(self) -> dict[str, Any] | None:
        return None if self._input_type is None else self._input_type.schema()

    def validate_input(self, value: Any) -> Any:
        """Return the input as its type. Raises ``InvalidInputError`` with every problem found."""
        if self._input_type is not None:
            value = self._input_type.validate(value)
        if self._check_input is not None:
            try:
                verdict = self._check_input(value)
            except Exception as error:
                raise InvalidInputError(self._name, [("", str(error) or type(error).__name__)]) from error
            if verdict is False:
                raise InvalidInputError(self._name, [("", "the workflow's validate function refused it")])
        return value

    def encode_input(self, value: Any) -> str:
        """Return a validated input as JSON text. Raises ``InvalidInputError`` for what cannot be stored."""
        try:
            return encode(value) if self._input_type is None else self._input_type.encode(value)
        except (SerializationError, ValueError, TypeError) as error:  # pydantic's are ValueErrors
            raise InvalidInputError(self._name, [("", f"it cannot be stored: {error}")]) from error

    def decode_input(self, text: str) -> Any:
        """Return a stored input as its type. Raises ``InvalidInputError`` when it no longer fits."""
        return decode(text) if self._input_type is None else self._input_type.decode(text)


def draw_edges(steps: tuple[StepDefinition, ...]) -> tuple[tuple[str, str], ...]:
    """Connect each step with its predecessors; neighbours with ``when`` in a chain stand side by side."""
    edges: list[tuple[str, str]] = []
    before: list[str] = []
    position = 0
    while position < len(steps):
        group = _side_by_side(steps, position)
        first = steps[position]
        sources = before if first.chained else first.after
        edges += [(earlier, later) for earlier in sources for later in group]
        before = group
        position += len(group)
    return tuple(edges)


def _side_by_side(steps: tuple[StepDefinition, ...], position: int) -> list[str]:
    group = [steps[position].name]
    if steps[position].when is not None:
        for step in steps[position + 1 :]:
            if step.when is None or not step.chained:
                break
            group.append(step.name)
    return group
