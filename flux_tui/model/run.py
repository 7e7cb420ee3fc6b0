"""A run as the dashboard shows it: frozen values, made from trace events or from the store.

Times are milliseconds since the epoch and durations milliseconds, as in the trace.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from flux_engine.execution import Changes, ErrorInfo
from flux_engine.masked import MASKED
from flux_engine.storage.base import JournalEntry
from flux_tui.model.spans import FailedAttempt, Span


class NodeSpec(Struct, frozen=True, kw_only=True):
    """A step as the definition has it. ``conditional`` says that it has a ``when``.

    ``compensates`` says that it has a handler which takes back what it did. ``retries`` is how often a
    failed attempt is tried again, ``None`` when that is not known. ``after`` are the steps that it follows,
    ``None`` when only their order is known.
    """

    name: str
    index: int = 0
    commit: bool = False
    conditional: bool = False
    compensates: bool = False
    retries: int | None = None
    fingerprint: str = ""
    description: str = ""
    source: Mapping[str, Any] | None = None
    after: tuple[str, ...] | None = None


class GraphSpec(Struct, frozen=True, kw_only=True):
    """The steps of a workflow in order, and the edges to draw between them.

    ``guessed`` says that nothing stated the graph: it has the steps that were seen so far, as a chain.
    ``masked`` says that the values of the run are masked, so that it can only be looked at.
    """

    nodes: tuple[NodeSpec, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()
    guessed: bool = False
    masked: bool = False


class WaitView(Struct, frozen=True, kw_only=True):
    """What a suspended step waits for: a signal, or (``None``) only for time to pass.

    ``in_doubt`` marks a commit that waits for somebody to say what became of it.
    """

    signal: str | None = None
    until: float | None = None
    in_doubt: bool = False


class StepView(Struct, frozen=True, kw_only=True):
    """A step of a run at one moment.

    ``status`` is one of the engine's step statuses, or ``interrupted`` for a step whose runner died.
    ``attempt`` is the number of the latest attempt over the run's life; ``tries`` and ``max_tries`` count
    within the present pass, so that ``2/3`` means the second of at most three.
    ``waiting_until`` is when the next attempt starts while a back-off lasts. ``discarded`` is what the
    latest failed attempt had changed: it went no further, and is here to be looked at.
    ``waits_for`` is what a suspended step is suspended for. ``compensation`` is ``running`` while what the
    step did is being taken back, and ``failed`` when that failed, for the reason in ``compensation_error``.
    ``tried`` has the attempts one by one where only the store knows them, and ``failures`` those that failed;
    else the trace tells of each.
    """

    name: str
    index: int = 0
    status: str = "pending"
    commit: bool = False
    conditional: bool = False
    attempt: int = 0
    tries: int = 0
    max_tries: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    duration: float | None = None
    waiting_until: float | None = None
    error: ErrorInfo | None = None
    reason: str | None = None
    waits_for: WaitView | None = None
    compensation: str | None = None
    compensation_error: ErrorInfo | None = None
    output: Any = None
    changes: Changes | None = None
    edit: Changes | None = None
    discarded: Changes | None = None
    fingerprint: str = ""
    tried: tuple[Span, ...] = ()
    failures: tuple[FailedAttempt, ...] = ()


class Driver(Struct, frozen=True, kw_only=True):
    """The process that has a run in hand. ``here`` says that it is on this host."""

    host: str
    pid: int
    here: bool


class RunView(Struct, frozen=True, kw_only=True):
    """A run at one moment. ``status`` is a run status of the engine, or ``interrupted``.

    ``before`` are the steps whose breakpoints have stopped a run that is paused.
    ``started_at`` is ``None`` when the start was not seen. ``resumed_at`` is when the run was last sent on
    its way again by a retry or a resume, and ``duration`` counts from there. ``updated_at`` is the time
    of the latest news. ``passes`` are the times of all retries, where only the store knows them, and
    ``worked`` is how long all passes that have ended took, where the trace tells. ``driver`` is who has
    the run in hand, or had it when it was last looked at; only the store knows. ``journal`` is what the
    store has of the run, entry by entry, where it is the store that tells.
    """

    id: str
    workflow: str
    status: str = "pending"
    input: Any = None
    graph: GraphSpec = GraphSpec()
    steps: tuple[StepView, ...] = ()
    started_at: float | None = None
    resumed_at: float | None = None
    passes: tuple[float, ...] = ()
    worked: float = 0.0
    updated_at: float = 0.0
    ended_at: float | None = None
    duration: float | None = None
    error: ErrorInfo | None = None
    final_data: Mapping[str, Any] | None = None
    before: tuple[str, ...] = ()
    driver: Driver | None = None
    journal: tuple[JournalEntry, ...] = ()

    def step(self, name: str) -> StepView | None:
        """Return a step by name, or ``None``."""
        return next((step for step in self.steps if step.name == name), None)

    @property
    def running_step(self) -> StepView | None:
        """The step in progress, if there is one."""
        return next((step for step in self.steps if step.status == "running"), None)

    @property
    def failed_step(self) -> StepView | None:
        """The first step that failed or was interrupted, if there is one."""
        return next((step for step in self.steps if step.status in ("failed", "interrupted")), None)

    @property
    def unclosed(self) -> float:
        """How long the present pass takes, to the latest news: all there is of one whose process died."""
        begun = self.started_at if self.resumed_at is None else self.resumed_at
        return 0.0 if begun is None or self.status != "running" else max(self.updated_at - begun, 0.0)

    @property
    def took(self) -> float | None:
        """How long the run took that has ended: all its passes, without the pauses between them."""
        return None if self.duration is None else max(self.worked, self.duration)

    @property
    def tried(self) -> bool:
        """Whether the attempts of the steps are known one by one without the trace."""
        return any(step.tried for step in self.steps)

    @property
    def waits(self) -> tuple[StepView, ...]:
        """The steps that wait for a signal."""
        return tuple(step for step in self.steps if step.waits_for is not None and step.waits_for.signal)

    @property
    def knows_data(self) -> bool:
        """Whether the data at each step can be rebuilt (not in a trace of the ancestor)."""
        return any(step.changes is not None for step in self.steps)

    def data_before(self, name: str) -> dict[str, Any]:
        """Return the data as the step found it, or would find it now."""
        data: dict[str, Any] = {}
        for step in self.steps:
            if step.edit is not None:
                data = step.edit.apply(data)
            if step.name == name:
                break
            if step.changes is not None:
                data = step.changes.apply(data)
        return data

    def data_after(self, name: str) -> dict[str, Any]:
        """Return the data as the step left it."""
        step = self.step(name)
        before = self.data_before(name)
        return before if step is None or step.changes is None else step.changes.apply(before)


class RunRowView(Struct, frozen=True, kw_only=True):
    """A row of the runs list."""

    id: str
    workflow: str
    status: str
    started_at: float
    updated_at: float
    duration: float | None = None
    current_step: str | None = None
    error: str | None = None


class LogLine(Struct, frozen=True, kw_only=True):
    """A line that a step printed or logged. ``stream`` is ``stdout``, ``stderr`` or a logging level."""

    timestamp: float
    step: str | None
    attempt: int | None
    stream: str
    text: str


class DefinitionView(Struct, frozen=True, kw_only=True):
    """A workflow as its module defines it now. ``stale`` says that the module no longer loads."""

    name: str
    path: str
    variable: str
    graph: GraphSpec
    input_schema: Mapping[str, Any] | None = None
    data_schema: Mapping[str, Any] | None = None
    description: str = ""
    stale: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict)


def graph_spec(description: object) -> GraphSpec:
    """Read the ``steps`` and ``edges`` of a description or trace event, passing over what is malformed."""
    if not isinstance(description, Mapping):
        return GraphSpec()
    nodes: dict[str, NodeSpec] = {}
    for step in _items(description.get("steps")):
        name = step.get("name") if isinstance(step, Mapping) else None
        if isinstance(name, str) and name not in nodes:
            nodes[name] = _node(name, len(nodes), step)
    pairs = (edge for edge in _items(description.get("edges")) if _is_pair(edge))
    edges = ((start, end) for start, end in pairs if start in nodes and end in nodes)
    return GraphSpec(
        nodes=tuple(nodes.values()),
        edges=tuple(dict.fromkeys(edges)),
        masked=description.get(MASKED) is True,
    )


def _node(name: str, index: int, step: Mapping[str, Any]) -> NodeSpec:
    source, retries, after = step.get("source"), step.get("retries"), step.get("after")
    return NodeSpec(
        name=name,
        index=index,
        commit=step.get("commit") is True,
        conditional=step.get("conditional") is True,
        compensates=step.get("compensated") is True,
        retries=retries if isinstance(retries, int) else None,
        fingerprint=str(step.get("fingerprint") or ""),
        description=str(step.get("description") or ""),
        source=source if isinstance(source, Mapping) else None,
        after=tuple(map(str, after)) if isinstance(after, list | tuple) else None,
    )


def _items(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _is_pair(edge: object) -> bool:
    return isinstance(edge, list | tuple) and [type(end) for end in edge] == [str, str]
