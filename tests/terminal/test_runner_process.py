"""Runner processes: whatever a handler or a module does, the dashboard's side stays alive and knows why."""

import asyncio
import contextlib
import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest
from runner_project import Project, is_alive, pids_of, until

from flux_tui.runner import pool
from flux_tui.runner.client import RunnerProcess, exit_words
from flux_tui.runner.config import RunnerConfig
from flux_tui.runner.member import RunnerRefused
from flux_tui.runner.messages import Blocked, Load, Loaded, Output, Report
from flux_tui.runner.pool_events import (
    Reloaded,
    RunEnded,
    RunnerDied,
    RunnerRestarted,
    StillLoading,
)


async def test_modules_are_loaded_and_a_run_ends_with_its_output_in_the_trace(shop: Project) -> None:
    """And no user code is imported on the dashboard's side."""
    shop.free()
    ended = await shop.run_to_end("order")
    assert ended.status == "completed"
    assert "in first" in shop.log()
    reloaded = shop.of(Reloaded)[0]
    assert [flow.name for flow in reloaded.modules[0].workflows] == ["order"]
    assert str(shop.folder / "shop.py") in reloaded.files
    assert "shop" not in sys.modules


async def test_output_of_subprocesses_and_threads_reaches_the_step(project: Project) -> None:
    """It is in the trace before the step's end."""
    project.write(
        "shop.py",
        """
        import subprocess, logging, warnings

        def noisy(ctx):
            subprocess.run(["sh", "-c", "echo from a subprocess; echo to its stderr >&2"])
            os.write(1, b"from C\\n")
            thread = threading.Thread(target=print, args=("from a thread",))
            thread.start(); thread.join()
            logging.getLogger("x").info("from logging")
            warnings.warn("from a warning")

        flow = create_workflow("noisy").step("noisy", noisy)
        print("at import")
        """,
    )
    await project.pool.start()
    reloaded = await project.heard(Reloaded)
    assert reloaded.modules[0].output == "at import\n"
    await project.run_to_end("noisy")
    types = [event["type"] for event in project.trace()]
    assert types[-2:] == ["step:complete", "workflow:complete"]
    log = project.log()
    for line in ("from a subprocess", "to its stderr", "from C", "from a thread", "from logging"):
        assert line in log
    assert any("from a warning" in line for line in log)


async def test_the_runner_imports_no_part_of_the_dashboard(project: Project) -> None:
    """Textual, rich, typer and watchfiles cost time that a reload does not have."""
    project.write(
        "shop.py",
        "print([name for name in ('textual', 'rich', 'typer', 'watchfiles') if name in sys.modules])",
    )
    await project.pool.start()
    reloaded = await project.heard(Reloaded)
    assert reloaded.modules[0].output == "[]\n"


async def test_a_run_asked_for_during_the_first_load_waits_for_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long that takes: nobody else has the workflow."""
    monkeypatch.setattr(pool, "SETTLE_SECONDS", 0.0)
    project.write("quick.py", 'quick = create_workflow("quick").step("go", lambda ctx: mark("gone"))')
    await project.pool.start()
    await project.pool.run("quick", {})
    await project.called("gone")


async def test_bad_input_and_unknown_workflows_are_refused(project: Project) -> None:
    """With every field's problem, or with what there is."""
    project.write(
        "shop.py", 'flow = create_workflow("typed").input(dict[str, int]).step("a", lambda ctx: None)'
    )
    await project.pool.start()
    with pytest.raises(RunnerRefused) as refused:
        await project.pool.run("typed", {"x": "no number"})
    assert refused.value.error == "InvalidInputError"
    assert refused.value.problems[0][0] == "x"
    with pytest.raises(RunnerRefused, match="Loaded workflows: typed"):
        await project.pool.run("other", {})
    with pytest.raises(RunnerRefused) as refused:
        await project.pool.resume("typed", "no-such-run")
    assert refused.value.error == "RunNotFoundError"


async def test_a_store_that_cannot_be_opened_refuses_runs_and_not_the_modules(project: Project) -> None:
    """The workflows are loaded; each run is told what is the matter."""
    project.write("shop.py", 'flow = create_workflow("flow").step("a", lambda ctx: None)')
    (project.folder / ".flux").mkdir()
    (project.folder / ".flux" / "flux.db").write_bytes(b"no database" * 1000)
    await project.pool.start()
    assert (await project.heard(Reloaded)).modules[0].workflows
    with pytest.raises(RunnerRefused) as refused:
        await project.pool.run("flow", {})
    assert "Storage" in refused.value.error or "Schema" in refused.value.error


async def test_a_failed_step_can_be_retried_on_fixed_code(project: Project) -> None:
    """The heart of it all: fail, save, retry from the failed step with the data it had."""
    text = """
        def first(ctx):
            mark("first")
            ctx.data.count = ctx.data.get("count", 0) + 1

        def second(ctx):
            mark("second")
            RAISE
            ctx.data.seen = ctx.data.count

        flow = create_workflow("order").step("first", first).step("second", second)
    """
    project.write("shop.py", text.replace("RAISE", "raise ValueError('declined')"))
    await project.pool.start()
    ended = await project.run_to_end("order")
    assert ended.status == "failed"
    project.write("shop.py", text.replace("RAISE", "pass"))
    await project.reload()
    plan = await project.pool.preview_retry("order", ended.run_id, "second")
    assert (plan["runs_again"], plan["changed_code"]) == (["second"], ["second"])
    project.events.clear()
    assert await project.pool.retry("order", ended.run_id, "second") == ended.run_id
    assert (await project.heard(RunEnded)).status == "completed"
    assert project.calls() == ["first", "second", "second"]
    assert project.trace()[-1]["data"] == {"count": 1, "seen": 1}


async def test_a_killed_runner_loses_and_repeats_no_completed_step(shop: Project) -> None:
    """It is reported with its runs, replaced at once, and the run goes on where it was."""
    run_id = await shop.pool.run("order", {})
    await shop.called("second")
    [pid] = pids_of(shop)
    os.kill(pid, signal.SIGKILL)
    died = await shop.heard(RunnerDied)
    assert died.run_ids == (run_id,)
    assert "killed by SIGKILL" in died.description
    await shop.heard(RunnerRestarted)
    shop.free()
    assert await shop.pool.resume("order", run_id) == run_id
    assert (await shop.heard(RunEnded)).status == "completed"
    assert shop.calls() == ["first", "second", "second"]
    assert shop.trace()[-1]["data"] == {"count": 1, "done": 1}


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("print('last words', flush=True); os._exit(3)", "exited with 3"),
        ("signal.raise_signal(signal.SIGSEGV)", "killed by SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "killed by SIGTERM"),
    ],
)
async def test_a_handler_that_ends_its_process_is_only_a_dead_runner(
    project: Project, deed: str, words: str
) -> None:
    """What it printed before is in the trace, and the next run works."""
    project.write(
        "shop.py",
        f"""
        def deadly(ctx):
            print("before")
            {deed}

        flow = create_workflow("deadly").step("deadly", deadly)
        ok = create_workflow("ok").step("ok", lambda ctx: None)
        """,
    )
    await project.pool.start()
    await project.pool.run("deadly", {})
    died = await project.heard(RunnerDied)
    assert words in died.description
    assert "before" in project.log()
    if "SIGSEGV" in words:
        assert "Segmentation fault" in died.output
        assert "in deadly" in died.output
    await project.heard(RunnerRestarted)
    assert (await project.run_to_end("ok")).status == "completed"


async def test_a_handler_that_raises_anything_only_fails_its_step(project: Project) -> None:
    """``sys.exit``, endless recursion and a lack of memory too, in a thread and on the event loop."""
    project.write(
        "shop.py",
        """
        def leave(ctx): sys.exit(3)
        def recurse(ctx): recurse(ctx)
        def base(ctx): raise BaseException("base")
        def memory(ctx): raise MemoryError
        async def async_leave(ctx): sys.exit(3)
        async def async_recurse(ctx): await async_recurse(ctx)
        async def async_base(ctx): raise BaseException("base")
        async def async_memory(ctx): raise MemoryError

        for name, handler in list(globals().items()):
            if callable(handler) and handler.__module__ == __name__ and handler not in (mark, until_free):
                globals()[f"{name}_flow"] = create_workflow(name).step("deed", handler)
        """,
    )
    await project.pool.start()
    names = [flow.name for flow in (await project.heard(Reloaded)).modules[0].workflows]
    assert len(names) == 8
    for name in names:
        assert (await project.run_to_end(name)).status == "failed"
    assert project.of(RunnerDied) == []


async def test_a_task_that_a_handler_leaves_behind_may_end_the_runner(project: Project) -> None:
    """As with ``sys.exit``, which ends the event loop: the run is handed back, the exit told."""
    project.write(
        "shop.py",
        """
        async def leave():
            sys.exit(4)

        async def careless(ctx):
            task = asyncio.create_task(leave())
            await asyncio.sleep(60)

        flow = create_workflow("careless").step("careless", careless)
        """,
    )
    await project.pool.start()
    await project.pool.run("careless", {})
    assert (await project.heard(RunEnded)).status == "interrupted"
    died = await project.heard(RunnerDied)
    assert "exited with 4" in died.description
    assert "in leave" in died.output
    await project.heard(RunnerRestarted)


async def test_a_handler_that_blocks_the_loop_is_reported_and_can_be_got_rid_of(project: Project) -> None:
    """With its place; restart kills it, and its run can be resumed."""
    project.write(
        "shop.py",
        """
        async def hang(ctx):
            mark("hang")
            until_free()

        flow = create_workflow("hang").step("hang", hang)
        """,
    )
    await project.pool.start()
    run_id = await project.pool.run("hang", {})
    blocked = await project.heard(Blocked)
    assert blocked.seconds >= 0.5
    assert (blocked.run_id, blocked.step) == (run_id, "hang")
    assert ":until_free" in blocked.where
    assert str(project.folder / "shop.py") in blocked.where
    await project.pool.restart()
    await project.heard(RunnerRestarted)
    assert (await project.heard(RunEnded)).status == "interrupted"
    assert project.of(Blocked)[-1].seconds == 0
    project.free()
    assert await project.pool.resume("hang", run_id) == run_id
    await until(lambda: project.of(RunEnded)[-1].status == "completed", lambda: str(project.events))
    assert project.calls() == ["hang", "hang"]
    assert project.of(RunnerDied) == []


async def test_the_loop_that_turns_again_is_reported_too(project: Project) -> None:
    """With no seconds."""
    project.write(
        "shop.py", "async def slow(ctx):\n    until_free()\nflow = create_workflow('slow').step('slow', slow)"
    )
    await project.pool.start()
    await project.pool.run("slow", {})
    await project.heard(Blocked)
    project.free()
    assert (await project.heard(RunEnded)).status == "completed"
    await until(lambda: project.of(Blocked)[-1].seconds == 0, lambda: str(project.events))


async def test_a_run_in_hand_ends_on_the_code_it_began_with(shop: Project) -> None:
    """The old runner drains and goes; new runs are on the new code."""
    run_id = await shop.pool.run("order", {})
    await shop.called("second")
    [old] = pids_of(shop)
    shop.write("shop.py", 'flow = create_workflow("order").step("first", lambda ctx: mark("new"))')
    await shop.reload()
    new = await shop.run_to_end("order")
    assert shop.calls() == ["first", "second", "new"]
    shop.free()
    await until(lambda: len(shop.of(RunEnded)) == 2, lambda: str(shop.events))
    ended = shop.of(RunEnded)[-1]
    assert (ended.run_id, ended.status) == (run_id, "completed")
    assert new.status == "completed"
    await until(lambda: not is_alive(old), lambda: "the old runner to end")
    assert shop.of(RunnerDied) == []


async def test_a_module_that_breaks_still_runs_on_its_last_good_code(shop: Project) -> None:
    """It is stale; the other modules are loaded anew, and once it is fixed the old runner goes."""
    shop.free()
    shop.write("other.py", 'flow = create_workflow("other").step("a", lambda ctx: mark("other-1"))')
    await shop.reload()
    (shop.folder / "shop.py").write_text("import flux_engine\ndef broken(:\n")
    shop.write("other.py", 'flow = create_workflow("other").step("a", lambda ctx: mark("other-2"))')
    reloaded = await shop.reload()
    assert reloaded.stale == ("order",)
    broken = next(module for module in reloaded.modules if module.problem)
    assert (broken.problem.kind, broken.problem.line) == ("SyntaxError", 2)
    assert (await shop.run_to_end("order")).status == "completed"
    assert (await shop.run_to_end("other")).status == "completed"
    assert shop.calls() == ["first", "second", "other-2"]
    shop.write("shop.py", 'flow = create_workflow("order").step("a", lambda ctx: mark("fixed"))')
    assert (await shop.reload()).stale == ()
    await shop.run_to_end("order")
    assert shop.calls()[-1] == "fixed"
    await until(lambda: len(shop.pool._members) <= 2, lambda: f"old runners to go: {shop.pool._members}")
    (shop.folder / "other.py").unlink()
    await shop.reload()
    with pytest.raises(RunnerRefused, match="No workflow 'other'"):
        await shop.pool.run("other", {})


async def test_a_module_that_ends_its_process_on_import_is_left_out(shop: Project) -> None:
    """It is reported once, as the module's problem, and the others are loaded."""
    deadly = shop.write("deadly.py", "print('about to die'); os._exit(7)")
    reloaded = await shop.reload()
    problems = {module.path: module.problem for module in reloaded.modules if module.problem}
    assert list(problems) == [str(deadly)]
    assert "exited with 7" in problems[str(deadly)].message
    assert str(deadly) in reloaded.files
    assert len(shop.of(RunnerDied)) == 1
    assert "while it imported" in shop.of(RunnerDied)[0].description
    shop.free()
    assert (await shop.run_to_end("order")).status == "completed"
    deadly.unlink()
    assert not any(module.problem for module in (await shop.reload()).modules)


async def test_a_module_that_hangs_on_import_is_named_and_replaced_by_the_next_save(
    shop: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile the last good code runs."""
    monkeypatch.setattr("flux_tui.runner.pool.STILL_LOADING_SECONDS", 0.5)
    monkeypatch.setattr("flux_tui.runner.pool.SETTLE_SECONDS", 0.1)
    shop.write("hang.py", "while True: time.sleep(0.01)")
    await shop.pool.reload()
    still = await shop.heard(StillLoading)
    assert still.path == str(shop.folder / "hang.py")
    shop.free()
    assert (await shop.run_to_end("order")).status == "completed"
    (shop.folder / "hang.py").unlink()
    reloaded = await shop.reload()
    assert [Path(module.path).name for module in reloaded.modules] == ["shop.py"]
    assert shop.of(RunnerDied) == []


async def test_many_saves_at_once_end_with_the_latest_code(shop: Project) -> None:
    """Several requests share a load; the last save counts."""
    before = len(shop.of(Reloaded))
    for number in range(10):
        shop.write("shop.py", f'flow = create_workflow("order").step("a", lambda ctx: mark("v{number}"))')
        await shop.pool.reload()
    await shop.run_to_end("order")
    assert shop.calls() == ["v9"]
    assert len(shop.of(Reloaded)) - before <= 2


async def test_a_runner_that_keeps_dying_by_itself_is_not_restarted_for_ever(project: Project) -> None:
    """It waits for the next save."""
    flow = "flow = create_workflow('f').step('a', lambda ctx: None)\n"
    project.write("shop.py", flow + "threading.Timer(0.05, lambda: os._exit(9)).start()")
    await project.pool.start()
    last = await project.heard(RunnerDied, 3)
    assert "A save or a restart" in last.description
    project.write("shop.py", flow)
    await project.reload()
    assert (await project.run_to_end("f")).status == "completed"


async def test_output_outside_steps_is_told(project: Project) -> None:
    """As of a thread that a module starts."""
    project.write("shop.py", "threading.Timer(0.2, lambda: print('from the background')).start()")
    await project.pool.start()
    output = await project.heard(Output)
    assert (output.stream, output.text) == ("stdout", "from the background")


async def test_stopping_hands_runs_back_at_a_step_boundary(shop: Project) -> None:
    """The step under way ends, the next is not begun, and the run can be resumed."""
    shop.write(
        "shop.py",
        """
        def first(ctx):
            mark("first")
            time.sleep(0.2)

        flow = create_workflow("order").step("first", first).step("second", lambda ctx: mark("second"))
        """,
    )
    await shop.reload()
    run_id = await shop.pool.run("order", {})
    await shop.called("first")
    await shop.pool.stop()
    assert shop.calls() == ["first"]
    again = Project(shop.folder)
    await again.pool.start()
    try:
        await again.pool.resume("order", run_id)
        assert (await again.heard(RunEnded)).status == "completed"
    finally:
        await again.pool.stop()
    assert shop.calls() == ["first", "second"]


@pytest.mark.parametrize("form", ["def", "async def"])
async def test_the_runner_ends_when_the_dashboard_is_killed(tmp_path: Path, form: str) -> None:
    """Even while a handler blocks its main thread, and would for ever."""
    project = Project(tmp_path)
    project.write(
        "shop.py",
        f"""
        {form} hang(ctx):
            mark(f"pid-{{os.getpid()}}")
            until_free()

        flow = create_workflow("hang").step("hang", hang)
        """,
    )
    script = textwrap.dedent(f"""
        import asyncio
        from flux_tui.runner.config import decode_config
        from flux_tui.runner.pool import RunnerPool

        async def main():
            pool = RunnerPool(decode_config({project.config.encode()!r}), lambda event: None)
            await pool.start()
            await pool.run("hang", {{}})
            await asyncio.sleep(3600)

        asyncio.run(main())
    """)
    dashboard = await asyncio.create_subprocess_exec(sys.executable, "-c", script, cwd=tmp_path)
    try:
        await until(lambda: any(call.startswith("pid-") for call in project.calls()), lambda: "the handler")
        [pid] = [int(call.removeprefix("pid-")) for call in project.calls()]
        dashboard.send_signal(signal.SIGKILL)
        await until(lambda: not is_alive(pid), lambda: "the runner to end")
    finally:
        project.free()
        with contextlib.suppress(ProcessLookupError):
            dashboard.kill()
        await dashboard.wait()


class Listener:
    """Keeps what a single process reports."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.gone = False

    def reported(self, runner: RunnerProcess, report: Report) -> None:
        """Take a report."""
        self.reports.append(report)

    def ended(self, runner: RunnerProcess) -> None:
        """Take note of the end."""
        self.gone = True


async def test_a_line_that_is_no_report_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what comes after it is understood."""
    fake = tmp_path / "fake.py"
    loaded = '{"type":"loaded","modules":[],"files":[],"milliseconds":1}'
    fake.write_text(f"#!/bin/sh\nprintf '%s\\n' 'garbage' '{{\"type\": 1}}' '{loaded}'\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    listener = Listener()
    runner = await RunnerProcess.spawn(RunnerConfig(root=str(tmp_path), db="x"), listener)
    await runner.wait()
    assert runner.garbage == 2
    assert [type(report) for report in listener.reports] == [Loaded]
    assert "garbage" in runner.output
    assert listener.gone


async def test_a_runner_of_another_version_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says what to do, and nothing is tried over and over."""
    monkeypatch.setattr("flux_tui.runner.pool.PROTOCOL", 99)
    await project.pool.start()
    died = await project.heard(RunnerDied)
    assert "close the dashboard and start it again" in died.description
    await until(lambda: not project.pool.is_loading, lambda: "the load to be given up")
    assert len(project.of(RunnerDied)) == 1


async def test_a_runner_in_which_nothing_was_loaded_ends_at_once_when_told(tmp_path: Path) -> None:
    """Its exit is a good one."""
    listener = Listener()
    runner = await RunnerProcess.spawn(RunnerConfig(root=str(tmp_path), db=str(tmp_path / "db")), listener)
    with contextlib.suppress(TimeoutError):
        await runner.stop(5)
    assert runner.exit_words == "exited with 0"
    runner.send(Load(paths=[]))


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exited with 0"), (3, "exited with 3"), (-11, "killed by SIGSEGV"), (None, "still running")],
)
def test_an_exit_is_told_in_words(code: int | None, words: str) -> None:
    """As people say it."""
    assert exit_words(code) == words
