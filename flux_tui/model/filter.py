"""The filter typed after ``/``: terms separated by spaces, all of which must match.

``status:failed`` (``s:``), ``workflow:order`` (``w:``) and ``id:3f2a`` look at one column, several statuses
are separated by commas; any other term is looked for in the id, the workflow, the status, the step and
the error. ``!`` before a term inverts it. Case does not matter.
"""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from flux_engine.execution import RunStatus
from flux_engine.storage.base import RunQuery
from flux_tui.model.run import RunRowView

INTERRUPTED = "interrupted"

_FIELDS = {"s": "status", "status": "status", "w": "workflow", "workflow": "workflow", "id": "id"}
_STATUS_WORDS = (*(status.value for status in RunStatus), INTERRUPTED)

Predicate = Callable[[RunRowView], bool]


class Term(Struct, frozen=True, kw_only=True):
    """One term. ``field`` is ``status``, ``workflow``, ``id``, or empty for any of the columns."""

    text: str
    field: str = ""
    inverted: bool = False

    def matches(self, row: RunRowView) -> bool:
        """Whether the row has what the term asks for."""
        return _FINDERS[self.field](self.text, row) is not self.inverted


class Filter(Struct, frozen=True, kw_only=True):
    """A compiled filter. Without terms it lets every run through."""

    text: str = ""
    terms: tuple[Term, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.terms)

    def matches(self, row: RunRowView) -> bool:
        """Whether the row is to be shown."""
        return all(term.matches(row) for term in self.terms)

    def query(self, base: RunQuery | None = None) -> RunQuery:
        """Return ``base`` narrowed to what the store can decide itself; ``matches`` decides the rest.

        The store does not look at steps: a term without a field finds a run by its step only among the
        runs that were read already.
        """
        query = RunQuery() if base is None else base
        wanted = [term for term in self.terms if not term.inverted]
        for term in wanted:
            if term.field == "status":
                query = replace(query, statuses=_statuses(term.text))
        texts = [term.text for term in wanted if term.field != "status" and not _may_be_status(term)]
        return replace(query, text=max(texts, key=len)) if texts else query


def compile_filter(text: str) -> Filter:
    """Read what was typed. Every text is a filter: a term that is still empty is passed over."""
    terms = (_term(word) for word in text.casefold().split())
    return Filter(text=text, terms=tuple(term for term in terms if term.text))


def _term(word: str) -> Term:
    inverted = word.startswith("!")
    word = word.removeprefix("!")
    name, colon, value = word.partition(":")
    if colon and name in _FIELDS:
        return Term(text=value, field=_FIELDS[name], inverted=inverted)
    return Term(text=word, inverted=inverted)


def _may_be_status(term: Term) -> bool:
    return not term.field and any(term.text in word for word in _STATUS_WORDS)


def _statuses(text: str) -> tuple[RunStatus, ...]:
    """The store has interrupted runs as running ones."""
    words = [word for word in _STATUS_WORDS if _is_status(text, word)]
    found = {RunStatus.RUNNING if word == INTERRUPTED else RunStatus(word) for word in words}
    return tuple(sorted(found))


def _is_status(text: str, status: str) -> bool:
    return status.startswith(tuple(part for part in text.split(",") if part))


def _anywhere(text: str, row: RunRowView) -> bool:
    return (
        text in row.workflow.casefold()
        or text in row.id.casefold()
        or text in row.status
        or (row.current_step is not None and text in row.current_step.casefold())
        or (row.error is not None and text in row.error.casefold())
    )


_FINDERS: dict[str, Callable[[str, RunRowView], bool]] = {
    "": _anywhere,
    "id": lambda text, row: row.id.casefold().startswith(text),
    "status": lambda text, row: _is_status(text, row.status),
    "workflow": lambda text, row: text in row.workflow.casefold(),
}
