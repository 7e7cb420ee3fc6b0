"""Two processes that want the same run at the same moment."""

import asyncio
import json
import subprocess
import sys
import textwrap
import time

import pytest

from flux_engine import FluxEngine, FluxSilentLogger, SQLiteStorage, create_workflow, wait

PROGRAM = """
    import asyncio, json, sys
    from pathlib import Path
    from flux_engine import FluxEngine, FluxError, SQLiteStorage, create_workflow, wait

    folder, verb = Path(sys.argv[1]), sys.argv[2]

    async def slow(ctx):
        with (folder / "calls").open("a") as file:
            file.write("called\\n")
        while not (folder / "go on").exists():
            await asyncio.sleep(0.005)

    flow = create_workflow("w").step("ask", lambda ctx: wait("go")).step("slow", slow)

    async def main():
        async with FluxEngine(storage=SQLiteStorage(folder / "flux.db"), default_retries=0) as engine:
            print("ready", flush=True)
            sys.stdin.readline()
            try:
                if verb == "resume":
                    result = await engine.resume(flow, "r")
                elif verb == "retry_step":
                    result = await engine.retry_step(flow, "r", "slow")
                else:
                    result = await engine.signal(flow, "r", "go")
                print(json.dumps(str(result.status)), flush=True)
            except FluxError as error:
                print(json.dumps(type(error).__name__), flush=True)

    asyncio.run(main())
"""


async def _prepare(path, verb):
    """Leave a run that the verb can take: suspended, or failed behind its wait."""

    async def fail(ctx):
        raise ValueError

    flow = create_workflow("w").step("ask", lambda ctx: wait("go")).step("slow", fail)
    async with FluxEngine(
        storage=SQLiteStorage(path), default_retries=0, logger=FluxSilentLogger()
    ) as engine:
        await engine.execute(flow, run_id="r")
        if verb != "signal":
            await engine.signal(flow, "r", "go")


@pytest.mark.parametrize("verb", ["resume", "retry_step", "signal"])
def test_exactly_one_process_gets_the_run(tmp_path, verb):
    """The others are told that it is busy; the step is called once."""
    asyncio.run(_prepare(tmp_path / "flux.db", verb))
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, program, tmp_path, verb], **pipes) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    told: list[str] = []
    losers = list(processes)
    while len(told) < len(processes) - 1:  # all but the winner, who waits to be let go
        ready = next((process for process in losers if process.poll() is not None), None)
        if ready is None:
            time.sleep(0.01)
        else:
            losers.remove(ready)
            told.append(json.loads(ready.communicate()[0]))
    (tmp_path / "go on").touch()
    assert json.loads(losers[0].communicate()[0]) == "completed"
    assert told == ["RunBusyError"] * 2
    assert (tmp_path / "calls").read_text().split() == ["called"]
