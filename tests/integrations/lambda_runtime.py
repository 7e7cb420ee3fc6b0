"""A stand-in for the runtime API of AWS Lambda, and the real runtime client run against it."""

import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).parent
PREFIX = "/2018-06-01/runtime/"


class Runtime:
    """Hands events to a function and takes what it answers, as the service does."""

    def __init__(self) -> None:
        self.events = queue.Queue()
        self.answers = queue.Queue()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def start(self, folder, handler="function.handler"):
        """Start the function in ``folder`` by the real client."""
        environ = os.environ | {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_port}",
            "FLUX_TEST_FOLDER": str(folder),
            "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parents[1]}",
            "_HANDLER": handler,
            "LAMBDA_TASK_ROOT": str(folder),
        }
        self.log = (folder / "function.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", handler],
            cwd=folder, env=environ, stdout=self.log, stderr=self.log,
        )  # fmt: skip

    def invoke(self, event, *, seconds=60.0, request_id=None):
        """Give the function an event; return ``(answer, error)``, one of which is ``None``."""
        request_id = request_id or str(uuid.uuid4())
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        self.events.put((request_id, body, int((time.time() + seconds) * 1000)))
        answered, kind, value = self.answers.get(timeout=30)
        assert answered == request_id
        return (value, None) if kind == "response" else (None, value)

    def stop(self):
        """End the function, as abruptly as the service does."""
        self.process.kill()
        self.process.wait()
        self.log.close()

    def close(self):
        self.stop()
        self.server.shutdown()
        self.server.server_close()

    def _handler(runtime):  # noqa: N805 - the handler's own self is another one
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                request_id, body, deadline = runtime.events.get()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", request_id)
                self.send_header("Lambda-Runtime-Deadline-Ms", str(deadline))
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu:1:function:flux")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"null")
                if "/invocation/" in self.path:
                    request_id, kind = self.path.removeprefix(f"{PREFIX}invocation/").split("/")
                else:
                    request_id, kind = "init", "error"
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()
                runtime.answers.put((request_id, kind, body))

            def log_message(self, *arguments):
                pass

        return Handler
