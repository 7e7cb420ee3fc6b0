"""The filter of the runs: terms separated by spaces, all of which must match.

``status:failed`` (``s:``), ``workflow:order`` (``w:``) and ``id:3f2a`` look at one column, several statuses
are separated by commas; ``workflow:=order`` is that workflow and no other. ``since:2h`` (or ``after:``) and
``before:2026-11-01`` look at when a run began, ``took:>5s`` at how long it took. Any other term is looked for
in the id, the workflow, the status, the step and the error. ``!`` before a term inverts it, quotes hold words
together, and case does not matter.
"""

import re
import time
from collections.abc import Callable, Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from flux_engine.execution import RunStatus
from flux_engine.storage.base import RunQuery
from flux_tui.model import when
from flux_tui.model.run import RunRowView
from flux_tui.model.secrets import Secrets

INTERRUPTED: Final = "interrupted"
TIMES: Final = "10m, 2h, today, 14:30 or 2026-11-01"

FIELDS: Final = {
    "s": "status",
    "status": "status",
    "w": "workflow",
    "workflow": "workflow",
    "id": "id",
    "since": "since",
    "after": "since",
    "before": "before",
    "took": "took",
}
"""What may stand before a colon, and the field that it is."""

STATUSES: Final = (*(status.value for status in RunStatus), INTERRUPTED)
_SECRETS: Final = Secrets()
_WORD: Final = re.compile(r'(?:[^\s"]|"[^"]*"?)+')
_TOOK: Final = re.compile(r"([<>])=?(.+)")


class Term(Struct, frozen=True, kw_only=True):
    """One term. ``field`` is one of ``FIELDS``, or empty for any of the columns.

    ``value`` is the moment, or the duration, that the text names, in milliseconds; ``exact`` asks for the
    whole name. ``problem`` says what is wrong with it: such a term lets every run through.
    """

    text: str
    field: str = ""
    inverted: bool = False
    exact: bool = False
    value: float = 0.0
    problem: str = ""

    def matches(self, row: RunRowView) -> bool:
        """Whether the row has what the term asks for."""
        return bool(self.problem) or _FINDERS[self.field](self, row) is not self.inverted


class Filter(Struct, frozen=True, kw_only=True):
    """A compiled filter. Without terms it lets every run through."""

    text: str = ""
    terms: tuple[Term, ...] = ()

    def __bool__(self) -> bool:
        return any(not term.problem for term in self.terms)

    @property
    def problem(self) -> str:
        """What is wrong with the first term that makes no sense, or nothing."""
        return next((term.problem for term in self.terms if term.problem), "")

    def matches(self, row: RunRowView) -> bool:
        """Whether the row is to be shown."""
        return all(term.matches(row) for term in self.terms)

    def query(self, base: RunQuery | None = None) -> RunQuery:
        """Return ``base`` narrowed to what the store can decide itself; ``matches`` decides the rest."""
        query = RunQuery() if base is None else base
        terms = [term for term in self.terms if not term.problem]
        statuses = _statuses(term for term in terms if term.field == "status")
        query = replace(query, statuses=statuses if statuses is not None else query.statuses)
        for term in terms:
            query = _narrowed(query, term)
        wanted = [term for term in terms if not term.inverted]
        texts = [term.text for term in wanted if term.field in ("", "workflow") and not _may_be_status(term)]
        return replace(query, text=max(texts, key=len)) if texts else query


def compile_filter(text: str, now: float | None = None) -> Filter:
    """Read what was typed. Every text is a filter: a term that is still empty is passed over.

    ``now`` is what times are counted from, in seconds since the epoch.
    """
    moment = time.time() if now is None else now
    terms = (_term(word, moment) for word in _WORD.findall(text))
    return Filter(text=text, terms=tuple(term for term in terms if term.text))


def exact_term(field: str, value: str) -> str:
    """Return the term for rows whose field is exactly this."""
    quoted = f'"{value}"' if re.search(r"\s", value) else value
    return f"{field}:={quoted}"


def _term(word: str, now: float) -> Term:
    inverted = word.startswith("!")
    word = word.removeprefix("!")
    name, colon, value = word.partition(":")
    field = FIELDS.get(name.casefold(), "") if colon else ""
    if not field:
        return Term(text=word.replace('"', "").casefold(), inverted=inverted)
    value = value.replace('"', "")
    exact = field == "workflow" and value.startswith("=")
    value = value.removeprefix("=") if exact else value.casefold()
    term = Term(text=value, field=field, inverted=inverted, exact=exact)
    return _READERS[field](term, f"{name}:{value}", now) if field in _READERS and value else term


def _moment(term: Term, shown: str, now: float) -> Term:
    at = when.moment(term.text, now)
    if at is None:
        return replace(term, problem=f"{shown} — expected {TIMES}")
    return replace(term, value=at * 1000)


def _duration(term: Term, shown: str, _: float) -> Term:
    match = _TOOK.fullmatch(term.text)
    seconds = None if match is None else when.duration(match[2])
    if match is None or seconds is None:
        return replace(term, problem=f"{shown} — expected >5s, <300ms or >2m")
    return replace(term, text=match[1], value=seconds * 1000)


def _status(term: Term, shown: str, _: float) -> Term:
    unknown = [part for part in term.text.split(",") if not any(word.startswith(part) for word in STATUSES)]
    return replace(term, problem=f"{shown} — expected {', '.join(STATUSES)}") if unknown else term


_READERS: Final[dict[str, Callable[[Term, str, float], Term]]] = {
    "since": _moment,
    "before": _moment,
    "took": _duration,
    "status": _status,
}


def _narrowed(query: RunQuery, term: Term) -> RunQuery:
    since = (term.field == "since" and not term.inverted) or (term.field == "before" and term.inverted)
    seconds = term.value / 1000
    if since:
        return replace(query, since=max(seconds, query.since or seconds))
    if term.field in ("since", "before"):
        return replace(query, until=min(seconds, query.until or seconds))
    if term.exact and not term.inverted:
        return replace(query, workflow=term.text)
    return query


def _may_be_status(term: Term) -> bool:
    return term.exact or (not term.field and any(term.text in word for word in STATUSES))


def _statuses(terms: Iterable[Term]) -> tuple[RunStatus, ...] | None:
    """Return what the store is asked for, ``None`` for any; it has interrupted runs as running ones."""
    wanted: set[str] | None = None
    for term in terms:
        fitting = {word for word in STATUSES if _is_status(term.text, word) is not term.inverted}
        wanted = fitting if wanted is None else wanted & fitting
    if wanted is None:
        return None
    return tuple(sorted({RunStatus.RUNNING if word == INTERRUPTED else RunStatus(word) for word in wanted}))


def _is_status(text: str, status: str) -> bool:
    return status.startswith(tuple(part for part in text.split(",") if part))


def _anywhere(term: Term, row: RunRowView) -> bool:
    text = term.text
    return (
        text in row.workflow.casefold()
        or text in row.id.casefold()
        or text in row.status
        or (row.current_step is not None and text in row.current_step.casefold())
        or (row.error is not None and text in row.error.casefold() and _is_shown(text, row.error))
    )


def _is_shown(text: str, error: str) -> bool:
    """Say whether a text that is in an error is there also when its secrets are masked."""
    return text in _SECRETS.text(error).casefold()


def _workflow(term: Term, row: RunRowView) -> bool:
    return term.text == row.workflow if term.exact else term.text in row.workflow.casefold()


def _took(term: Term, row: RunRowView) -> bool:
    if row.duration is None:
        return term.inverted
    return row.duration > term.value if term.text == ">" else row.duration < term.value


_FINDERS: Final[dict[str, Callable[[Term, RunRowView], bool]]] = {
    "": _anywhere,
    "id": lambda term, row: row.id.casefold().startswith(term.text),
    "status": lambda term, row: _is_status(term.text, row.status),
    "workflow": _workflow,
    "since": lambda term, row: row.started_at >= term.value,
    "before": lambda term, row: row.started_at < term.value,
    "took": _took,
}
