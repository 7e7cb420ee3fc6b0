"""The dashboard on a Restate server, with a client that a test holds in its hands."""

import time
from pathlib import Path
from typing import Any

import pytest
from fake_desk import described
from test_app import said, screen_of, until

from flux_engine.errors import InvalidTransitionError, RunNotFoundError, StorageError
from flux_engine.execution import RunStatus, StepStatus
from flux_engine.integrations.restate import RestateClient, RestateError, RestateRun, RestateWorkflow
from flux_engine.running.ownership import Owner
from flux_engine.storage.base import EntryKind, JournalEntry, RunQuery, RunRecord, RunRow
from flux_tui import actions
from flux_tui.app import FluxApp
from flux_tui.needs import Situation
from flux_tui.restate.desk import RestateDesk
from flux_tui.restate.reasons import REASONS
from flux_tui.restate.store import RestateStore
from flux_tui.runner.member import RunnerRefused
from flux_tui.settings import Settings

PARCEL = described("parcel", "pick", "pack")
URL = "http://restate.internal:9070"


class FakeClient(RestateClient):
    """A server with one workflow. ``asked`` has what was asked of it; ``down`` says why it is away."""

    def __init__(self) -> None:
        super().__init__(URL)
        self.kept: dict[str, RunRecord] = {}
        self.asked: list[tuple[Any, ...]] = []
        self.down = ""

    async def version(self) -> str:
        if self.down:
            raise RestateError(self.down)
        return "1.7.12"

    async def workflows(self) -> list[RestateWorkflow]:
        await self.version()
        return [RestateWorkflow(name="parcel", service="parcel", deployment="dp_1", description=PARCEL)]

    async def deployments(self) -> dict[str, str]:
        return {"dp_1": "http://orders.internal:9080/"}

    async def runs(self, workflow: str | None = None, *, limit: int = 50) -> list[RunRow]:
        await self.version()
        rows = [row_of(record) for record in self.kept.values() if workflow in (None, record.workflow)]
        return sorted(rows, key=lambda row: (row.created_at, row.id), reverse=True)[:limit]

    async def run(self, run_id: str, workflow: str | None = None) -> RestateRun:
        if run_id not in self.kept:
            raise RunNotFoundError(run_id)
        done = JournalEntry(
            seq=1,
            kind=EntryKind.ATTEMPT,
            step="pick",
            status=StepStatus.COMPLETED,
            attempt=1,
            started_at=1.0,
            completed_at=2.0,
            changes='{"set":{"shelf":"\\"A7\\""},"deleted":[]}',
            ordinal=1,
            seen=0,
        )
        return RestateRun(record=self.kept[run_id], entries=(done,), invocation=None)

    async def start(self, workflow: str, input: Any = None, **options: Any) -> str:  # noqa: A002
        self.asked.append(("start", workflow, input))
        self.keep("new")
        return "new"

    async def signal(
        self, run_id: str, name: str, payload: Any = None, *, workflow: str | None = None
    ) -> None:
        self.asked.append(("signal", run_id, name, payload))

    async def cancel(self, run_id: str, *, workflow: str | None = None) -> None:
        if self.kept[run_id].status.ended:
            raise InvalidTransitionError("the run has ended")
        self.asked.append(("cancel", run_id))

    async def fork(self, run_id: str, step: str, **options: Any) -> str:
        self.asked.append(("fork", run_id, step, options["data"]))
        self.keep("forked")
        return "forked"

    def keep(self, run_id: str, status: RunStatus = RunStatus.RUNNING, ago: float = 5.0) -> None:
        """Have a run of this id on the server."""
        at = time.time() - ago
        owner = Owner(host="restate", pid=0, started="", engine="inv_1").encode()
        graph = '{"steps":[{"name":"pick"},{"name":"pack"}],"edges":[["pick","pack"]]}'
        self.kept[run_id] = RunRecord(
            id=run_id,
            workflow="parcel",
            status=status,
            input="{}",
            graph=graph,
            created_at=at,
            updated_at=at + 2,
            owner=None if status.ended else owner,
            completed_at=at + 2 if status.ended else None,
        )


def row_of(record: RunRecord) -> RunRow:
    """Return the row of a listing."""
    return RunRow(**{name: getattr(record, name) for name in RunRow.__struct_fields__})


@pytest.fixture
def client() -> FakeClient:
    """A server with a run under way and one that has ended."""
    client = FakeClient()
    client.keep("moving")
    client.keep("done", RunStatus.COMPLETED, ago=60)
    return client


@pytest.fixture
def desk(client: FakeClient, tmp_path: Path) -> RestateDesk:
    """The desk on that server."""
    settings = Settings(project=tmp_path, trace=tmp_path / "restate.ndjson").anchored()
    return RestateDesk(settings, client, URL)


async def test_runs_on_restate_are_drawn_and_moved_with_the_usual_keys(desk: RestateDesk, client: FakeClient):
    """Listed, drawn, started, cancelled, forked; who moves them is said where processes are said else."""
    async with FluxApp(desk).run_test(size=(120, 36), notifications=True) as pilot:
        screen = screen_of(pilot)
        await until(lambda: desk.runs.total == 2 and desk.state.runner == "ready", "the runs")
        assert "Restate 1.7.12" in desk.state.note
        assert [module.path for module in desk.definitions.modules] == ["orders.internal:9080"]
        await pilot.press("2", "g")
        await until(lambda: screen.run_view is not None and screen.run_view.id == "moving", "the newest run")
        await until(lambda: "running in Restate" in str(screen.graph_pane.border_title), "who moves it")
        assert screen.run_view.step("pick").status == "completed"
        await pilot.press("c")
        await until(lambda: pilot.app.screen is not screen, "the question")
        await pilot.press("y")
        await until(lambda: ("cancel", "moving") in client.asked, "the request")
        await until(lambda: pilot.app.screen is screen, "the screen")
        await pilot.press("t")
        await until(lambda: "a run on Restate is not sent back" in said(pilot), "the reason")
        assert await desk.run("parcel", {"a": 1}) == "new"
        await until(lambda: desk.runs.get("new") is not None, "the new run in the list")
        view = await desk.read("done")
        assert await desk.fork(view, "pack", data={"shelf": "B2"}) == "forked"
        assert ("fork", "done", "pack", {"shelf": "B2"}) in client.asked


async def test_what_the_server_refuses_is_told_as_a_runner_would(desk: RestateDesk):
    """The screens know of one kind of refusal."""
    view = await desk.read("done")
    with pytest.raises(RunnerRefused, match="has ended") as refused:
        await desk.cancel(view)
    assert refused.value.error == "InvalidTransitionError"
    await desk.stop()


async def test_the_dashboard_opens_while_the_server_is_away(desk: RestateDesk, client: FakeClient):
    """It says so, and comes alive with the server."""
    client.down = "connection refused by restate.internal"
    async with FluxApp(desk).run_test(size=(120, 36)) as pilot:
        screen = screen_of(pilot)
        await until(lambda: "connection refused" in str(screen.banner.content), "the problem")
        client.down = ""
        await until(lambda: desk.runs.total == 2 and desk.state.runner == "ready", "the runs")
        await until(lambda: not screen.banner.has_class("-shown"), "no problem any more")


def test_every_other_verb_says_what_to_do_instead():
    """Each reason belongs to an action that there is; what is not done here is done nowhere in silence."""
    situation = Situation(on_restate=True)
    for name, reason in REASONS.items():
        assert actions.find(name).needs(situation) == reason
    moving = {"run", "run-again", "signal", "cancel", "fork"}
    writing = {action.id for action in actions.ACTIONS if action.writes}
    assert writing - set(REASONS) - moving <= {"open-editor", "copy-test", "export"}


async def test_a_store_on_restate_lists_by_the_filters_of_the_dashboard(client: FakeClient):
    """The server has no pages and no filters, so its latest runs are sifted here; nothing is ever written."""
    store = RestateStore(client)
    assert [row.id for row in await store.list(RunQuery())] == ["moving", "done"]
    assert [row.id for row in await store.list(RunQuery(statuses=(RunStatus.COMPLETED,)))] == ["done"]
    assert [row.id for row in await store.list(RunQuery(id_prefix="mo"))] == ["moving"]
    assert [row.id for row in await store.list(RunQuery(text="DON"))] == ["done"]
    first = await store.revision()
    assert await store.revision() == first
    client.keep("more")
    assert await store.revision() != first
    assert await store.find("nowhere") is None
    with pytest.raises(StorageError, match="services alone"):
        await store.delete("done")
