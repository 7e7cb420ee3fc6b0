"""A writer: makes batches of writes over one link, none of them twice, whatever becomes of the connection."""

import contextlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import psycopg

from flux_engine.storage.postgres import statements
from flux_engine.storage.postgres.link import Link
from flux_engine.storage.postgres.server import Connection, Server, is_lost
from flux_engine.storage.postgres.texts import given, kept
from flux_engine.storage.postgres.writes import Alone, Batched, Script, Shared, Write

Result = TypeVar("Result")
Outcome = tuple[Any, Exception | None]
"""What a write returned, or why it failed."""


class Writer:
    """Has a row in the table of writers that says which of its batches was stored last.

    When a connection is lost before the server has answered, that row says what became of the batch.
    """

    def __init__(self, server: Server, script: Script) -> None:
        self._script = script
        # A plan made when the store was empty must not be one for an empty store.
        self.link = Link(
            server, "writer", self._prepare, plan_cache_mode="force_generic_plan",
            enable_hashjoin="off", enable_mergejoin="off", enable_seqscan="off", jit="off",
        )  # fmt: skip
        self._number = 0
        self._unsure = False

    def make(self, writes: Sequence[Write]) -> list[Outcome]:
        """Make writes to different runs; each succeeds or fails by itself."""
        outcomes: dict[str, Outcome] = {}
        shared = [each for each in writes if not isinstance(each, Alone) and not (each.blobs or each.graph)]
        if shared:
            outcomes |= self._make_shared(shared)
        for each in writes:
            if each.key not in outcomes:
                outcomes[each.key] = _outcome(partial(self._make_one, each))
        return [outcomes[each.key] for each in writes]

    async def close(self) -> None:
        """Take back the row of this writer, and close its connection."""
        if self.link.connection is not None:
            await self.link.run(self._leave)
        await self.link.close()

    def _leave(self) -> None:
        with contextlib.suppress(psycopg.Error):
            self.link.connected().execute(self._script(statements.OLD_WRITER), (self.link.name,))

    def _make_shared(self, writes: Sequence[Shared]) -> dict[str, Outcome]:
        """Make writes by one statement; leave out those that are to be made, and to fail, by themselves."""

        def make(connection: Connection, number: int) -> Batched:
            return self._script.batch(connection, writes, self.link.name, number)

        try:
            done = self._once(make, lambda: self._looked_up(writes))
        except Exception as error:  # noqa: BLE001 - told to those whom it concerns
            if len(writes) == 1 or is_lost(error, self.link.connection):
                return {each.key: (None, error) for each in writes}
            return {}  # one of them has what the server does not take
        made = [each for each in writes if kept(each.key) not in done.refused]
        return {each.key: (_optional(done.requests.get(kept(each.key))), None) for each in made}

    def _make_one(self, write: Write) -> Any:
        results: list[Any] = []

        def make(connection: Connection, number: int) -> Any:
            results.clear()
            with connection.transaction():
                if isinstance(write, Alone):
                    results.append(write.make(connection))
                    mark = self._script(statements.MARK)
                    connection.execute(mark, (number, self.link.name))
                else:
                    results.append(self._script.one(connection, write, self.link.name, number))
            return results[0]

        result = self._once(make, lambda: results[0])
        return _optional(result) if isinstance(result, str) else result

    def _once(self, make: Callable[[Connection, int], Result], made: Callable[[], Result]) -> Result:
        """Return what ``make`` returns, or ``made`` when it was made and nobody told so."""
        self._number += 1
        number = self._number

        def attempt(connection: Connection) -> Result:
            if self._unsure:
                self.link.end_others()
                stored = self._last(connection)[0] == number
                self._unsure = False
                if stored:
                    return made()
            self._unsure = True
            try:
                result = make(connection, number)
            except Exception as error:
                self._unsure = is_lost(error, connection)
                raise
            self._unsure = False
            return result

        return self.link.patiently(attempt)

    def _looked_up(self, writes: Sequence[Shared]) -> Batched:
        connection = self.link.connected()
        refused = frozenset(self._last(connection)[1])
        keys = [kept(each.key) for each in writes]
        found = connection.execute(self._script(statements.REQUESTS_OF), (keys,)).fetchall()
        return Batched(refused, {run_id: request for run_id, request in found if run_id not in refused})

    def _last(self, connection: Connection) -> tuple[int, list[str]]:
        found = connection.execute(self._script(statements.LAST_BATCH), (self.link.name,)).fetchone()
        return (0, []) if found is None else (found[0], found[1])

    def _prepare(self, connection: Connection) -> None:
        connection.execute(self._script(statements.NEW_WRITER), (self.link.name,))


def _outcome(make: Callable[[], Any]) -> Outcome:
    try:
        return make(), None
    except Exception as error:  # noqa: BLE001 - handed to the task that waits for this write
        return None, error


def _optional(text: str | None) -> str | None:
    return None if text is None else given(text)
