"""Workflows as functions of Azure, declared and called as its worker does.

The worker itself is not on PyPI for the Python that this is tested with. What it does is done here with the
types and converters of ``azure-functions`` that it uses: it asks the app for its functions, holds each
signature against the bindings, converts what the host sends, calls a coroutine function on its event loop
and a plain one in a thread, with the bindings as keyword arguments, and converts the answer.
"""

import asyncio
import functools
import importlib
import inspect
import json
import sys
import typing
from types import SimpleNamespace

import pytest

func = pytest.importorskip("azure.functions")
from azure.functions import meta  # noqa: E402
from azure.functions.http import HttpRequestConverter, HttpResponseConverter  # noqa: E402
from azure.functions.queue import QueueMessageInConverter  # noqa: E402

from flux_engine.integrations import azure_functions  # noqa: E402
from flux_engine.integrations.answers import RefusedError  # noqa: E402


@pytest.fixture
def app(tmp_path, monkeypatch):
    """A function app as a user writes it, with its folder."""
    monkeypatch.setenv("FLUX_TEST_FOLDER", str(tmp_path))
    sys.modules.pop("cloud_workflows", None)
    flows = importlib.import_module("cloud_workflows")
    made = []

    def make_engine():
        made.append(flows.make_engine())
        return made[-1]

    application = func.FunctionApp()
    answer = azure_functions.http_function(make_engine, flows.WORKFLOWS, max_bytes=10_000, seconds=20)
    answer_sync = azure_functions.http_function_sync(make_engine, flows.WORKFLOWS)
    hasty = azure_functions.http_function(make_engine, flows.WORKFLOWS, seconds=0.8)
    take = azure_functions.queue_function(make_engine, flows.WORKFLOWS)
    take_sync = azure_functions.queue_function_sync(make_engine, flows.WORKFLOWS)

    @application.route(route="runs", methods=["POST"])
    async def runs(req: func.HttpRequest) -> func.HttpResponse:
        return await answer(req)

    @application.route(route="plain", methods=["POST"])
    def plain(req: func.HttpRequest) -> func.HttpResponse:
        return answer_sync(req)

    @application.route(route="hasty", methods=["POST"])
    async def hurried(req: func.HttpRequest) -> func.HttpResponse:
        return await hasty(req)

    @application.queue_trigger(arg_name="msg", queue_name="runs", connection="Storage")
    async def messages(msg: func.QueueMessage) -> None:
        await take(msg)

    @application.queue_trigger(arg_name="msg", queue_name="more", connection="Storage")
    def more_messages(msg: func.QueueMessage) -> None:
        take_sync(msg)

    functions = {function.get_function_name(): function for function in application.get_functions()}
    return SimpleNamespace(functions=functions, folder=tmp_path, flows=flows, engines=made)


async def call(function, argument):
    """Call a function as the worker does."""
    handler = function.get_user_function()
    name = function.get_trigger().name
    hints = typing.get_type_hints(handler)
    assert list(inspect.signature(handler).parameters) == [name]
    assert isinstance(argument, hints[name])
    if inspect.iscoroutinefunction(handler):
        returned = await handler(**{name: argument})
    else:
        loop = asyncio.get_running_loop()
        returned = await loop.run_in_executor(None, functools.partial(handler, **{name: argument}))
    assert returned is None if hints["return"] is type(None) else isinstance(returned, hints["return"])
    return returned


async def post(app, body, *, name="runs", **headers):
    """Send a request; return the status, the decoded body and the headers."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    datum = meta.Datum(
        type="http",
        value={
            "method": meta.Datum("POST", "string"),
            "url": meta.Datum("http://x/api/runs", "string"),
            "headers": {key.replace("_", "-"): meta.Datum(value, "string") for key, value in headers.items()},
            "params": {},
            "query": {},
            "body": meta.Datum(data, "bytes"),
        },
    )
    request = HttpRequestConverter.decode(datum, trigger_metadata={})
    response = await call(app.functions[name], request)
    sent = HttpResponseConverter.encode(response, expected_type=None).value
    assert sent["headers"]["content-type"].value == "application/json"
    return int(sent["status_code"].value), json.loads(sent["body"].value), sent["headers"]


async def enqueue(app, body, *, name="messages", message="m-1"):
    """Deliver a message of a storage queue."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    metadata = {"Id": meta.Datum(message, "string"), "DequeueCount": meta.Datum("1", "string")}
    await call(
        app.functions[name],
        QueueMessageInConverter.decode(meta.Datum(data, "bytes"), trigger_metadata=metadata),
    )


def steps(app, workflow):
    return [mark[0] for mark in app.flows.marks(app.folder, workflow)]


def order(name, **more):
    return {"workflow": "order", "input": {"order_id": name}, **more}


@pytest.mark.parametrize("name", ["runs", "plain"])
async def test_a_request_is_answered_with_its_run(app, name):
    """By an async function and by a plain one; repeated by its key, it finds the run."""
    first = await post(app, order("A"), name=name, Idempotency_Key="a")
    assert (first[0], first[1]["status"]) == (200, "completed")
    assert (await post(app, order("A"), name=name, idempotency_key="a"))[1] == first[1]
    assert steps(app, "order") == ["fetch", "charge"]


async def test_an_engine_is_made_with_the_first_request(app):
    """And serves all further ones."""
    assert app.engines == []
    for number in range(3):
        await post(app, order(str(number)))
    assert len(app.engines) == 1


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        (b"{", 400, "the body is not JSON"),
        ({"workflow": "nope"}, 404, "there is no workflow 'nope'"),
        (order("x" * 11_000), 413, "more than the 10,000"),
        ({"workflow": "order", "input": {}}, 422, "does not fit"),
    ],
    ids=["malformed", "unknown", "large", "input"],
)
async def test_a_bad_request_is_refused_with_its_place(app, body, code, told):
    """Without a run."""
    status, answer, _ = await post(app, body)
    assert status == code
    assert told in answer["error"]


async def test_a_request_out_of_time_may_be_sent_again(app):
    """503 with ``Retry-After``; the repetition goes on with the run."""
    status, cut, headers = await post(app, {"workflow": "slow"}, name="hurried", Idempotency_Key="s")
    assert (status, headers["Retry-After"].value) == (503, "1")
    (app.folder / "gate").touch()
    _, done, _ = await post(app, {"workflow": "slow"}, Idempotency_Key="s")
    assert (done["status"], done["run_id"]) == ("completed", cut["run_id"])
    assert steps(app, "slow") == ["fetch", "hold", "hold", "charge"]


async def test_a_function_that_is_cancelled_hands_back_its_run(app):
    """As when the host shuts down; nothing stored is lost."""
    waiting = asyncio.ensure_future(post(app, {"workflow": "slow"}, Idempotency_Key="c"))
    async with asyncio.timeout(10):
        while "hold" not in steps(app, "slow"):
            await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    (app.folder / "gate").touch()
    status, answer, _ = await post(app, {"workflow": "slow"}, Idempotency_Key="c")
    while status == 409:  # it is being handed back at this moment
        status, answer, _ = await post(app, {"workflow": "slow"}, Idempotency_Key="c")
    assert answer["status"] == "completed"
    assert steps(app, "slow")[:2] == ["fetch", "hold"]


@pytest.mark.parametrize("name", ["messages", "more_messages"])
async def test_a_message_is_done_when_its_run_is_stored(app, name):
    """One that failed and one that waits too; delivered again, it repeats nothing."""
    await enqueue(app, order("M"), name=name)
    await enqueue(app, order("M"), name=name)
    assert steps(app, "order") == ["fetch", "charge"]
    await enqueue(app, {"workflow": "broken"}, name=name, message="m-2")
    await enqueue(app, {"workflow": "claim"}, name=name, message="m-3")


@pytest.mark.parametrize(
    "body",
    [b"{", b"x" * 1_100_000, {"workflow": "nope"}, {"workflow": "order", "input": {}}],
    ids=["malformed", "too large", "unknown workflow", "bad input"],
)
@pytest.mark.parametrize("name", ["messages", "more_messages"])
async def test_a_message_of_which_no_run_comes_is_left_to_the_poison_queue(app, name, body):
    """The function raises, so that the host counts the delivery."""
    with pytest.raises(RefusedError):
        await enqueue(app, body, name=name)
    assert steps(app, "order") == []


def test_the_missing_package_is_named(monkeypatch):
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "azure.functions", None)
    monkeypatch.delitem(sys.modules, "flux_engine.integrations.azure_functions")
    with pytest.raises(ImportError, match=r"pip install 'flux-tui\[azure-functions\]'"):
        importlib.import_module("flux_engine.integrations.azure_functions")
