"""What goes wrong around a run, in the middle of it: a clear error, nothing lost, and on it goes later."""

import json
import os
import shutil
import sqlite3
import subprocess
import threading
from contextlib import closing, suppress
from itertools import pairwise

import pytest

from flux_engine import (
    FluxEngine,
    FluxSilentLogger,
    JsonFileTraceSink,
    SQLiteStorage,
    StorageError,
    create_workflow,
    sleep,
    wait,
)
from flux_engine.testing import ManualClock


def three_steps(calls, *, in_the_middle):
    """Return a workflow; something happens in the first attempt of its second step."""

    def step(name):
        async def handler(ctx):
            calls.append(name)
            if name == "b" and ctx.attempt == 1:
                in_the_middle()
            ctx.data[name] = "x" * 20_000

        return handler

    return create_workflow("w").step("a", step("a")).commit("b", step("b")).step("c", step("c"))


def an_engine(path, **options):
    """Return an engine on a file, which gives up soon."""
    return FluxEngine(
        storage=SQLiteStorage(path, busy_timeout=0.2), logger=FluxSilentLogger(), default_retries=0, **options
    )


def health(path):
    """Return what SQLite's own check says of the file."""
    with closing(sqlite3.connect(path)) as database:
        return database.execute("PRAGMA integrity_check").fetchone()[0]


async def goes_on(engine, flow, calls):
    """Resume the run: the first step is not run again, the second is, with the data it had."""
    state = await engine.get("r")
    assert (state.status, state.step("a").status) == ("running", "completed")
    assert (await engine.resume(flow, "r")).ok
    assert calls == ["a", "b", "b", "c"]
    state = await engine.get("r")
    assert (state.status, sorted(state.data)) == ("completed", ["a", "b", "c"])


def fill(disk):
    """Leave no room on a disk."""
    with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(b"x" * 4096)


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own, where one can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


class TestTheStore:
    async def test_a_short_lock_in_the_middle_is_waited_out(self, tmp_path):
        """Another program that writes for a moment is no fault at all."""
        calls, lock = [], sqlite3.connect(tmp_path / "lock", check_same_thread=False)
        path = tmp_path / "flux.db"

        def locked_for_a_moment():
            nonlocal lock
            lock.close()
            lock = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            lock.execute("BEGIN IMMEDIATE")
            threading.Timer(0.05, lambda: lock.execute("ROLLBACK")).start()

        async with FluxEngine(storage=SQLiteStorage(path)) as engine:
            assert (await engine.execute(three_steps(calls, in_the_middle=locked_for_a_moment))).ok
        lock.close()
        assert calls == ["a", "b", "c"]

    async def test_a_full_disk_in_the_middle(self, disk):
        """The error names the disk; when there is room again, the same engine goes on."""
        calls = []

        flow = three_steps(calls, in_the_middle=lambda: fill(disk))
        sink = JsonFileTraceSink(disk / "trace.ndjson")
        async with an_engine(disk / "flux.db", trace=sink) as engine:
            with pytest.raises(StorageError, match="the disk is full"):
                await engine.execute(flow, run_id="r")
            (disk / "filler").unlink()
            await goes_on(engine, flow, calls)
        assert health(disk / "flux.db") == "ok"

    async def test_a_disk_that_is_read_only_for_a_while(self, disk):
        """Nothing can be run, everything can be looked at; later it goes on where it was."""
        path, calls = disk / "flux.db", []
        flow = create_workflow("w").step("ask", lambda ctx: wait("go"))
        flow.step("after", lambda ctx: calls.append(ctx.signals["go"]))
        async with an_engine(path) as engine:
            await engine.execute(flow, run_id="r")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(StorageError, match="cannot be|read-only|Read-only"):
            await an_engine(path).signal(flow, "r", "go", 1)
        subprocess.run(["mount", "-o", "remount,rw,size=2m", disk], check=True)
        async with an_engine(path) as engine:
            assert (await engine.get("r")).status == "suspended"
            assert (await engine.signal(flow, "r", "go", 2)).ok
        assert calls == [2]

    @pytest.mark.parametrize("fault", ["deleted", "replaced"])
    async def test_a_file_that_goes_away_in_the_middle(self, tmp_path, fault):
        """The run stops; what is at the path now is left alone; with the file back the run goes on."""
        path, away = tmp_path / "flux.db", tmp_path / "away.db"
        calls = []

        def take_away():
            path.rename(away)
            if fault == "replaced":
                path.write_bytes(b"something else")

        flow = three_steps(calls, in_the_middle=take_away)
        async with an_engine(path) as engine:
            with pytest.raises(StorageError, match="while the store was open"):
                await engine.execute(flow, run_id="r")
            assert path.exists() == (fault == "replaced")
            if fault == "replaced":
                assert path.read_bytes() == b"something else"
            away.rename(path)
            await goes_on(engine, flow, calls)
        assert health(path) == "ok"

    async def test_a_fault_of_one_moment_stops_no_other_run(self, tmp_path):
        """Runs that need nothing of the store meanwhile go on when it is there again."""
        path, away, calls = tmp_path / "flux.db", tmp_path / "away.db", []

        async def bystander(ctx):
            calls.append("bystander")
            path.rename(away)
            away.rename(path)

        flow = create_workflow("w").step("s", bystander).step("t", lambda ctx: calls.append("after"))
        async with an_engine(path) as engine:
            assert (await engine.execute(flow)).ok
        assert calls == ["bystander", "after"]


class JumpingClock(ManualClock):
    """Its wall clock can be set; what has passed is not affected."""

    offset = 0.0

    def now(self):
        return super().now() + self.offset


@pytest.mark.parametrize("jump", [-86_400.0, -1.0, 3.0, 86_400.0])
class TestTheClock:
    async def test_a_jump_in_the_middle_of_a_run_changes_nothing(self, make_engine, jump):
        """The run ends, no duration is negative, and a retry restores what was."""
        clock, calls = JumpingClock(auto=True), []
        engine = make_engine(clock=clock)

        def set_clock():
            clock.offset += jump

        result = await engine.execute(three_steps(calls, in_the_middle=set_clock), run_id="r")
        assert result.ok
        assert result.duration >= 0
        state = await engine.get("r")
        assert all(step.duration >= 0 for step in state.history)
        assert (await engine.retry_step(three_steps(calls, in_the_middle=set_clock), "r", "b")).ok
        assert calls == ["a", "b", "c", "b", "c"]

    async def test_a_timer_lasts_as_long_as_it_should(self, make_engine, jump):
        """It is waited out by the time that passes, whatever the wall clock says."""
        clock = JumpingClock(auto=True)

        async def nap(ctx):
            return sleep(10)

        async def jump_back(ctx):
            clock.offset += jump

        flow = create_workflow("w").step("nap", nap).step("jump", jump_back).step("again", nap)
        before = clock.monotonic()
        assert (await make_engine(clock=clock).execute(flow)).ok
        assert clock.monotonic() == before + 20

    async def test_a_back_off_and_a_lease_outlive_it(self, make_engine, jump):
        """An engine that lives keeps its run, unless another one takes it."""
        clock = JumpingClock(auto=True)

        async def flaky(ctx):
            clock.offset += jump
            if ctx.attempt < 3:
                raise ConnectionError

        flow = create_workflow("w").step("s", flaky, retries=5)
        result = await make_engine(clock=clock).execute(flow)
        assert (result.status, result.history[0].attempts) == ("completed", 3)


def steps_told(path):
    """Return which steps were told of as complete."""
    events = [json.loads(line) for line in path.read_bytes().splitlines() if line]
    return [event["stepName"] for event in events if event["type"] == "step:complete"]


class TestTheTrace:
    @pytest.mark.parametrize("fault", ["deleted", "a directory", "its folder is a file", "folder deleted"])
    async def test_a_path_that_is_spoilt_in_the_middle(self, tmp_path, fault):
        """The run does not notice; it is counted; when the path is there again the trace goes on."""
        path, calls = tmp_path / "folder" / "trace.ndjson", []

        def spoil():
            if fault == "deleted":
                path.unlink()
            elif fault == "a directory":
                path.unlink()
                path.mkdir()
            else:
                shutil.rmtree(path.parent)
                if fault == "its folder is a file":
                    path.parent.write_text("in the way")

        flow = three_steps(calls, in_the_middle=spoil)
        async with an_engine(tmp_path / "flux.db", trace=JsonFileTraceSink(path)) as engine:
            assert (await engine.execute(flow, run_id="r")).ok
            heals_itself = fault in {"deleted", "folder deleted"}
            assert bool(engine.problems) != heals_itself
            if heals_itself:
                assert steps_told(path) == ["b", "c"]
                return
            if fault == "a directory":
                path.rmdir()
            else:
                path.parent.unlink()
            assert (await engine.retry_step(flow, "r", "c")).ok
            assert steps_told(path) == ["c"]

    async def test_a_disk_that_is_full_for_a_while(self, disk, tmp_path):
        """Lines are lost, none is torn for good, the run goes on."""
        path, calls = disk / "trace.ndjson", []

        flow = three_steps(calls, in_the_middle=lambda: fill(disk))
        async with an_engine(tmp_path / "flux.db", trace=JsonFileTraceSink(path)) as engine:
            assert (await engine.execute(flow, run_id="r")).ok
            assert engine.problems["trace sink"] > 0
            (disk / "filler").unlink()
            assert (await engine.retry_step(flow, "r", "c")).ok
        lines = path.read_bytes().split(b"\n")
        good = [line for line in lines if line.startswith(b"{") and line.endswith(b"}")]
        assert len([line for line in lines if line]) - len(good) <= 1
        assert json.loads(good[-1])["type"] == "workflow:complete"

    @pytest.mark.parametrize("is_async", [False, True])
    async def test_a_sink_that_raises_now_and_then(self, make_engine, storage, is_async):
        """Each of its errors is counted, the other events arrive, in order."""
        heard = []

        class Sink:
            count = 0

            def take(self, event):
                self.count += 1
                if self.count % 2:
                    raise OSError("now and then")
                heard.append(event.timestamp)

            def emit(self, event):
                if not is_async:
                    return self.take(event)

                async def later():
                    self.take(event)

                return later()

        sink, calls = Sink(), []
        engine = make_engine(trace=sink)
        assert (await engine.execute(three_steps(calls, in_the_middle=lambda: None))).ok
        assert engine.problems["trace sink"] == len(heard) == sink.count / 2
        assert all(one <= other for one, other in pairwise(heard))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everything")
async def test_a_file_that_may_not_be_written(tmp_path):
    """The error says what to check; with the permission back it opens."""
    path = tmp_path / "flux.db"
    flow = create_workflow("w").step("s", lambda ctx: None)
    async with an_engine(path) as engine:
        await engine.execute(flow)
    path.chmod(0o400)
    with pytest.raises(StorageError, match="may write"):
        await an_engine(path).execute(flow)
    path.chmod(0o600)
    async with an_engine(path) as engine:
        assert (await engine.execute(flow)).ok
