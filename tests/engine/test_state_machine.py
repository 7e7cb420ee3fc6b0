"""Random programs of verbs on small workflows, against a plain model of what they promise."""

import asyncio
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from flux_engine import (
    FluxEngine,
    FluxSilentLogger,
    InvalidTransitionError,
    MemoryStorage,
    OwnershipLostError,
    RunBusyError,
    RunExistsError,
    RunNotFoundError,
    SignalMismatchError,
    SQLiteStorage,
    create_workflow,
    wait,
)
from flux_engine.testing import ManualClock

SHAPES = {
    "chain": [("a", (), "step"), ("b", ("a",), "commit"), ("c", ("b",), "step")],
    "mixed": [
        ("a", (), "step"),
        ("never", ("a",), "skip"),
        ("ask", ("never",), "wait"),
        ("b", ("ask",), "commit"),
        ("c", ("b",), "step"),
    ],
    "diamond": [
        ("a", (), "step"),
        ("left", ("a",), "step"),
        ("right", ("a",), "commit"),
        ("b", ("left", "right"), "commit"),
        ("c", ("b",), "step"),
    ],
    "branches": [
        ("a", (), "step"),
        ("ask", ("a",), "wait"),
        ("left", ("a",), "commit"),
        ("c", ("ask", "left"), "step"),
    ],
}
STEPS = sorted({name for shape in SHAPES.values() for name, _, _ in shape})
DONE = {"completed", "skipped"}
ENDED = {"completed", "failed", "cancelled"}


def describe(attempt, data):
    """Return what a handler stores: which attempt it was, and which data it was given."""
    return f"{attempt}|" + ",".join(f"{key}={value.split('|')[0]}" for key, value in sorted(data.items()))


class StepModel:
    """Where a step stands. ``given`` names the results that there were when it was first started."""

    def __init__(self):
        self.status = "pending"
        self.attempts = 0
        self.log = []
        self.value = None
        self.edit = {}
        self.given = None


class RunModel:
    """A run, moved wave by wave: all steps that are ready run at the same time."""

    def __init__(self, run_id, shape):
        self.id = run_id
        self.shape = shape
        self.after = {name: after for name, after, _ in SHAPES[shape]}
        self.kinds = {name: kind for name, _, kind in SHAPES[shape]}
        self.steps = {name: StepModel() for name in self.after}
        self.status = "pending"

    def ancestors(self, name):
        found = set(self.after[name])
        return found.union(*(self.ancestors(before) for before in found))

    def descendants(self, name):
        return {other for other in self.after if name in self.ancestors(other)}

    def done(self):
        return {name for name, step in self.steps.items() if step.status in DONE}

    def waiting(self):
        return [name for name, step in self.steps.items() if step.status == "suspended"]

    def data_of(self, names):
        data = {}
        for name in names:
            step = self.steps[name]
            data |= step.edit | (
                {} if step.value is None or step.status != "completed" else {name: step.value}
            )
        return data

    def data(self):
        return self.data_of(self.done())

    def visible(self, name):
        """Return the results that a step is given: those it was given first, and those it depends on."""
        step = self.steps[name]
        known = self.done() - self.descendants(name) - {name}
        return known if step.given is None else known & (step.given | self.ancestors(name))

    def before(self, name):
        return self.data_of(self.visible(name)) | self.steps[name].edit

    def move(self, broken, *, only=None, force=None, stuck=None):
        """Go on until nothing more can be done, or only the ``stuck`` step is left running."""
        self.status = "running"
        self.interrupt()
        taken, failed = set(), False
        while True:
            wave = [name for name in self.after if name not in taken and self.is_ready(name, only)]
            if failed or not wave:
                break
            taken |= set(wave)
            given = {name: self.before(name) for name in wave}
            done = frozenset(self.done())
            for name in wave:
                failed |= self.run(name, given[name], done, broken, force=force, stuck=stuck)
        if "running" not in {step.status for step in self.steps.values()}:
            self.conclude()

    def is_ready(self, name, only):
        if only is not None:
            return name == only
        return self.steps[name].status not in DONE and self.ancestors(name) <= self.done()

    def run(self, name, data, done, broken, *, force, stuck):
        step, kind = self.steps[name], self.kinds[name]
        if step.status == "suspended":
            return False
        if kind == "skip" and force != name:
            step.status, step.value = "skipped", None
            return False
        step.attempts += 1
        step.given = done if step.given is None else step.given
        if name == stuck:
            step.status = "running"
        elif name in broken:
            step.status = "failed"
        else:
            step.value = describe(step.attempts, data)
            step.status = "suspended" if kind == "wait" else "completed"
        step.log.append(step.status)
        return step.status == "failed"

    def conclude(self, *, asked=False):
        statuses = {step.status for step in self.steps.values()}
        if "failed" in statuses:
            self.status = "failed"
        elif statuses <= DONE:
            self.status = "completed"
        elif "suspended" in statuses and not asked:
            self.status = "suspended"
        else:
            self.status = "paused"

    def interrupt(self, *, waiting=False):
        """The attempts under way are cancelled, and with ``waiting`` those that wait."""
        for step in self.steps.values():
            if step.status == "running" or (waiting and step.status == "suspended"):
                step.status = step.log[-1] = "cancelled"

    def supersede(self, target, scope, edit, *, keep_commits):
        again = {target}
        if scope == "downstream":
            reused = {n for n in self.done() if keep_commits and self.kinds[n] == "commit"}
            again |= (self.descendants(target) - reused) | (set(self.after) - self.done())
        for name in again:
            step = self.steps[name]
            step.status = "pending"
            if name != target:
                step.edit, step.given = {}, None
        self.steps[target].edit = self.steps[target].edit | edit
        self.interrupt()

    def fork(self, run_id, target, edit):
        new = RunModel(run_id, self.shape)
        for name in self.visible(target):
            old, step = self.steps[name], new.steps[name]
            step.status, step.value, step.edit, step.given = old.status, old.value, old.edit, old.given
            if old.status == "completed":
                step.attempts, step.log = old.attempts, ["completed"]
        new.steps[target].edit = self.steps[target].edit | edit
        return new


class Verbs(RuleBasedStateMachine):
    """Plays the verbs on a store and on the model."""

    runs = Bundle("runs")

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.broken = set()
        self.stuck = None
        self.started = asyncio.Event()
        self.release = asyncio.Event()
        self.clock = ManualClock()
        self.flows = {shape: self.workflow(shape) for shape in SHAPES}
        self.folder = tempfile.TemporaryDirectory()
        storage = self.make_storage(Path(self.folder.name))
        self.ids = (f"run-{n}" for n in range(1000))
        self.engines = [
            FluxEngine(
                storage=storage,
                clock=self.clock,
                default_retries=0,
                logger=FluxSilentLogger(),
                ids=lambda: next(self.ids),
            )
            for _ in range(2)
        ]
        self.models = {}

    def make_storage(self, folder):
        return MemoryStorage()

    def teardown(self):
        async def close():
            for engine in self.engines:
                await engine.close()

        self.runner.run(close())
        self.runner.close()
        self.folder.cleanup()

    def workflow(self, shape):
        flow = create_workflow(shape)
        for name, after, kind in SHAPES[shape]:
            add = flow.commit if kind == "commit" else flow.step
            options = {"when": lambda ctx: False} if kind == "skip" else {}
            add(name, self.handler(name, kind), after=after, **options)
        return flow

    def handler(self, name, kind):
        async def handle(ctx):
            if self.stuck == name:
                self.started.set()
                await self.release.wait()
            if name in self.broken:
                raise ValueError(name)
            ctx.data[name] = describe(ctx.attempt, dict(ctx.data))
            return wait(f"for {name}") if kind == "wait" else name

        return handle

    def flow(self, run):
        return self.flows[run.shape]

    def step(self, run, n):
        return list(run.steps)[n % len(run.steps)]

    def do(self, making, expected=None):
        """Await a verb; it must raise the expected error, if there is one."""

        async def play():
            return await making

        if expected is None:
            return self.runner.run(play())
        with pytest.raises(expected):
            self.runner.run(play())
        return None

    def moved(self, run, result):
        assert (result.status, dict(result.data)) == (run.status, run.data())

    # The rules

    @rule(step=st.sampled_from(STEPS))
    def break_or_mend(self, step):
        """A handler raises from now on, or no longer."""
        self.broken ^= {step}

    @rule(target=runs, shape=st.sampled_from(sorted(SHAPES)), engine=st.integers(0, 1))
    def execute(self, shape, engine):
        run = RunModel(next(self.ids), shape)
        self.models[run.id] = run
        run.move(self.broken)
        self.moved(run, self.do(self.engines[engine].execute(self.flow(run), run_id=run.id)))
        self.do(self.engines[engine].execute(self.flow(run), run_id=run.id), RunExistsError)
        return run

    @rule(run=runs, engine=st.integers(0, 1))
    def resume(self, run, engine):
        if run.status in {"completed", "cancelled"}:
            self.do(self.engines[engine].resume(self.flow(run), run.id), InvalidTransitionError)
            return
        run.move(self.broken)
        self.moved(run, self.do(self.engines[engine].resume(self.flow(run), run.id)))

    @rule(
        run=runs,
        n=st.integers(0, 4),
        scope=st.sampled_from(["downstream", "only"]),
        note=st.none() | st.sampled_from("xyz"),
        keep_commits=st.booleans(),
        ignore_when=st.booleans(),
        engine=st.integers(0, 1),
    )
    def retry_step(self, run, n, scope, note, *, keep_commits, ignore_when, engine):
        step = self.step(run, n)
        edit = {} if note is None else {f"edit of {step}": note}
        plan = self.do(
            self.engines[1 - engine].preview_retry(
                self.flow(run), run.id, step, scope=scope, keep_commits=keep_commits
            )
        )
        run.supersede(step, scope, edit, keep_commits=keep_commits)
        assert set(run.steps) - set(plan.runs_again) - run.done() == (
            set() if scope == "downstream" else set(run.steps) - {step} - run.done()
        )
        assert not set(plan.runs_again) & run.done()
        run.move(self.broken, only=step if scope == "only" else None, force=step if ignore_when else None)
        retrying = self.engines[engine].retry_step(
            self.flow(run),
            run.id,
            step,
            scope=scope,
            data=edit or None,
            keep_commits=keep_commits,
            ignore_when=ignore_when,
        )
        self.moved(run, self.do(retrying))

    @rule(target=runs, run=runs, n=st.integers(0, 4), note=st.none() | st.just("f"), engine=st.integers(0, 1))
    def fork(self, run, n, note, engine):
        step = self.step(run, n)
        edit = {} if note is None else {f"edit of {step}": note}
        result = self.do(self.engines[engine].fork(self.flow(run), run.id, step, data=edit or None))
        new = run.fork(result.id, step, edit)
        self.models[new.id] = new
        new.move(self.broken)
        self.moved(new, result)
        return new

    @rule(run=runs, right=st.booleans(), engine=st.integers(0, 1))
    def signal(self, run, right, engine):
        waiting = run.waiting()
        name = f"for {waiting[0]}" if waiting and right else "another"
        sending = self.engines[engine].signal(self.flow(run), run.id, name, "payload")
        if run.status in ENDED or not waiting:
            self.do(sending, InvalidTransitionError)
        elif not right:
            self.do(sending, SignalMismatchError)
        else:
            step = run.steps[waiting[0]]
            step.status = step.log[-1] = "completed"
            run.move(self.broken)
            self.moved(run, self.do(sending))

    @rule(run=runs, verb=st.sampled_from(["pause", "cancel"]), engine=st.integers(0, 1))
    def stop(self, run, verb, engine):
        stopping = getattr(self.engines[engine], verb)(run.id)
        if run.status not in ({"running"} if verb == "pause" else {"running", "paused", "suspended"}):
            self.do(stopping, InvalidTransitionError)
            return
        run.interrupt(waiting=verb == "cancel")
        run.status = "paused" if verb == "pause" else "cancelled"
        assert self.do(stopping).status == run.status

    @rule(run=consumes(runs), really=st.booleans(), engine=st.integers(0, 1))
    def delete(self, run, really, engine):
        """Or not: a run that is left out of the play must stay as it is."""
        if really:
            self.do(self.engines[engine].delete(run.id))
            del self.models[run.id]
            for verb in (
                self.engines[engine].get(run.id),
                self.engines[engine].delete(run.id),
                self.engines[engine].resume(self.flow(run), run.id),
                self.engines[engine].cancel(run.id),
            ):
                self.do(verb, RunNotFoundError)

    @rule(
        run=runs,
        n=st.integers(0, 4),
        end=st.sampled_from(["interrupt", "pause", "cancel", "take over"]),
        engine=st.integers(0, 1),
    )
    def stop_in_the_middle(self, run, n, end, engine):
        """Retry a run, and while a step of it runs refuse all others; then stop it in some way."""
        step = self.step(run, n)
        if run.kinds[step] == "skip":
            return
        run.supersede(step, "downstream", {}, keep_commits=False)
        run.move(self.broken, stuck=step)
        if run.steps[step].status != "running":  # one before it fails or waits
            self.moved(run, self.do(self.engines[engine].retry_step(self.flow(run), run.id, step)))
            return
        self.runner.run(self._in_the_middle(run, step, end, self.engines[engine], self.engines[1 - engine]))

    async def _in_the_middle(self, run, step, end, engine, other):
        self.stuck = step
        self.started.clear()
        self.release.clear()
        moving = asyncio.ensure_future(engine.retry_step(self.flow(run), run.id, step))
        await self.started.wait()
        self.stuck = None
        await self._stored(run, other)
        await self._refused(run, engine, other)
        if end == "interrupt":
            moving.cancel()
            run.interrupt()
            with pytest.raises(asyncio.CancelledError):
                await moving
        elif end == "cancel":
            run.interrupt(waiting=True)
            run.status = "cancelled"
            assert (await engine.cancel(run.id)).status == "cancelled"
            self.moved(run, await moving)
        elif end == "pause":
            pausing = asyncio.ensure_future(engine.pause(run.id))
            await asyncio.sleep(0)
            self.release.set()
            self._finish(run, step)
            assert (await pausing).status == run.status
            self.moved(run, await moving)
        else:
            self.clock.advance(3600)
            run.move(self.broken)
            self.moved(run, await other.resume(self.flow(run), run.id))
            self.release.set()
            with pytest.raises(OwnershipLostError):
                await moving

    def _finish(self, run, name):
        """The step that was stuck comes to its end, and nothing further is begun."""
        step = run.steps[name]
        if name in self.broken:
            step.status = "failed"
        else:
            step.value = describe(step.attempts, run.before(name))
            step.status = "suspended" if run.kinds[name] == "wait" else "completed"
        step.log[-1] = step.status
        run.conclude(asked=True)

    async def _stored(self, run, other):
        """Wait until the store has what the model has, while the step is still running."""
        patience = 1000
        while self.seen(await other.get(run.id)) != self.expected(run) and patience:
            await asyncio.sleep(0.001)
            patience -= 1
        assert self.seen(await other.get(run.id)) == self.expected(run)

    async def _refused(self, run, engine, other):
        flow = self.flow(run)
        for one in (engine, other):
            for verb in (one.resume(flow, run.id), one.retry_step(flow, run.id, "a"), one.delete(run.id)):
                with pytest.raises(RunBusyError):
                    await verb
        error = SignalMismatchError if run.waiting() else RunBusyError
        with pytest.raises(error):
            await engine.signal(flow, run.id, "another")

    # What must hold after each

    def seen(self, state):
        steps = {
            step.name: (str(step.status), step.attempts, [str(a.status) for a in step.attempt_log])
            for step in state.history
        }
        return str(state.status), steps, state.data

    def expected(self, run):
        steps = {name: (step.status, step.attempts, step.log) for name, step in run.steps.items()}
        return run.status, steps, run.data()

    @invariant()
    def the_store_says_what_the_model_says(self):
        for run in self.models.values():
            state = self.do(self.engines[0].get(run.id))
            assert self.seen(state) == self.expected(run)
            assert state.interrupted == (run.status == "running")
            failed = {name for name, step in run.steps.items() if step.status == "failed"}
            assert (state.error is not None) >= (run.status == "failed")
            assert state.error is None or state.error.step in failed
            for name, step in run.steps.items():
                assert state.data_before(name) == run.before(name)
                assert state.step(name).edit.set == step.edit
                if step.status == "completed":
                    assert state.data_after(name) == run.before(name) | {name: step.value}

    @invariant()
    def the_list_is_that_of_the_model(self):
        rows = self.do(self.engines[1].list())
        assert {(row.id, str(row.status)) for row in rows} == {(r.id, r.status) for r in self.models.values()}
        failed = self.do(self.engines[1].list(status="failed"))
        assert {row.id for row in failed} == {r.id for r in self.models.values() if r.status == "failed"}


class VerbsOnSQLite(Verbs):
    """The same on a file."""

    def make_storage(self, folder):
        return SQLiteStorage(folder / "flux.db", durability="normal")


EXAMPLES = int(os.environ.get("FLUX_TEST_EXAMPLES", "150"))


def profile(examples):
    """Return settings that play the same programs each time."""
    return settings(
        max_examples=examples,
        stateful_step_count=25,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


class TestInMemory(Verbs.TestCase):
    settings = profile(EXAMPLES)


class TestOnSQLite(VerbsOnSQLite.TestCase):
    settings = profile(max(1, EXAMPLES // 4))
