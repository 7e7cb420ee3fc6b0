"""A store on another host: out of reach, slow, back again; and runs that another host drives."""

import asyncio
import time
from pathlib import Path

import msgspec
import pytest
from remote_store import ADDRESS, HOST_B, Network
from test_store_feed import GRAPH, record

from flux_engine.execution import ErrorInfo, RunStatus, StepStatus
from flux_engine.storage.base import EntryKind, JournalEntry, RunWrite
from flux_tui import needs
from flux_tui.app import FluxApp
from flux_tui.desk import Desk
from flux_tui.feed.store import StoreFeed
from flux_tui.model.run import Driver, RunView
from flux_tui.needs import Situation
from flux_tui.screens.main import MainScreen
from flux_tui.settings import Settings


@pytest.fixture
def network():
    """The way to the store of the other host."""
    return Network()


@pytest.fixture
async def feed(network):
    """The feed of a store beyond the network, that waits but a glance for it."""
    feed = StoreFeed(ADDRESS, glance=0.05, opening=network.reach)
    yield feed
    await feed.close()


async def until(condition, what: str) -> None:
    """Wait for a condition."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, f"never came: {what}"
        await asyncio.sleep(0.01)


def moving(run_id: str, **fields):
    """A run that host-b has in hand."""
    known = {"status": RunStatus.RUNNING, "owner": HOST_B, "fence": 1, "lease_until": time.time() + 60}
    return record(run_id, time.time(), **{**known, **fields})


async def test_a_server_out_of_reach_is_told_without_its_password_and_tried_again(feed, network):
    """The problem says what the driver said; when the server is back, so are the runs."""
    network.down = "connection to shop:s3cret@db.internal refused."
    await feed.poll()
    assert "refused" in (feed.problem or "")
    assert "tried again" in (feed.problem or "")
    assert "s3cret" not in (feed.problem or "")
    assert await feed.page() == []
    network.down = ""
    await network.kept.create(record("a"))
    await until_async(feed.poll, "the server is back")
    assert feed.problem is None
    assert [row.id for row in await feed.page()] == ["a"]


async def until_async(question, what: str) -> None:
    """Ask until the answer is yes."""
    end = time.monotonic() + 10
    while not await question():
        assert time.monotonic() < end, f"never came: {what}"
        await asyncio.sleep(0.01)


async def test_a_server_that_was_lost_is_opened_anew(feed, network):
    """Whatever was asked while it was away is answered with nothing, and nothing is raised."""
    await network.kept.create(record("a"))
    assert await feed.poll()
    network.down = "server closed the connection"
    assert await feed.poll()
    assert "closed the connection" in (feed.problem or "")
    assert await feed.run("a") is None
    network.down = ""
    await until_async(feed.poll, "the server is back")
    assert (await feed.run("a")).id == "a"
    assert network.opened == 2


async def test_a_server_that_is_away_is_not_asked_with_every_look(feed, network):
    """The looks are ten a second; connections are tried at growing intervals."""
    network.down = "refused"
    for _ in range(200):
        await feed.poll()
    assert network.asked < 5


async def test_a_server_that_does_not_answer_keeps_nobody_waiting(feed, network):
    """A glance later it is told; the connection is still tried, and taken when it comes."""
    network.delay = 0.4
    started = time.monotonic()
    await feed.poll()
    assert time.monotonic() - started < 0.35
    assert "has not answered yet" in (feed.problem or "")
    await until_async(feed.poll, "the connection")
    assert feed.problem is None
    assert network.opened == 1


async def test_a_server_that_stops_answering_is_let_go_without_waiting(feed, network, monkeypatch):
    """Not even for the end of its connections: what is wrong is told when the question has run out."""
    monkeypatch.setattr("flux_tui.feed.opened.ANSWER", 0.1)
    await feed.poll()
    network.delay = 5.0
    started = time.monotonic()
    await feed.page()
    assert time.monotonic() - started < 2.0
    assert "did not answer" in (feed.problem or "")
    network.delay = 0.0
    await until_async(feed.poll, "the server is back")
    assert feed.problem is None


async def test_a_run_of_another_host_is_drawn_from_the_store(feed, network):
    """Its steps, attempts and data as the owner writes them, and who that is."""
    await network.kept.create(moving("a", graph=GRAPH))
    attempt = JournalEntry(
        seq=1, kind=EntryKind.ATTEMPT, step="fetch", status=StepStatus.RUNNING, attempt=1, started_at=1.0
    )
    write = RunWrite(
        run_id="a",
        fence=1,
        status=RunStatus.RUNNING,
        updated_at=time.time(),
        current_step="fetch",
        owner=HOST_B,
        lease_until=time.time() + 60,
        entries=(attempt,),
    )
    await network.kept.save(write)
    view = await feed.run("a")
    assert view.driver == Driver(host="host-b", pid=41, here=False)
    assert (view.status, view.step("fetch").status) == ("running", "running")


async def test_a_step_between_two_attempts_is_not_shown_as_failed(feed, network):
    """The store knows of the failed attempt only; the run goes on, and so does the step."""
    failed = JournalEntry(
        seq=1, kind=EntryKind.ATTEMPT, step="fetch", status=StepStatus.FAILED, attempt=1, started_at=1.0
    )
    await network.kept.create(moving("a", graph=GRAPH), (failed,))
    await network.kept.create(moving("b", graph=GRAPH, status=RunStatus.FAILED, owner=None), (failed,))
    assert (await feed.run("a")).step("fetch").status == "running"
    assert (await feed.run("b")).step("fetch").status == "failed"


async def test_a_run_whose_host_let_its_lease_end_is_interrupted(feed, network):
    """Nothing else is known of a process on another host, and its death is no write to the store."""
    await network.kept.create(moving("a", lease_until=time.time() + 0.2))
    await feed.poll()
    assert [row.status for row in await feed.page()] == ["running"]
    await until_async(feed.poll, "the end of the lease")
    assert [row.status for row in await feed.page()] == ["interrupted"]
    assert (await feed.run("a")).status == "interrupted"


async def test_the_errors_of_earlier_attempts_come_from_the_store(feed, network):
    """Each with its number, so that the Error tab has them without the trace."""
    error = msgspec.json.encode(ErrorInfo(type="ValueError", message="no tape")).decode()
    common = {"kind": EntryKind.ATTEMPT, "step": "fetch", "started_at": 1.0, "completed_at": 2.0}
    failed = JournalEntry(seq=1, status=StepStatus.FAILED, attempt=1, error=error, **common)
    done = JournalEntry(seq=2, status=StepStatus.COMPLETED, attempt=2, **common)
    await network.kept.create(moving("a", graph=GRAPH), (failed, done))
    step = (await feed.run("a")).step("fetch")
    (failure,) = step.failures
    assert (failure.number, failure.error.message, failure.duration) == (1, "no tape", 1000)


def test_a_run_in_the_hands_of_another_host_names_it():
    """What cannot be done now says who could be asked to let go."""
    run = RunView(id="a", workflow="w", status="running", driver=Driver(host="host-b", pid=41, here=False))
    reason = needs.an_ended_run(Situation(run=run))
    assert "process 41 on host-b has the run in hand" in reason
    assert needs.an_open_run(Situation(run=run)) is None
    assert needs.a_running_run(Situation(run=run)) is None


async def test_the_dashboard_opens_without_its_store_and_comes_alive_with_it(
    tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what is wrong, shows a run as soon as there is a store, and moves it as its owner does."""
    monkeypatch.setattr("flux_tui.feed.opened._read_only", network.reach)
    network.down = "connection refused"
    settings = Settings(project=tmp_path, db=StoreFeed(ADDRESS).address).anchored()
    desk = Desk(settings, [tmp_path / "none"])
    async with FluxApp(desk).run_test(size=(120, 36)) as pilot:
        screen = pilot.app.screen
        assert isinstance(screen, MainScreen)
        await until(lambda: "connection refused" in str(screen.banner.content), "the problem")
        assert "s3cret" not in str(screen.banner.content)
        network.down = ""
        await network.kept.create(moving("abc", graph=GRAPH))
        await until(lambda: desk.runs.total == 1, "the run")
        await until(lambda: not screen.banner.has_class("-shown"), "no problem any more")
        await pilot.press("2", "home")
        await until(lambda: screen.run_view is not None, "the run in the graph")
        await until(lambda: "process 41 on host-b" in str(screen.graph_pane.border_title), "who has it")
        await pilot.press("L")
        logs, events = screen.details.views["logs"], screen.details.views["events"]
        await until(lambda: "in the trace of host-b" in logs._empty_text(), "where the logs are")
        began = time.monotonic()
        now = time.time()
        ended = RunWrite(run_id="abc", fence=1, status=RunStatus.COMPLETED, updated_at=now, completed_at=now)
        await network.kept.save(ended)
        await until(lambda: screen.run_view.status == "completed", "the end")
        assert time.monotonic() - began < 1.0
        await pilot.press("V")
        await pilot.pause()
        assert "in the trace of host-b" in events._empty_text()
