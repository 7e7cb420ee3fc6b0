"""The runs on a Restate server, through its own APIs: listed, read, started, signalled, cancelled, forked.

Reading asks the server's SQL interface and calls no service, so it works while the services are down. The
library ``restate-sdk`` is not needed here.
"""

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct, structs

from flux_engine.errors import (
    FluxError,
    InvalidInputError,
    InvalidTransitionError,
    RunExistsError,
    RunNotFoundError,
    SignalMismatchError,
    StepNotFoundError,
)
from flux_engine.integrations.restate.http_api import HttpApi, RestateError
from flux_engine.integrations.restate.introspection import (
    Invocation,
    invocation_query,
    latest_query,
    listing_query,
    moves,
    row_of,
    state_query,
)
from flux_engine.integrations.restate.kept_state import read_state
from flux_engine.integrations.restate.service_names import GRAPH, WORKFLOW, run_id_of, service_name
from flux_engine.storage.base import JournalEntry, RunRecord, RunRow

OLDEST = (1, 4)
"""The first version of the server with everything that is used here."""

_PREVIOUSLY = "PreviouslyAccepted"


class RestateWorkflow(Struct, frozen=True, kw_only=True):
    """A workflow that is served to Restate.

    ``description`` is what ``describe()`` returns: steps, edges, schemas. ``deployment`` is the id of the
    deployment that new runs go to, ``service`` the name of the Restate service.
    """

    name: str
    service: str
    deployment: str
    description: Mapping[str, Any]


class RestateRun(Struct, frozen=True, kw_only=True):
    """A run, as the engine's own record and journal, and how Restate has it.

    ``flux_engine.journal.workflow_state(run.record, run.entries)`` gives the run as a value.
    ``invocation`` is ``None`` when Restate no longer knows the invocation that moved the run.
    """

    record: RunRecord
    entries: tuple[JournalEntry, ...]
    invocation: Invocation | None


class RestateClient:
    """What can be done with the runs on a Restate server.

    Args:
        admin_url: the server's admin address, as ``http://127.0.0.1:9070``.
        ingress_url: where calls go in, as ``http://127.0.0.1:8080``; by default as the server says.
        token: a bearer token for both, where they ask for one.

    Every verb raises ``RestateError`` when the server cannot be reached or is older than 1.4.
    """

    def __init__(self, admin_url: str, ingress_url: str | None = None, *, token: str | None = None) -> None:
        self._admin = HttpApi(admin_url, what="admin port", token=token)
        self._token = token
        self._ingress_url = ingress_url
        self._ingress: HttpApi | None = None
        self._checked = False

    # The server

    async def version(self) -> str:
        """Return the version of the server. Raises ``RestateError`` for one that is too old."""
        try:
            said = await self._admin.ask("GET", "/version")
        except RestateError as error:
            if not error.status:
                raise
            raise RestateError(
                f"What answers at {self._admin.url} is not the admin port of a Restate server "
                f"(HTTP {error.status}). It is port 9070 by default; 8080 is the ingress.",
                status=error.status,
            ) from error
        version = said.get("version") if isinstance(said, dict) else None
        if not isinstance(version, str):
            raise RestateError(
                f"What answers at {self._admin.url} is not the admin port of a Restate server."
            )
        if _numbers(version) < OLDEST:
            raise RestateError(f"Restate {version} is too old: Flux needs 1.4 or later.")
        if self._ingress is None:
            url = self._ingress_url or said.get("ingress_endpoint") or _beside(self._admin.url)
            self._ingress = HttpApi(url, what="ingress", token=self._token)
        self._checked = True
        return version

    async def register(self, deployment_url: str, *, force: bool = True, http1: bool = False) -> list[str]:
        """Make the services at an address known to the server; return the names of their workflows.

        ``force`` replaces what was registered from the same address before. ``http1`` is for services
        that speak HTTP/1.1 alone.
        """
        await self._check()
        made = await self._admin.ask(
            "POST", "/deployments", {"uri": deployment_url, "force": force, "use_http_11": http1}
        )
        return [found.name for found in map(_workflow, made["services"]) if found is not None]

    async def workflows(self) -> list[RestateWorkflow]:
        """Return the workflows that are served, by name."""
        await self._check()
        services = (await self._admin.ask("GET", "/services"))["services"]
        found = (_workflow(service) for service in services)
        return sorted((each for each in found if each is not None), key=lambda each: each.name)

    async def deployments(self) -> dict[str, str]:
        """Return where the services are called, by the id of their deployment."""
        await self._check()
        found = (await self._admin.ask("GET", "/deployments"))["deployments"]
        return {each["id"]: each.get("uri") or each.get("arn") or each["id"] for each in found}

    # Looking at runs

    async def runs(self, workflow: str | None = None, *, limit: int = 50) -> list[RunRow]:
        """Return the latest runs, newest first: of one workflow, or of all.

        A run that Restate has accepted and not begun is ``pending``. One whose invocation was killed stays
        as it was, without an owner.
        """
        await self._check()
        services = [service_name(workflow)] if workflow else [each.service for each in await self.workflows()]
        names = {} if workflow is None else {service_name(workflow): workflow}
        if not services:
            return []
        rows = await self._query(listing_query(services, limit))
        moving = [row for row in rows if moves(row)]
        latest: dict[tuple[str, str], str] = {}
        if moving:
            ids = [row["target_service_key"] for row in moving]
            for found in await self._query(latest_query([Invocation.of(row) for row in moving], ids)):
                latest[found["service_name"], found["service_key"]] = found["value_utf8"]
        keys = [(row["target_service_name"], row["target_service_key"]) for row in rows]
        return [row_of(row, names, latest.get(key)) for row, key in zip(rows, keys, strict=True)]

    async def run(self, run_id: str, workflow: str | None = None) -> RestateRun:
        """Return a whole run. Raises ``RunNotFoundError``.

        ``workflow`` helps where two workflows have a run of this id; else the latest one is meant.
        """
        invocation = await self._invocation(run_id, workflow)
        state = {row["key"]: row["value_utf8"] for row in await self._query(state_query(invocation, run_id))}
        kept = read_state(run_id, state)
        record, entries = kept if kept is not None else await self._not_begun(invocation, run_id)
        return RestateRun(
            record=structs.replace(record, owner=invocation.owner()),
            entries=tuple(entries),
            invocation=invocation,
        )

    async def _not_begun(self, invocation: Invocation, run_id: str) -> tuple[RunRecord, list[JournalEntry]]:
        """Return the record of a run that Restate has accepted, and no service has begun."""
        found = [each for each in await self.workflows() if each.service == invocation.service]
        graph = (
            dict(found[0].description) if found else {"name": invocation.service, "steps": [], "edges": []}
        )
        record = RunRecord(
            id=run_id,
            workflow=found[0].name if found else invocation.service,
            status=invocation.status_without_state(),
            input="null",
            graph=msgspec.json.encode(graph).decode(),
            created_at=invocation.created_at,
            updated_at=invocation.modified_at,
            error_summary=invocation.failure,
        )
        return record, []

    # Moving runs

    async def start(
        self,
        workflow: str,
        input: Any = None,  # noqa: A002 - the field's word
        *,
        run_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> str:
        """Start a run and return its id, without waiting for it. ``input`` is a JSON value.

        With an ``idempotency_key`` the run's id is made from it, and a second start returns the same id.
        Raises ``RunExistsError`` when there is a run with this ``run_id``. An input that does not fit
        fails the run: only the service knows its type.
        """
        if run_id is not None and not run_id.strip():
            raise InvalidInputError(workflow, [("run_id", "a run's id is a string that is not empty")])
        by_key = None if idempotency_key is None else run_id_of(workflow, idempotency_key)
        chosen = run_id or by_key or str(uuid.uuid4())
        answer = await self._call(workflow, chosen, "run/send", input)
        if run_id is not None and answer.get("status") == _PREVIOUSLY:
            raise RunExistsError(f"A run with the id {run_id!r} exists already. Choose another id.")
        return chosen

    async def signal(
        self, run_id: str, name: str, payload: Any = None, *, workflow: str | None = None
    ) -> None:
        """Send a signal to the step that waits for it. ``payload`` is a JSON value.

        Raises:
            SignalMismatchError: the run waits, but for signals of other names.
            InvalidTransitionError: the run does not wait for a signal.
            RunNotFoundError: there is no such run.
        """
        invocation = await self._invocation(run_id, workflow)
        await self._call(invocation.service, run_id, "signal", {"name": name, "payload": payload})

    async def cancel(self, run_id: str, *, workflow: str | None = None) -> None:
        """Ask a run to end: the step under way is cancelled, and nothing further is begun.

        Returns when Restate has accepted that. Raises ``InvalidTransitionError`` when the run has ended, and
        ``RunNotFoundError``.
        """
        invocation = await self._invocation(run_id, workflow)
        if invocation.ended:
            raise InvalidTransitionError(f"Run {run_id} has ended, so there is nothing to cancel.")
        await self._admin.ask("PATCH", f"/invocations/{invocation.id}/cancel")

    async def fork(
        self,
        run_id: str,
        step: str,
        *,
        data: Mapping[str, Any] | None = None,
        new_id: str | None = None,
        workflow: str | None = None,
    ) -> str:
        """Start a new run that begins at a step of another one, with the data that step was given there.

        ``data`` (JSON values) is merged over it. Returns the id of the new run, without waiting for it.
        Raises ``StepNotFoundError`` and ``RunNotFoundError``.
        """
        invocation = await self._invocation(run_id, workflow)
        chosen = new_id or str(uuid.uuid4())
        body = {"step": step, "data": None if data is None else dict(data), "run_id": chosen}
        await self._call(invocation.service, run_id, "fork", body)
        for _ in range(100):  # Restate sends the call on its way, and the run is there soon
            if await self._query(invocation_query(chosen, invocation.service)):
                break
            await asyncio.sleep(0.05)
        return chosen

    # Behind them

    async def _check(self) -> None:
        if not self._checked:
            await self.version()

    async def _query(self, sql: str) -> list[dict[str, Any]]:
        await self._check()
        rows: list[dict[str, Any]] = (await self._admin.ask("POST", "/query", {"query": sql}))["rows"]
        return rows

    async def _invocation(self, run_id: str, workflow: str | None) -> Invocation:
        service = None if workflow is None else service_name(workflow)
        rows = await self._query(invocation_query(run_id, service))
        if not rows:
            raise RunNotFoundError(f"There is no run {run_id!r} on Restate at {self._admin.url}.")
        return Invocation.of(rows[0])

    async def _call(self, workflow: str, run_id: str, handler: str, body: Any) -> dict[str, Any]:
        """Call a handler of a workflow's service; raise as the engine would what it refuses."""
        await self._check()
        assert self._ingress is not None  # noqa: S101 - made by the check
        path = f"/{service_name(workflow)}/{quote(run_id, safe='')}/{handler}"
        try:
            answer = await self._ingress.ask("POST", path, body)
        except RestateError as error:
            raise _as_raised(workflow, error) from error
        return answer if isinstance(answer, dict) else {}


_RAISED: dict[int, type[FluxError]] = {
    409: InvalidTransitionError,
    410: RunNotFoundError,
    412: StepNotFoundError,
    422: SignalMismatchError,
}
"""Which error of the engine a service's answer stands for; see ``service``."""


def _as_raised(workflow: str, error: RestateError) -> FluxError:
    if error.status == 404:  # noqa: PLR2004 - HTTP's not found
        return RestateError(
            f"No workflow {workflow!r} is registered at the server: serve it with restate_app and register "
            f"the deployment. Restate said: {error}",
            status=error.status,
        )
    kind = _RAISED.get(error.status)
    return error if kind is None else kind(str(error))


def _workflow(service: Mapping[str, Any]) -> RestateWorkflow | None:
    metadata = service.get("metadata") or {}
    try:
        description = msgspec.json.decode(metadata[GRAPH])
    except (KeyError, msgspec.MsgspecError):
        return None
    return RestateWorkflow(
        name=metadata.get(WORKFLOW, service["name"]),
        service=service["name"],
        deployment=service.get("deployment_id", ""),
        description=description,
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.partition("-")[0].split(".") if part.isdigit())


def _beside(admin_url: str) -> str:
    """Return the usual address of the ingress for that of the admin port."""
    return f"{admin_url.rstrip('/').rpartition(':')[0]}:8080"
