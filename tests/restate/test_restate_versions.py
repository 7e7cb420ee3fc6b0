"""Servers that are not what they should be."""

import http.server
import json
import threading

import pytest

from flux_engine.integrations.restate import RestateClient, RestateError


@pytest.fixture
def answering():
    """Answers each request with what it is told to."""
    said = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            said["authorization"] = self.headers.get("authorization")
            self.send_response(200)
            self.end_headers()
            self.wfile.write(said["body"])

        def log_message(self, *_):
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        said["url"] = f"http://127.0.0.1:{server.server_port}"
        yield said
        server.shutdown()


async def test_a_server_that_is_too_old_is_told_with_its_version(answering):
    """And with the one that is needed."""
    answering["body"] = json.dumps({"version": "1.2.3"}).encode()
    with pytest.raises(RestateError, match=r"Restate 1\.2\.3 is too old: Flux needs 1\.4"):
        await RestateClient(answering["url"]).runs()


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"version": 3}', b'{"name": "x"}'])
async def test_something_else_at_the_address_is_told(answering, body):
    """Whatever it answers."""
    answering["body"] = body
    with pytest.raises(RestateError, match="not the admin port of a Restate server"):
        await RestateClient(answering["url"]).workflows()


async def test_a_token_is_sent_and_shown_to_nobody(answering):
    """As a bearer token."""
    answering["body"] = json.dumps({"version": "1.7.12"}).encode()
    client = RestateClient(answering["url"], token="very-secret")  # noqa: S106 - none that opens anything
    assert await client.version() == "1.7.12"
    assert answering["authorization"] == "Bearer very-secret"
    assert "very-secret" not in repr(client)
