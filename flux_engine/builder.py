"""How a workflow is written: ``create_workflow`` and the builder it returns."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict, TypeVar, Unpack, cast, overload

from msgspec import structs

from flux_engine.context import Context
from flux_engine.data import Data, DataShape, is_text
from flux_engine.definition import (
    ENGINE_DEFAULT,
    DataT,
    Handler,
    InputT,
    StepDefinition,
    WorkflowDefinition,
)
from flux_engine.errors import DefinitionError
from flux_engine.fingerprint import fingerprint
from flux_engine.retry import Backoff, as_backoff, exponential
from flux_engine.running.attempt import is_async
from flux_engine.steps_graph import order

if TYPE_CHECKING:
    from flux_engine.typed_input import TypedInput

NewInputT = TypeVar("NewInputT")
NewDataT = TypeVar("NewDataT")
HandlerT = TypeVar("HandlerT", bound=Callable[..., Any])

BackoffLike = Backoff | Callable[[int], float]


class StepOptions(TypedDict, Generic[InputT, DataT], total=False):
    """The options of ``step`` and ``commit``.

    - ``retries`` after the first attempt, ``backoff`` between attempts (default: exponential from 1 s,
      factor 2, at most 10 s), ``retry_on`` the exception types that are retried (default: all);
    - ``timeout`` in seconds for each attempt, ``None`` for no limit;
    - ``when(ctx)``, false to skip the step;
    - ``after``, the names of its predecessors instead of the step declared before it, ``()`` for none:
      steps whose predecessors are done run at the same time;
    - ``compensate``, a handler that takes back what the step did when a later step fails for good;
    - ``on_crash``, of a commit whose process died before its result was stored: ``"retry"`` runs it again
      with the same idempotency key, ``"hold"`` suspends the run until somebody decides.
    """

    retries: int
    timeout: float | None
    when: Callable[[Context[InputT, DataT]], Any] | None
    backoff: BackoffLike
    retry_on: type[BaseException] | tuple[type[BaseException], ...]
    after: str | Sequence[str]
    compensate: Callable[[Context[InputT, DataT]], Any] | None
    on_crash: Literal["retry", "hold"]


class WorkflowBuilder(Generic[InputT, DataT]):
    """Collects the steps of a workflow. Every verb returns the builder, so that they chain.

    ``step`` and ``commit`` also work as decorators: ``@flow.step("notify")``.
    """

    def __init__(self, name: str) -> None:
        _check_name("a workflow", name)
        self._name = name
        self._steps: list[StepDefinition] = []
        self._input_type: TypedInput[Any] | None = None
        self._shape = DataShape()
        self._check: Callable[[Any], Any] | None = None
        self._built: WorkflowDefinition[InputT, DataT] | None = None

    def __repr__(self) -> str:
        return f"<workflow builder {self._name!r}: {', '.join(s.name for s in self._steps) or 'no steps'}>"

    @property
    def name(self) -> str:
        """The workflow's name."""
        return self._name

    @property
    def step_count(self) -> int:
        """How many steps there are so far."""
        return len(self._steps)

    @overload
    def input(self, kind: type[NewInputT], /) -> "WorkflowBuilder[NewInputT, DataT]": ...
    @overload
    def input(self, kind: Any, /) -> "WorkflowBuilder[Any, DataT]": ...
    def input(self, kind: Any, /) -> "WorkflowBuilder[Any, DataT]":
        """State the type of the input: any type that pydantic can validate.

        ``ctx.input`` is an instance of it. Raises ``DefinitionError`` for a type pydantic cannot handle.
        """
        from flux_engine.typed_input import TypedInput  # noqa: PLC0415 - imports pydantic

        self._input_type = TypedInput(kind, self._name)
        return cast("WorkflowBuilder[Any, DataT]", self._changed())

    def data(self, kind: type[NewDataT], /) -> "WorkflowBuilder[InputT, NewDataT]":
        """State the type of ``ctx.data``: a pydantic model or a dataclass whose fields all have defaults."""
        from flux_engine.typed_data import data_shape  # noqa: PLC0415 - imports pydantic

        self._shape = data_shape(kind, self._name)
        return cast("WorkflowBuilder[InputT, NewDataT]", self._changed())

    def validate(self, check: Callable[[InputT], Any], /) -> "WorkflowBuilder[InputT, DataT]":
        """Check the input further: ``check(input)`` returns ``False`` or raises to refuse it."""
        if not callable(check):
            raise DefinitionError(f"workflow {self._name!r}: validate() takes a function, not {check!r}")
        if is_async(check):
            raise DefinitionError(
                f"workflow {self._name!r}: validate() takes a plain function, not the async {check!r}; "
                "wait for what an input refers to in the first step"
            )
        self._check = check
        return self._changed()

    @overload
    def step(
        self,
        name: str,
        handler: Callable[[Context[InputT, DataT]], Any],
        /,
        **options: Unpack[StepOptions[InputT, DataT]],
    ) -> "WorkflowBuilder[InputT, DataT]": ...
    @overload
    def step(
        self, name: str, /, **options: Unpack[StepOptions[InputT, DataT]]
    ) -> Callable[[HandlerT], HandlerT]: ...
    def step(self, name: str, handler: Handler | None = None, /, **options: Any) -> Any:
        """Add a step.

        Args:
            name: its name, unique in the workflow.
            handler: called with the context; an async function runs on the event loop, a plain one in a
                worker thread. Left out, ``step`` is a decorator.
            options: see ``StepOptions``.
        """
        return self._add(name, handler, commit=False, options=options)

    @overload
    def commit(
        self,
        name: str,
        handler: Callable[[Context[InputT, DataT]], Any],
        /,
        **options: Unpack[StepOptions[InputT, DataT]],
    ) -> "WorkflowBuilder[InputT, DataT]": ...
    @overload
    def commit(
        self, name: str, /, **options: Unpack[StepOptions[InputT, DataT]]
    ) -> Callable[[HandlerT], HandlerT]: ...
    def commit(self, name: str, handler: Handler | None = None, /, **options: Any) -> Any:
        """Add a step with side effects: a retry that would repeat one says so first. Options as ``step``.

        Its handler can pass ``ctx.idempotency_key`` on, so that a repetition is recognised.
        """
        return self._add(name, handler, commit=True, options=options)

    def _add(self, name: str, handler: Handler | None, *, commit: bool, options: dict[str, Any]) -> Any:
        _check_name(f"workflow {self._name!r}: a step", name)
        if handler is None:

            def decorate(function: HandlerT) -> HandlerT:
                self._add(name, function, commit=commit, options=options)
                return function

            return decorate
        if not callable(handler):
            raise DefinitionError(f"{self._where(name)}: the handler is not callable: {handler!r}")
        if any(step.name == name for step in self._steps):
            raise DefinitionError(f"{self._where(name)}: there is a step of this name already")
        checked = _checked_options(self._where(name), options, commit=commit)
        before = tuple(step.name for step in self._steps[-1:])
        self._steps.append(
            StepDefinition(
                name=name,
                index=len(self._steps),
                handler=handler,
                commit=commit,
                chained="after" not in options,
                **({"after": before} | checked),
            )
        )
        return self._changed()

    def _where(self, step: object) -> str:
        return f"workflow {self._name!r}, step {step!r}"

    def _changed(self) -> "WorkflowBuilder[InputT, DataT]":
        self._built = None
        return self

    def build(self) -> WorkflowDefinition[InputT, DataT]:
        """Return the frozen definition.

        Raises ``DefinitionError`` when there are no steps, for an ``after`` that names no step, and for
        steps that wait for each other.
        """
        if self._built is None:
            if not self._steps:
                raise DefinitionError(
                    f"workflow {self._name!r} has no steps: add one with .step(name, handler)"
                )
            self._check_graph()
            self._built = WorkflowDefinition(
                name=self._name,
                steps=tuple(
                    structs.replace(step, fingerprint=fingerprint(step.handler, step.when))
                    for step in self._steps
                ),
                input_type=self._input_type,
                shape=self._shape,
                check_input=self._check,
            )
        return self._built

    def _check_graph(self) -> None:
        names = {step.name for step in self._steps}
        for step in self._steps:
            for before in step.after:
                if before not in names:
                    raise DefinitionError(
                        f"{self._where(step.name)}: after names {before!r}, which is no step; "
                        f"the steps are {', '.join(s.name for s in self._steps)}"
                    )
        try:
            order({step.name: step.after for step in self._steps})
        except ValueError as error:
            raise DefinitionError(f"workflow {self._name!r}: steps wait for each other: {error}") from error

    def describe(self) -> dict[str, Any]:
        """Return the definition as JSON values: ``steps``, ``edges``, ``input_schema``, ``data_schema``."""
        return self.build().describe()


def create_workflow(name: str) -> WorkflowBuilder[Any, Data]:
    """Begin a workflow. Its name tells its runs apart from those of other workflows in a store."""
    return WorkflowBuilder(name)


def _check_name(whose: str, name: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise DefinitionError(f"{whose} has a name that is a string and not empty, not {name!r}")
    if not is_text(name):
        raise DefinitionError(f"{whose} has a name without surrogates, not {name!r}")


def _checked_options(where: str, options: dict[str, Any], *, commit: bool) -> dict[str, Any]:
    known = tuple(StepOptions.__annotations__)
    for option in options:
        if option not in known:
            raise DefinitionError(f"{where}: unknown option {option!r}; the options are {', '.join(known)}")
    retries = options.get("retries", ENGINE_DEFAULT)
    if retries is not ENGINE_DEFAULT:
        check_retries(where, retries)
    timeout = options.get("timeout", ENGINE_DEFAULT)
    if timeout is not ENGINE_DEFAULT:
        check_timeout(where, timeout)
    when = options.get("when")
    if when is not None and not callable(when):
        raise DefinitionError(f"{where}: when takes a function of the context, not {when!r}")
    return {
        "retries": retries,
        "timeout": timeout,
        "when": when,
        "backoff": _checked_backoff(where, options.get("backoff", exponential())),
        "retry_on": _checked_types(where, options.get("retry_on", Exception)),
        "compensate": _checked_compensation(where, options.get("compensate")),
        "on_crash": _checked_on_crash(where, options.get("on_crash", "retry"), commit=commit),
    } | ({"after": _checked_after(where, options["after"])} if "after" in options else {})


def _checked_after(where: str, after: Any) -> tuple[str, ...]:
    names = (after,) if isinstance(after, str) else after
    if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise DefinitionError(f"{where}: after takes names of steps, () for none, not {after!r}")
    return tuple(dict.fromkeys(names))


def _checked_compensation(where: str, compensate: Handler | None) -> Handler | None:
    if compensate is not None and not callable(compensate):
        raise DefinitionError(f"{where}: compensate takes a function of the context, not {compensate!r}")
    return compensate


def _checked_on_crash(where: str, on_crash: str, *, commit: bool) -> str:
    if on_crash not in ("retry", "hold"):
        raise DefinitionError(f"{where}: on_crash is 'retry' or 'hold', not {on_crash!r}")
    if on_crash == "hold" and not commit:
        raise DefinitionError(f"{where}: on_crash='hold' is for commits; a step can simply run again")
    return on_crash


def check_retries(where: str, retries: object) -> None:
    """Raise ``DefinitionError`` unless ``retries`` is a whole number from 0."""
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        raise DefinitionError(f"{where}: retries is a whole number from 0, not {retries!r}")


def check_timeout(where: str, timeout: object) -> None:
    """Raise ``DefinitionError`` unless ``timeout`` is a number of seconds above 0, or ``None``."""
    if timeout is not None and (
        not isinstance(timeout, int | float) or isinstance(timeout, bool) or not timeout > 0
    ):
        raise DefinitionError(f"{where}: timeout is a number of seconds above 0, or None, not {timeout!r}")


def _checked_backoff(where: str, backoff: BackoffLike) -> Backoff:
    try:
        return as_backoff(backoff)
    except DefinitionError as error:
        raise DefinitionError(f"{where}: {error}") from error


def _checked_types(where: str, types: Any) -> tuple[type[BaseException], ...]:
    found = types if isinstance(types, tuple) else (types,)
    for entry in found:
        if not isinstance(entry, type) or not issubclass(entry, BaseException):
            raise DefinitionError(f"{where}: retry_on takes exception types, not {entry!r}")
    return found
