"""Workflows as a function of AWS Lambda, called by the real runtime client."""

import base64
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from lambda_runtime import Runtime
from served_function import until

pytest.importorskip("awslambdaric", reason="the runtime client of AWS Lambda is built for Linux only")
pytest.importorskip("runtime_client", reason="the runtime client was built without its native part")

FUNCTION = """
from cloud_workflows import WORKFLOWS, make_engine
from flux_engine.integrations.aws_lambda import lambda_handler

handler = lambda_handler(make_engine, WORKFLOWS, margin=0.5, max_bytes=10_000, include_data=True)
"""


@pytest.fixture(scope="module")
def function(tmp_path_factory):
    """One warm function; its runtime is ``function.runtime``, its files are in ``function.folder``."""
    folder = tmp_path_factory.mktemp("lambda")
    (folder / "function.py").write_text(FUNCTION)
    runtime = Runtime()
    runtime.start(folder)
    yield SimpleNamespace(runtime=runtime, folder=folder, invoke=runtime.invoke)
    runtime.close()


def marks(function, workflow, order=None):
    path = function.folder / "marks"
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [line[1:] for line in lines if line[0] == workflow and order in (None, line[3])]


def http_v2(body, **headers):
    return {
        "version": "2.0",
        "requestContext": {"http": {"method": "POST", "path": "/"}},
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
        "body": body if isinstance(body, str) else json.dumps(body),
        "isBase64Encoded": False,
    }


def http_v1(body, **more):
    return {"requestContext": {}, "httpMethod": "POST", "headers": None, "body": body} | more


def sqs(*bodies, groups=None):
    return {
        "Records": [
            {
                "messageId": body[0],
                "body": body[1] if isinstance(body[1], str) else json.dumps(body[1]),
                "eventSource": "aws:sqs",
                "attributes": {"MessageGroupId": groups[index]} if groups else {},
            }
            for index, body in enumerate(bodies)
        ]
    }


def failures(answer):
    return sorted(entry["itemIdentifier"] for entry in answer["batchItemFailures"])


def order(name, **more):
    return {"workflow": "order", "input": {"order_id": name}, **more}


def test_a_direct_invocation_returns_what_became_of_the_run(function):
    """With its data, when that is asked for."""
    answer, error = function.invoke(order("D-1"))
    assert error is None
    assert answer == {"run_id": answer["run_id"], "status": "completed", "data": {"price": 12}}


def test_an_invocation_that_is_delivered_again_finds_its_run(function):
    """Lambda repeats an asynchronous invocation with the id that it had; no step runs twice."""
    first, _ = function.invoke(order("D-2"), request_id="delivery-2")
    second, _ = function.invoke(order("D-2"), request_id="delivery-2")
    assert second["run_id"] == first["run_id"]
    assert [mark[0] for mark in marks(function, "order", "D-2")] == ["fetch", "charge"]


def test_invocations_share_one_event_loop(function):
    """A warm function opens the engine once."""
    for name in ("L-1", "L-2"):
        function.invoke(order(name))
    assert len({mark[3] for mark in marks(function, "order")}) == 1
    assert len((function.folder / "engines").read_text().splitlines()) == 1


def test_a_run_is_handed_back_before_the_time_is_up_and_gone_on_with(function):
    """The invocation fails, so that it is delivered again; completed steps are not run again."""
    (function.folder / "gate").unlink(missing_ok=True)
    answer, error = function.invoke({"workflow": "slow"}, seconds=1.5, request_id="slow-1")
    assert (answer, error["errorType"]) == (None, "RefusedError")
    assert "handed back" in error["errorMessage"]
    (function.folder / "gate").touch()
    answer, _ = function.invoke({"workflow": "slow"}, request_id="slow-1")
    assert answer["status"] == "completed"
    steps = [mark[0] for mark in marks(function, "slow") if mark[1] == answer["run_id"]]
    assert steps == ["fetch", "hold", "hold", "charge"]


def test_nothing_is_begun_when_the_time_is_up_already(function):
    """Within the margin no run is made."""
    _, error = function.invoke(order("Late"), seconds=0.3)
    assert "handed back" in error["errorMessage"]
    assert marks(function, "order", "Late") == []


@pytest.mark.parametrize(
    ("event", "told"),
    [
        ({"detail-type": "Scheduled Event"}, "found an event with 'detail-type'"),
        ([1], "found list"),
        ({"workflow": "oder", "input": {}}, "there is no workflow 'oder' here; there is 'broken', 'claim'"),
        ({"input": {}}, "'workflow' is the name of a workflow, found none"),
        (order("x", priority=1), "a field 'priority', which is unknown"),
        (order("x", idempotency_key=7), "an idempotency key is a string"),
        ({"workflow": "order", "input": {"quantity": "many"}}, "order_id: Field required"),
        ({"Records": [{"eventSource": "aws:s3"}]}, "no other source is known"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_event_that_leads_to_no_run_fails_with_its_reason(function, event, told):
    """A function error, which Lambda counts, delivers again and at last gives to a destination."""
    answer, error = function.invoke(event)
    assert answer is None
    assert told in error["errorMessage"]


def test_a_failed_run_is_an_answer(function):
    """It is stored; delivering it again would change nothing."""
    answer, _ = function.invoke({"workflow": "broken"})
    assert (answer["status"], answer["step"]) == ("failed", "explode")
    assert answer["error"] == "ValueError: the card was declined"


def test_an_http_request_is_answered_with_a_status(function):
    """In both formats of API Gateway, plain or base64."""
    plain, _ = function.invoke(http_v2(order("H-1")))
    assert plain["statusCode"] == 200
    assert plain["headers"]["Content-Type"] == "application/json"
    assert json.loads(plain["body"])["status"] == "completed"
    coded = base64.b64encode(json.dumps(order("H-2")).encode()).decode()
    old, _ = function.invoke(http_v1(coded, isBase64Encoded=True))
    assert (old["statusCode"], len(marks(function, "order", "H-2"))) == (200, 2)


def test_a_repeated_request_finds_its_run(function):
    """By the header, whatever its case."""
    first, _ = function.invoke(http_v2(order("H-3"), Idempotency_Key="h-3"))
    second, _ = function.invoke(http_v2(order("H-3"), idempotency_key="h-3"))
    assert json.loads(first["body"])["run_id"] == json.loads(second["body"])["run_id"]
    assert len(marks(function, "order", "H-3")) == 2


def test_a_load_balancer_with_several_values_a_header_is_understood(function):
    """The key is found, and the answer has the form that it takes."""
    event = http_v1(json.dumps(order("ALB")), multiValueHeaders={"idempotency-key": ["alb"]})
    del event["headers"]
    first, _ = function.invoke(event)
    second, _ = function.invoke(event)
    assert first["multiValueHeaders"]["Content-Type"] == ["application/json"]
    assert first == second
    assert len(marks(function, "order", "ALB")) == 2


@pytest.mark.parametrize(
    ("event", "code", "told"),
    [
        (http_v2('{"workflow": '), 400, "the body is not JSON"),
        (http_v2(""), 400, "the body is not JSON"),
        (http_v2("[" * 5000), 400, "the body is"),
        (http_v2("[]"), 400, "expected a JSON object with 'workflow', 'input', 'idempotency_key'"),
        (http_v1("%%%", isBase64Encoded=True), 400, "not base64"),
        (http_v2(order("x", idempotency_key="a"), Idempotency_Key="b"), 400, "two different"),
        (http_v2({"workflow": "nope"}), 404, "there is no workflow 'nope' here"),
        (http_v1("{}", httpMethod="GET"), 405, "started with POST"),
        ({"requestContext": {"routeKey": "$connect"}}, 400, "no HTTP request"),
        (http_v2(order("x" * 11_000)), 413, "more than the 10,000"),
        (http_v1("A" * 20_000, isBase64Encoded=True), 413, "more than the 10,000"),
        (http_v2({"workflow": "order", "input": {"order_id": 1}}), 422, "does not fit workflow 'order'"),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_a_bad_request_is_refused_with_its_place(function, event, code, told):
    """As JSON, and without a run."""
    answer, _ = function.invoke(event)
    assert answer["statusCode"] == code
    assert told in json.loads(answer["body"])["error"]


def test_a_waiting_run_is_accepted(function):
    """202: it is stored, and goes on when its signal comes."""
    answer, _ = function.invoke(http_v2({"workflow": "claim"}))
    assert (answer["statusCode"], json.loads(answer["body"])["status"]) == (202, "suspended")


def test_a_request_out_of_time_may_be_sent_again(function):
    """503 with ``Retry-After`` and the id of the run."""
    (function.folder / "gate").unlink(missing_ok=True)
    slow = http_v2({"workflow": "slow"}, Idempotency_Key="slow-http")
    answer, _ = function.invoke(slow, seconds=1.5)
    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "1")
    (function.folder / "gate").touch()
    again, _ = function.invoke(slow)
    assert json.loads(again["body"])["run_id"] == json.loads(answer["body"])["run_id"]


def test_a_batch_names_the_messages_to_deliver_again(function):
    """What cannot be read, or came to no run; a failed run is done, and so is a waiting one."""
    answer, _ = function.invoke(
        sqs(
            ("m-1", order("S-1")),
            ("m-2", "{not json"),
            ("m-3", {"workflow": "broken"}),
            ("m-4", {"workflow": "unheard-of"}),
            ("m-5", {"workflow": "claim"}),
            ("m-6", {"workflow": "order", "input": {}}),
            ("m-7", order("x" * 11_000)),
        )
    )
    assert failures(answer) == ["m-2", "m-4", "m-6", "m-7"]
    assert len(marks(function, "order", "S-1")) == 2


def test_a_message_that_comes_again_finds_its_run(function):
    """By the id of the message, or by the key in its body."""
    for _ in range(2):
        answer, _ = function.invoke(sqs(("m-8", order("S-2")), ("m-9", order("S-3", idempotency_key="s-3"))))
        assert failures(answer) == []
    function.invoke(sqs(("another-id", order("S-3", idempotency_key="s-3"))))
    assert len(marks(function, "order", "S-2")) == 2
    assert len(marks(function, "order", "S-3")) == 2


def test_the_order_of_a_group_is_kept(function):
    """Behind a message that is to come again, all others of its group do, unread; other groups go on."""
    answer, _ = function.invoke(
        sqs(
            ("g-1", order("G-1")), ("g-2", "{"), ("g-3", order("G-3")), ("g-4", order("G-4")),
            groups=["a", "a", "a", "b"],
        )
    )  # fmt: skip
    assert failures(answer) == ["g-2", "g-3"]
    assert marks(function, "order", "G-3") == []
    assert len(marks(function, "order", "G-4")) == 2


def test_a_batch_out_of_time_comes_again_without_what_is_done(function):
    """Messages that are settled are not named."""
    (function.folder / "gate").unlink(missing_ok=True)
    batch = sqs(("t-1", order("T-1")), ("t-2", {"workflow": "slow"}))
    answer, _ = function.invoke(batch, seconds=1.5)
    assert failures(answer) == ["t-2"]
    (function.folder / "gate").touch()
    assert failures(function.invoke(batch)[0]) == []
    assert len(marks(function, "order", "T-1")) == 2


def test_a_function_that_is_killed_loses_nothing(tmp_path):
    """The next one goes on with the run, by the same delivery, and repeats no completed step."""
    (tmp_path / "function.py").write_text(FUNCTION)
    runtime = Runtime()
    runtime.start(tmp_path)
    try:
        function = SimpleNamespace(folder=tmp_path)
        runtime.events.put(("cut", b'{"workflow": "slow"}', 99_999_999_999_999))
        until(lambda: [m[0] for m in marks(function, "slow")] == ["fetch", "hold"], "the step holds")
        runtime.stop()
        (tmp_path / "gate").touch()
        runtime.start(tmp_path)
        answer, error = runtime.invoke({"workflow": "slow"}, request_id="cut")
        assert error is None
        assert answer["status"] == "completed"
        assert [mark[0] for mark in marks(function, "slow")] == ["fetch", "hold", "hold", "charge"]
    finally:
        runtime.close()


def test_a_cold_start_loads_nothing_of_the_terminal():
    """Nor any other adapter."""
    code = """
import sys
import flux_engine.integrations.aws_lambda
print(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))
print(" ".join(name for name in sys.modules if name.startswith("flux_engine.integrations.")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    packages, adapters = (set(line.split()) for line in done.stdout.splitlines())
    assert packages & {"textual", "typer", "rich", "watchfiles", "flux_tui", "flask", "azure"} == set()
    assert {name.rpartition(".")[2] for name in adapters} == {
        "answers", "aws_lambda", "engine_thread", "reception", "requests", "sqs_batch",
    }  # fmt: skip
