"""Many runs while processes are killed: every run ends, no completed step runs again, the trace agrees."""

import asyncio
from collections import Counter, defaultdict

from restate_server import start_restate
from restate_service import Services
from test_restate_crashes import Program

STEPS = [f"s{number}" for number in range(6)]
RUNS = 40


async def test_runs_under_load_survive_what_is_killed_beneath_them(tmp_path, name):
    """The service three times, the server twice."""
    with start_restate() as server:
        async with Services(server, tmp_path) as services:
            program = Program(services, tmp_path, name)
            await program.start()
            try:
                ids = [await services.client.start(f"{name}-load", {}) for _ in range(RUNS)]
                for number in range(5):
                    await _more_calls(program)
                    if number % 2:
                        server.restart()
                    else:
                        await program.restart()
                runs = [await services.until(run_id, "completed", "failed") for run_id in ids]
            finally:
                program.kill()
    assert Counter(run.status for run in runs) == {"completed": RUNS}
    assert all(run.data["done"] == STEPS for run in runs)
    assert sum(step.attempts for run in runs for step in run.history) > RUNS * len(STEPS)  # some were cut off
    calls = defaultdict(list)
    for line in (tmp_path / "calls").read_text().splitlines():
        run_id, step, _ = line.split()
        calls[run_id].append(step)
    for run in runs:
        assert calls[run.id] == sorted(calls[run.id])  # never again after the next one has begun
        assert set(calls[run.id]) == set(STEPS)
        told = Counter(
            (event["type"], event.get("stepName"), event.get("attempt"), event["timestamp"])
            for event in services.events(run.id)
        )
        assert max(told.values()) == 1
        kinds = Counter((kind, step) for kind, step, *_ in told)
        assert [kinds["step:complete", step] for step in STEPS] == [1] * len(STEPS)
        assert kinds["workflow:complete", None] == 1
        started = sum(count for (kind, _), count in kinds.items() if kind == "step:start")
        assert started == sum(step.attempts for step in run.history)


async def _more_calls(program):
    """Wait until the runs have moved on by some steps."""
    seen = len(program.calls())
    for _ in range(400):
        if len(program.calls()) >= seen + RUNS // 2:
            return
        await asyncio.sleep(0.02)
