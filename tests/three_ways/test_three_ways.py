"""The same program three ways: on SQLite, PostgreSQL and Restate, the same results and the same trace.

``parcels.parcel_flow`` is one object, imported once and run in all three. Each scenario is played on SQLite
and on the other place, and everything is compared but ids, times and the order in which steps that run at
the same time take turns. What is different on Restate, and has to be, has a test of its own below.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from comparing import standing, told
from parcels import parcel_flow
from places import ENDED, until
from restate_server import free_port

from flux_engine import (
    InvalidInputError,
    InvalidTransitionError,
    RunNotFoundError,
    SignalMismatchError,
    StepNotFoundError,
)

PROGRAMS = Path(__file__).parents[2] / "examples" / "three_ways"
ENDINGS = ("workflow:complete", "workflow:error", "workflow:cancel")
HEAVY = {"kilos": 30, "abroad": True}


async def sent(place, run_id):
    """Branch, concurrent questions with a retry and a time-out, join, sleep, commit."""
    await place.start({}, run_id)
    return [await place.until(run_id, *ENDED)]


async def approved(place, run_id):
    """The other branch; a wait, a signal of another name, the right one, one too many."""
    await place.start(HEAVY, run_id)
    await place.until(run_id, "suspended")
    with pytest.raises(SignalMismatchError):
        await place.signal(run_id, "refusal", {})
    await place.signal(run_id, "approval", {"by": "ada"})
    ended = await place.until(run_id, *ENDED)
    with pytest.raises(InvalidTransitionError):
        await place.signal(run_id, "approval", {"by": "bob"})
    return [ended]


async def not_approved(place, run_id):
    """A wait whose time is over fails its step."""
    await place.start(HEAVY | {"patience": 0.1}, run_id)
    return [await place.until(run_id, "failed")]


async def refused(place, run_id):
    """A step that fails for good: what was done is taken back in reverse, with retries."""
    await place.start({"carrier": "refuses"}, run_id)
    return [await place.until(run_id, *ENDED)]


async def cancelled_while_it_waits(place, run_id):
    """Nothing is taken back by a cancel."""
    await place.start(HEAVY, run_id)
    await place.until(run_id, "suspended")
    await place.cancel(run_id)
    return [await place.until(run_id, "cancelled")]


async def cancelled_in_a_step(place, run_id):
    """The handler under way is cancelled."""

    def handing_over():
        kinds = [(event["type"], event.get("stepName")) for event in place.events(run_id)]
        return ("step:start", "hand-over") in kinds

    await place.start({"carrier": "is late"}, run_id)
    await until(handing_over, "the step to start")
    await place.cancel(run_id)
    return [await place.until(run_id, "cancelled")]


async def forked(place, run_id):
    """A new run from a step, with other data; the first one stays as it is. No such step, no such run."""
    await place.start({}, run_id)
    await place.until(run_id, *ENDED)
    forked = await place.fork(run_id, "choose", {"surcharge": 1})
    with pytest.raises(StepNotFoundError):
        await place.fork(run_id, "nowhere", {})
    with pytest.raises(RunNotFoundError):
        await place.fork(f"{run_id}-no", "choose", {})
    return [await place.until(forked, *ENDED), await place.until(run_id, *ENDED)]


async def forked_after_a_failure(place, run_id):
    """What was taken back before the failure is done again in the new run."""
    await place.start({"carrier": "refuses"}, run_id)
    await place.until(run_id, "failed")
    forked = await place.fork(run_id, "book", {"bribe": True})
    return [await place.until(forked, *ENDED), await place.until(run_id, *ENDED)]


SCENARIOS = [
    *(sent, approved, not_approved, refused),
    *(cancelled_while_it_waits, cancelled_in_a_step, forked, forked_after_a_failure),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
@pytest.mark.parametrize("name", ["postgres", "restate"])
async def test_a_scenario_comes_to_the_same(place_named, run_id, scenario, name):
    """Status, data, history, errors, and the trace."""
    runs, traces = {}, {}
    for where in ("sqlite", name):
        async with place_named(where) as place:
            states = await scenario(place, run_id)
            runs[where] = [standing(state) for state in states]
            ids = [state.id for state in states]
            for each in ids:  # what is told is stored before
                await until(lambda each=each: place.events(each)[-1]["type"] in ENDINGS, f"the end of {each}")
            traces[where] = [told(place.events(each), ids) for each in ids]
    assert runs[name] == runs["sqlite"]
    for there, here in zip(traces[name], traces["sqlite"], strict=True):
        assert here[0]["type"] == "workflow:start"
        assert [kind(event) for event in there] == [kind(event) for event in here]
        assert there == here


def kind(event):
    """Return what an event tells, of which step."""
    return event["type"], event.get("stepName"), event.get("attempt")


@pytest.mark.parametrize("name", ["sqlite", "postgres", "restate"])
async def test_a_key_starts_one_run(place_named, run_id, name):
    """Started twice with the key, the run is one, and the booking is made once."""
    async with place_named(name) as place:
        ids = {await place.start_keyed({}, run_id) for _ in range(2)}
        (only,) = ids
        run = await place.until(only, *ENDED)
        assert run.step("book").output == run.data["booking"]["key"] == f"{only}:book"
        assert [kind(event)[:2] for event in place.events(only)].count(("step:start", "book")) == 1


@pytest.mark.parametrize("name", ["sqlite", "postgres", "restate"])
async def test_the_program_of_each_place_says_the_same(request, tmp_path, name):
    """The programs of the example, in processes of their own."""
    settings = {"FLUX_DB": "", "PORT": str(free_port())}
    if name == "postgres":
        settings["FLUX_DB"] = request.getfixturevalue("postgres_dsn")
    if name == "restate":
        settings["RESTATE_ADMIN"] = request.getfixturevalue("restate_server").admin_url
    program = [sys.executable, PROGRAMS / f"on_{name}.py"]
    done = subprocess.run(
        program,
        cwd=tmp_path,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("completed P-1 by van, approved by ada\n", 0), done.stderr


def test_nothing_in_the_definition_says_where_it_runs():
    """The module of the workflow imports neither a store nor an adapter."""
    text = (PROGRAMS / "parcels.py").read_text()
    assert not any(word in text for word in ("Storage", "Engine", "integrations", "psycopg"))


# What is different on Restate


async def test_an_input_that_does_not_fit(place_named, run_id):
    """No run on an engine; on Restate, which takes the call before the service, a failed one and no trace."""
    wrong = {"kilos": -1, "carrier": "eats it"}
    async with place_named("sqlite") as place:
        with pytest.raises(InvalidInputError) as raised:
            await place.engine.execute(parcel_flow, wrong, run_id=run_id)
        with pytest.raises(RunNotFoundError):
            await place.engine.get(run_id)
    async with place_named("restate") as place:
        await place.start(wrong, run_id)

        async def ended():
            found = await place.client.run(run_id)
            return found if found.invocation.ended else None

        run = await until(ended, "the call to end")
        assert (run.record.status, run.entries, place.events(run_id)) == ("failed", (), [])
        for problem in ("kilos", "carrier"):
            assert problem in str(raised.value)
            assert problem in run.record.error_summary


@pytest.mark.parametrize("name", ["postgres", "restate"])
async def test_a_retry_in_place_and_a_fork_come_to_the_same(place_named, run_id, name):
    """``retry_step`` goes on in the same run; Restate runs a key once, so there a fork takes its place."""
    async with place_named("sqlite") as place:
        await place.start({"carrier": "refuses"}, run_id)
        await place.until(run_id, "failed")
        await place.engine.retry_step(parcel_flow, run_id, "book", data={"bribe": True})
        retried = await place.until(run_id, "completed")
    async with place_named(name) as place:
        await place.start({"carrier": "refuses"}, run_id)
        await place.until(run_id, "failed")
        if name == "restate":
            assert not hasattr(place.client, "retry_step")
            other = await place.until(await place.fork(run_id, "book", {"bribe": True}), *ENDED)
        else:
            await place.engine.retry_step(parcel_flow, run_id, "book", data={"bribe": True})
            other = await place.until(run_id, "completed")
    assert standing(other)["data"] == standing(retried)["data"]
    assert [step.status for step in other.history] == [step.status for step in retried.history]
    assert retried.step("book").attempts == 2
    assert other.step("book").attempts == (1 if name == "restate" else 2)
