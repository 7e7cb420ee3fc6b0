"""Workflows as functions of Google Cloud, served by the real functions-framework."""

import base64
import json
import socket
from types import SimpleNamespace

import pytest
from served_function import ServedFunction, until

pytest.importorskip("functions_framework")

MAIN = """
import functions_framework
from cloud_workflows import WORKFLOWS, make_engine
from flux_engine.integrations.google_functions import http_function, pubsub_function

answer = http_function(make_engine, WORKFLOWS, max_bytes=10_000)
take = pubsub_function(make_engine, WORKFLOWS, max_bytes=10_000)
hasty_answer = http_function(make_engine, WORKFLOWS, seconds=1.0)

@functions_framework.http
def runs(request):
    return hasty_answer(request) if request.path == "/hasty" else answer(request)

@functions_framework.cloud_event
def messages(event):
    take(event)
"""


def serve(folder, target, signature):
    (folder / "main.py").write_text(MAIN)
    return ServedFunction(folder, target, signature)


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    """Three servers, started together; ``web`` and ``doomed`` are instances of one function."""
    web, topic = tmp_path_factory.mktemp("web"), tmp_path_factory.mktemp("topic")
    started = SimpleNamespace(
        web=serve(web, "runs", "http"),
        doomed=serve(web, "runs", "http"),
        topic=serve(topic, "messages", "cloudevent"),
    )
    yield started
    for server in vars(started).values():
        server.kill()


@pytest.fixture
def web(servers):
    """The function of HTTP requests."""
    return servers.web.ready()


@pytest.fixture
def topic(servers):
    """The function of messages."""
    return servers.topic.ready()


def marks(server, workflow, order=None):
    path = server.folder / "marks"
    lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [line[1:] for line in lines if line[0] == workflow and order in (None, line[3])]


def steps_of(server, run_id):
    return [mark[0] for mark in marks(server, "slow") if mark[1] == run_id]


def order(name, **more):
    return {"workflow": "order", "input": {"order_id": name}, **more}


def test_a_request_is_answered_with_its_run(web):
    """As JSON."""
    status, body = web.call(order("A-1"))
    assert (status, body["status"]) == (200, "completed")
    assert len(marks(web, "order", "A-1")) == 2


def test_a_repeated_request_finds_its_run(web):
    """By the header ``Idempotency-Key``; no step runs twice."""
    first = web.call(order("A-2"), headers={"Idempotency-Key": "a-2"})
    assert web.call(order("A-2"), headers={"Idempotency-Key": "a-2"}) == first
    assert len(marks(web, "order", "A-2")) == 2


def test_a_failed_run_is_an_answer_and_a_waiting_one_is_accepted(web):
    """Both are stored."""
    status, body = web.call({"workflow": "broken"})
    assert (status, body["status"], body["error"]) == (200, "failed", "ValueError: the card was declined")
    assert web.call({"workflow": "claim"})[0] == 202


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        (b"{", 400, "the body is not JSON"),
        (b"\xff\xfe", 400, "the body is not JSON"),
        (b"", 400, "the body is not JSON"),
        ({"workflow": 7}, 400, "found a number"),
        ({"workflow": "nope"}, 404, "there is 'broken', 'claim', 'order', 'slow'"),
        (order("x" * 11_000), 413, "more than the 10,000 that are taken"),
        ({"workflow": "order", "input": {}}, 422, "does not fit"),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_a_bad_request_is_refused_with_its_place(web, body, code, told):
    """And leads to no run."""
    status, answer = web.call(body)
    assert status == code
    assert told in answer["error"]


def test_runs_are_started_with_post(web):
    """Other methods change nothing."""
    status, answer = web.call(b"", method="GET")
    assert (status, answer["error"]) == (405, "runs are started with POST, not GET")


def test_a_body_without_a_length_is_not_read_beyond_the_limit(web):
    """Chunked, and too large."""
    with socket.create_connection(("127.0.0.1", web.port), 30) as client:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        client.sendall(head + b"2ee0\r\n" + b"[" * 12_000 + b"\r\n0\r\n\r\n")
        assert b" 413 " in client.recv(100)


def test_a_request_that_is_cut_off_in_its_body_leads_to_no_run(web):
    """The server goes on serving."""
    body = json.dumps(order("Cut")).encode()
    with socket.create_connection(("127.0.0.1", web.port), 30) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + body)
        client.shutdown(socket.SHUT_WR)
        client.recv(1000)
    assert web.call(order("After-Cut"))[0] == 200
    assert marks(web, "order", "Cut") == []


def test_a_caller_who_goes_away_loses_nothing(web):
    """The run goes on to its end, and the key finds it."""
    (web.folder / "gate").unlink(missing_ok=True)
    before = len(marks(web, "slow"))
    with web.send({"workflow": "slow", "idempotency_key": "gone"}):
        until(lambda: "hold" in [mark[0] for mark in marks(web, "slow")[before:]], "the step holds")
    (web.folder / "gate").touch()
    status, answer = web.call({"workflow": "slow", "idempotency_key": "gone"})
    assert (status, answer["status"]) == (200, "completed")
    assert steps_of(web, answer["run_id"]) == ["fetch", "hold", "charge"]


def test_a_request_out_of_time_may_be_sent_again(web):
    """503; the run was handed back, and the repetition goes on with it."""
    (web.folder / "gate").unlink(missing_ok=True)
    request = {"workflow": "slow", "idempotency_key": "hasty"}
    status, answer = web.call(request, path="/hasty")
    assert (status, answer["status"]) == (503, "running")
    (web.folder / "gate").touch()
    assert web.call(request) == (200, {"run_id": answer["run_id"], "status": "completed"})
    assert steps_of(web, answer["run_id"]) == ["fetch", "hold", "hold", "charge"]


def test_what_a_killed_instance_had_in_hand_another_one_goes_on_with(web, servers):
    """By the key of the request; while the first one lives, the repetition is told to come later."""
    (web.folder / "gate").unlink(missing_ok=True)
    before = len(marks(web, "slow"))
    request = {"workflow": "slow", "idempotency_key": "killed"}
    with servers.doomed.ready().send(request):
        until(lambda: "hold" in [mark[0] for mark in marks(web, "slow")[before:]], "the step holds")
        assert web.call(request)[0] == 409
        servers.doomed.kill()
    (web.folder / "gate").touch()
    until(lambda: web.call(request)[0] != 409, "the worker has ended too")
    status, answer = web.call(request)
    assert (status, answer["status"]) == (200, "completed")
    assert steps_of(web, answer["run_id"]) == ["fetch", "hold", "hold", "charge"]


def event(data, name="m-1"):
    """Return the headers and the body of a CloudEvent of Pub/Sub, in binary mode."""
    headers = {
        "ce-specversion": "1.0", "ce-id": name, "ce-source": "//pubsub.googleapis.com/topics/t",
        "ce-type": "google.cloud.pubsub.topic.v1.messagePublished", "Content-Type": "application/json",
    }  # fmt: skip
    coded = base64.b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).decode()
    return {"message": {"data": coded, "messageId": name}}, headers


def publish(topic, data, name):
    body, headers = event(data, name)
    return topic.call(body, headers=headers)[0]


def test_a_message_is_acknowledged_when_its_run_is_stored(topic):
    """One that failed and one that waits are; a redelivery finds the run and repeats nothing."""
    assert publish(topic, order("M-1"), "m-1") == 200
    assert publish(topic, order("M-1"), "m-1") == 200
    assert len(marks(topic, "order", "M-1")) == 2
    assert publish(topic, {"workflow": "broken"}, "m-2") == 200
    assert publish(topic, {"workflow": "claim"}, "m-3") == 200


@pytest.mark.parametrize(
    "data",
    [b"{", order("x" * 11_000), {"workflow": "nope"}, {"workflow": "order", "input": {}}],
    ids=["malformed", "too large", "unknown workflow", "bad input"],
)
def test_a_message_of_which_no_run_comes_is_not_acknowledged(topic, data):
    """Pub/Sub delivers it again, and at last to the dead-letter topic."""
    assert publish(topic, data, "poison") == 500


def test_an_event_without_a_message_is_not_acknowledged(topic):
    """Whatever it is."""
    _, headers = event(b"")
    assert topic.call({"hello": 1}, headers=headers)[0] == 500
    assert topic.call({"message": {"data": "%%%"}}, headers=headers)[0] == 500
