"""``ctx.tx``: a commit's own writes, in one transaction with the record of the commit."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from flux_engine.errors import FluxError, TransactionError
from flux_engine.storage.base import Parameters, RunTransaction, RunWrite, StatementResult, WorkflowStorage

Make = Callable[[RunTransaction], Coroutine[Any, Any, Any]]


class Transaction:
    """The connection that a commit's handler writes with.

    An async handler awaits the verbs, a plain one calls them. The first statement begins the transaction, and
    from then on every write to a SQLite store waits until the handler ends: keep it short. There is no verb
    to commit: that is done, with the record of the commit, when the handler has returned. When it raises,
    exceeds its time-out or is cancelled, or the process dies, everything is rolled back.
    """

    def __init__(self, run: Callable[[Make], Any]) -> None:
        self._run = run

    def execute(self, sql: str, parameters: Parameters = ()) -> Any:
        """Make one statement; give its ``StatementResult``."""
        return self._run(lambda within: within.execute(sql, parameters))

    def executemany(self, sql: str, rows: Iterable[Parameters]) -> Any:
        """Make one statement for each of the rows; give the ``StatementResult`` of all."""
        return self._run(lambda within: within.executemany(sql, rows))

    def fetchall(self, sql: str, parameters: Parameters = ()) -> Any:
        """Make one statement; give the rows that it returns, as a list of tuples."""
        return self._run(lambda within: _rows(within.execute(sql, parameters)))

    def fetchone(self, sql: str, parameters: Parameters = ()) -> Any:
        """Make one statement; give the first row that it returns, or ``None``."""
        return self._run(lambda within: _first_row(within.execute(sql, parameters)))


class AttemptTransaction:
    """The transaction of one attempt of a commit, if its handler uses it.

    ``used`` says that the handler has asked for a statement.
    """

    def __init__(self, storage: WorkflowStorage, run_id: str) -> None:
        self.used = False
        self._loop = asyncio.get_running_loop()
        self._not_awaited = 0
        self._within: RunTransaction | None = None
        self._missing: FluxError | None = None
        try:
            self._within = storage.transaction(run_id)
        except FluxError as error:
            self._missing = error

    def for_handler(self) -> Transaction:
        """Return what the handler writes with. Raises ``TransactionError`` when the store has none."""
        self._open()
        return Transaction(self._run)

    def check(self) -> None:
        """Raise ``TransactionError`` when the handler asked for a statement and never awaited it."""
        if self._not_awaited:
            raise TransactionError(
                f"The handler returned without awaiting {self._not_awaited} of its statements; nothing was "
                "written. Put await before each verb of ctx.tx."
            )

    @property
    def committed(self) -> bool:
        """Whether it is stored."""
        return self._within is not None and self._within.committed

    @property
    def unclear(self) -> bool:
        """Whether nobody knows if it is stored."""
        return self._within is not None and self._within.unclear

    async def commit(self, write: RunWrite) -> str | None:
        """Store the write together with what the handler wrote; see ``RunTransaction.commit``."""
        return await self._open().commit(write)

    async def rollback(self) -> None:
        """Take back what was not committed."""
        if self._within is not None:
            await self._within.rollback()

    def _open(self) -> RunTransaction:
        if self._within is None:
            raise self._missing or TransactionError("This store has no transactions.")
        return self._within

    def _run(self, make: Make) -> Any:
        """Return an awaitable to code on an event loop, and the result itself to code in a thread."""
        self.used = True
        try:
            here: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is self._loop:
            self._not_awaited += 1
            return self._awaited(make)
        made = asyncio.run_coroutine_threadsafe(make(self._open()), self._loop)
        return made.result() if here is None else asyncio.wrap_future(made)

    async def _awaited(self, make: Make) -> Any:
        self._not_awaited -= 1
        return await make(self._open())


async def _rows(made: Coroutine[Any, Any, StatementResult]) -> list[tuple[Any, ...]]:
    return (await made).rows


async def _first_row(made: Coroutine[Any, Any, StatementResult]) -> tuple[Any, ...] | None:
    rows = (await made).rows
    return rows[0] if rows else None
