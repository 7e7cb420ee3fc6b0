"""Handlers and modules that do what nobody expects: each has an outcome that can be lived with."""

import asyncio
from pathlib import Path

import pytest
from runner_project import Project, until

from flux_tui.runner.member import RunnerRefused
from flux_tui.runner.pool_events import Reloaded, RunEnded, RunnerDied, RunnerRestarted


async def test_a_handler_that_forks_gets_on(project: Project) -> None:
    """By hand, or for a process pool of either kind; what the children print is the step's."""
    project.write(
        "shop.py",
        """
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        def fork(ctx):
            if (pid := os.fork()) == 0:
                print("from a fork")
                os._exit(0)
            os.waitpid(pid, 0)

        def pool(ctx, method):
            with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
                print(method, pool.submit(abs, -3).result())

        flow = (
            create_workflow("forks")
            .step("fork", fork)
            .step("forked", lambda ctx: pool(ctx, "fork"))
            .step("spawned", lambda ctx: pool(ctx, "spawn"))
        )
        """,
    )
    await project.pool.start()
    assert (await project.run_to_end("forks")).status == "completed"
    assert project.log() == ["from a fork", "fork 3", "spawn 3"]


async def test_a_handler_that_closes_the_standard_streams_takes_them_from_no_other(project: Project) -> None:
    """After its step, what subprocesses print is captured again."""
    project.write(
        "shop.py",
        """
        def close(ctx):
            for descriptor in range(3):
                os.close(descriptor)
            print("from python")

        flow = (
            create_workflow("closes")
            .step("close", close)
            .step("after", lambda ctx: os.system("echo from a subprocess"))
        )
        """,
    )
    await project.pool.start()
    assert (await project.run_to_end("closes")).status == "completed"
    assert project.log() == ["from python", "from a subprocess"]


async def test_a_runner_whose_pipes_are_closed_is_replaced(project: Project) -> None:
    """It could neither hear nor tell anything; its run can be resumed."""
    project.write(
        "shop.py",
        """
        def close(ctx):
            if not FREE.exists():
                os.closerange(0, 256)

        flow = create_workflow("closes").step("close", close)
        """,
    )
    await project.pool.start()
    run_id = await project.pool.run("closes", {})
    died = await project.heard(RunnerDied)
    assert died.run_ids == (run_id,)
    noticed_it_itself = "exited with 1" in died.description
    assert "closed the pipe" in died.output or noticed_it_itself
    await project.heard(RunnerRestarted)
    project.free()
    await project.pool.resume("closes", run_id)
    assert (await project.heard(RunEnded)).status == "completed"


async def test_many_runs_and_many_saves_leave_no_runner_behind(project: Project) -> None:
    """Thirty runs in hand, of steps on the loop and in threads, end on the code that they began with."""
    text = """
        async def wait(ctx):
            while not FREE.exists():
                await asyncio.sleep(0.01)

        flow = create_workflow("many").step("wait", wait).step("block", lambda ctx: mark("VERSION"))
    """
    project.write("shop.py", text.replace("VERSION", "old"))
    await project.pool.start()
    await asyncio.gather(*(project.pool.run("many", {}) for _ in range(30)))
    for number in range(20):
        project.write("shop.py", text.replace("VERSION", f"v{number}"))
        await project.pool.reload()
    await project.reload()
    project.free()
    await until(lambda: len(project.of(RunEnded)) == 30, lambda: f"30 ends among {project.events}")
    assert {ended.status for ended in project.of(RunEnded)} == {"completed"}
    assert project.calls() == ["old"] * 30
    await until(lambda: len(project.pool._members) == 2, lambda: f"the old to go: {project.pool._members}")
    assert project.of(RunnerDied) == []


async def test_a_module_may_use_threads_and_event_loops_when_it_is_imported(project: Project) -> None:
    """Neither an ``asyncio.run`` nor threads that never end keep a runner from loading, or from ending."""
    project.write(
        "shop.py",
        """
        async def setting():
            await asyncio.sleep(0)
            return "ready"

        SETTING = asyncio.run(setting())
        threading.Thread(target=until_free).start()

        async def step(ctx):
            print(SETTING)

        flow = create_workflow("flow").step("step", step)
        if __name__ == "__main__":
            raise SystemExit("not a script here")
        """,
    )
    await project.pool.start()
    assert (await project.run_to_end("flow")).status == "completed"
    assert project.log() == ["ready"]
    await project.pool.stop()
    assert project.of(RunnerDied) == []


async def test_paths_with_spaces_and_other_letters_work_throughout(project: Project) -> None:
    """In the names of folders, modules and workflows, with links on the way."""
    real = project.folder / "with space" / "größe"
    real.mkdir(parents=True)
    (project.folder / "link").symlink_to(real, target_is_directory=True)
    (real / "flöw one.py").write_text(
        "from flux_engine import create_workflow\n"
        "flow = create_workflow('größe 1').step('prüfen', lambda ctx: print('geprüft'))\n"
    )
    await project.pool.start()
    assert [Path(module.path) for module in (await project.heard(Reloaded)).modules] == [real / "flöw one.py"]
    assert (await project.run_to_end("größe 1")).status == "completed"
    assert project.log() == ["geprüft"]


async def test_a_copy_does_not_take_a_workflow_from_its_module(project: Project) -> None:
    """Neither beside the good module nor while that one is broken; once it is given up, the copy has it."""
    text = 'flow = create_workflow("order").step("a", lambda ctx: mark("{name}"))'
    older = project.write("orders.py", text.format(name="older"))
    await project.pool.start()
    await project.heard(Reloaded)
    copy = project.write("a_copy.py", text.format(name="copy"))

    states = {
        text.format(name="older"): "flow in",
        "import flux_engine\ndef broken(:\n": "the last good one of",
        text.format(name="mended"): "flow in",
    }
    for state, words in states.items():
        project.write("orders.py", state)
        problems = {module.path: module.problem for module in (await project.reload()).modules}
        assert f"two workflows named 'order': {words} {older}" in problems[str(copy)].message
        await project.run_to_end("order")
    assert project.calls() == ["older", "older", "mended"]

    older.unlink()
    assert not any(module.problem for module in (await project.reload()).modules)
    await project.run_to_end("order")
    assert project.calls()[-1] == "copy"


async def test_edited_data_reaches_the_step_with_its_types(project: Project) -> None:
    """The dashboard knows them in the form in which they are stored, the modules' classes included."""
    project.write(
        "shop.py",
        """
        from dataclasses import dataclass
        from decimal import Decimal

        @dataclass
        class Parcel:
            weight: int

        def pack(ctx):
            ctx.data.total, ctx.data.parcel = Decimal("1.50"), Parcel(1)

        def ship(ctx):
            print(repr(ctx.data.total), ctx.data.parcel)
            raise ValueError("no stamps")

        flow = create_workflow("parcels").step("pack", pack).step("ship", ship)
        """,
    )
    await project.pool.start()
    run_id = (await project.run_to_end("parcels")).run_id
    [packed] = [event for event in project.trace() if event["type"] == "step:complete"]
    data = packed["changes"]["set"]
    data["total"]["value"] = "2.50"
    data["parcel"]["value"]["weight"] = 7
    await project.pool.retry("parcels", run_id, "ship", data=data)
    await project.heard(RunEnded, 2)
    assert project.log() == ["Decimal('1.50') Parcel(weight=1)", "Decimal('2.50') Parcel(weight=7)"]
    with pytest.raises(RunnerRefused) as refused:
        await project.pool.retry("parcels", run_id, "ship", data={"total": {"$type": "decimal"}})
    assert refused.value.error == "SerializationError"


async def test_what_a_compensation_prints_is_in_the_trace_before_its_end(project: Project) -> None:
    """Line by line, also under the number that an attempt of the step has had; so is the last line."""
    project.write(
        "shop.py",
        """
        def pay(ctx):
            print("declined")
            raise ValueError("declined")

        def unbook(ctx):
            print("unbooked")
            print("no line end", end="")

        flow = (
            create_workflow("trip")
            .step("book", lambda ctx: print("booked"), compensate=unbook)
            .step("pay", pay)
        )
        """,
    )
    await project.pool.start()
    assert (await project.run_to_end("trip")).status == "failed"
    assert project.log() == ["booked", "declined", "unbooked", "no line end"]
    assert [event["type"] for event in project.trace()][-4:] == [
        "step:log",
        "step:log",
        "step:compensate",
        "workflow:error",
    ]
