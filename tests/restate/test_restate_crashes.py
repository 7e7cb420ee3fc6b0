"""What dies on the way: the process of the service, the Restate server. Nothing is done or told twice."""

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from restate_server import free_port, start_restate
from restate_service import Services

PROGRAM = Path(__file__).with_name("programs_restate.py")


class Program:
    """The service in a process of its own."""

    def __init__(self, services, folder, name) -> None:
        self.services = services
        self.folder = folder
        self.name = name
        self.hang = folder / "hang"
        self._port = free_port()
        self._process = None

    async def start(self) -> None:
        arguments = [sys.executable, str(PROGRAM), str(self._port), str(self.folder), self.name]
        self._process = subprocess.Popen(arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        await self.services.register(f"http://127.0.0.1:{self._port}")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def restart(self) -> None:
        self.kill()
        await self.start()

    def calls(self) -> list[str]:
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [" ".join(line.split()[1:3]) for line in lines]

    async def called(self, *calls: str) -> None:
        """Wait until the handlers were called."""
        for _ in range(1500):
            if set(calls) <= set(self.calls()):
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"called were {self.calls()}")


@pytest.fixture
async def program(services, tmp_path, name):
    """A service of its own, running."""
    started = Program(services, tmp_path, name)
    await started.start()
    yield started
    started.kill()


def assert_told_once(services, run_id):
    """No event is in the trace twice."""
    seen = Counter(
        (event["type"], event["timestamp"], event.get("stepName"), event.get("attempt"))
        for event in services.events(run_id)
    )
    assert [key for key, count in seen.items() if count > 1] == []


async def test_a_killed_service_repeats_no_completed_step(program, services):
    """The attempt under way counts as interrupted, the commit runs again with the same key, the run ends."""
    program.hang.touch()
    run_id = await services.client.start(f"{program.name}-chain")
    await program.called("work 1")
    program.kill()
    program.hang.unlink()
    await program.start()
    run = await services.until(run_id, "completed")
    assert program.calls() == ["a 1", "work 1", "work 2", "b 1"]
    assert run.data == {"n": 12}
    attempts = run.step("work").attempt_log
    assert [(attempt.status, attempt.error and attempt.error.type) for attempt in attempts] == [
        ("cancelled", "Interrupted"),
        ("completed", None),
    ]
    keys = {
        line.split()[3] for line in (program.folder / "calls").read_text().splitlines() if " work " in line
    }
    assert keys == {f"{run_id}:work"}
    assert_told_once(services, run_id)
    assert services.kinds(run_id) == [
        ("workflow:start", None),
        ("step:start", "a"),
        ("step:complete", "a"),
        ("step:start", "work"),
        ("step:log", "work"),
        ("workflow:start", None),
        ("step:start", "work"),
        ("step:log", "work"),
        ("step:complete", "work"),
        ("step:start", "b"),
        ("step:complete", "b"),
        ("workflow:complete", None),
    ]
    assert services.events(run_id)[5]["meta"] == {"resume": True, "fromStep": "work", "recovered": True}


@pytest.mark.parametrize(("verdict", "called"), [("done", []), ("again", ["work 2"])])
async def test_a_commit_in_doubt_is_held_until_somebody_says(program, services, verdict, called):
    """With on_crash="hold" the run is suspended; "done" goes on, "again" runs it again."""
    program.hang.touch()
    run_id = await services.client.start(f"{program.name}-hold")
    await program.called("work 1")
    program.kill()
    program.hang.unlink()
    await program.start()
    held = await services.until(run_id, "suspended")
    assert held.step("work").waits_for.in_doubt
    await services.client.signal(run_id, "work", verdict)
    run = await services.until(run_id, "completed")
    assert program.calls() == ["a 1", "work 1", *called, "b 1"]
    assert run.step("work").status == "completed"
    assert_told_once(services, run_id)


async def test_steps_side_by_side_are_all_begun_again(program, services):
    """Both attempts under way are interrupted; the trace is told once that the run goes on."""
    program.hang.touch()
    run_id = await services.client.start(f"{program.name}-beside")
    await program.called("left 1", "right 1")
    program.kill()
    program.hang.unlink()
    await program.start()
    run = await services.until(run_id, "failed")
    assert run.error.type == "DataConflictError"  # both changed the same key, as they would on one machine
    calls = Counter(program.calls())
    assert {"left 1", "left 2", "right 1", "right 2"} <= set(calls)
    assert calls["a 1"] == 1
    assert [kind for kind, _ in services.kinds(run_id)].count("workflow:start") == 2
    assert_told_once(services, run_id)


async def test_a_handler_that_was_suspended_tells_nothing_again(program, services):
    """Waiting longer than Restate leaves a handler idle replays it: at the signal, after the timer."""
    run_id = await services.client.start(f"{program.name}-waits")
    await services.until(run_id, "suspended")
    await _suspended_by_restate(services, run_id)
    await services.client.signal(run_id, "go")
    await program.called("nap 1")
    await _suspended_by_restate(services, run_id)
    run = await services.until(run_id, "completed")
    assert program.calls() == ["a 1", "ask 1", "nap 1", "b 1"]
    assert run.data == {"n": 2}
    assert_told_once(services, run_id)
    assert services.kinds(run_id)[-4:] == [
        ("step:complete", "nap"),
        ("step:start", "b"),
        ("step:complete", "b"),
        ("workflow:complete", None),
    ]


async def _suspended_by_restate(services, run_id):
    for _ in range(1500):
        if (await services.client.run(run_id)).invocation.status == "suspended":
            return
        await asyncio.sleep(0.02)
    raise AssertionError("Restate did not suspend the handler")


async def test_a_service_killed_while_nothing_runs_goes_on(program, services):
    """A run that waits needs no process; the signal finds the next one."""
    run_id = await services.client.start(f"{program.name}-waits")
    await services.until(run_id, "suspended")
    program.kill()
    assert [row.status for row in await services.client.runs(f"{program.name}-waits")] == ["suspended"]
    await program.start()
    await services.client.signal(run_id, "go")
    await services.until(run_id, "completed")
    assert program.calls() == ["a 1", "ask 1", "nap 1", "b 1"]
    assert_told_once(services, run_id)


async def test_a_restate_server_killed_on_the_way_goes_on_where_it_was(tmp_path, name):
    """With a server of its own: killed in the middle of a step, between steps, and while a run waits."""
    with start_restate() as server:
        async with Services(server, tmp_path) as services:
            program = Program(services, tmp_path, name)
            await program.start()
            try:
                program.hang.touch()
                middle = await services.client.start(f"{name}-chain")
                waiting = await services.client.start(f"{name}-waits")
                await program.called("work 1")
                await services.until(waiting, "suspended")
                server.restart()
                program.hang.unlink()
                run = await services.until(middle, "completed")
                assert run.data == {"n": 12}
                await services.client.signal(waiting, "go")
                await services.until(waiting, "completed")
                calls = Counter(call for call in program.calls() if not call.startswith("work"))
                assert calls == {"a 1": 2, "b 1": 2, "ask 1": 1, "nap 1": 1}
                assert_told_once(services, middle)
                assert_told_once(services, waiting)
            finally:
                program.kill()
