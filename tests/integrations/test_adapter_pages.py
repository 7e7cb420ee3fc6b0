"""The pages and the examples of the adapters are true: their Python runs, and their links lead somewhere."""

import contextlib
import http.client
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from served_function import free_port, until

ROOT = Path(__file__).parents[2]
PAGES = (
    "requests",
    "aws-lambda",
    "google-functions",
    "azure-functions",
    "asgi",
    "orbit",
    "opentelemetry",
)
EXAMPLES = {
    "aws_lambda": "'batchItemFailures': [{'itemIdentifier': 'm-1'}]",
    "azure_functions": '"data":{"price":36}',
    "orbit_core": "greet completed",
    "open_telemetry": "POST /orders",
}
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


PROGRAM = """
import contextlib, io, json, runpy, sys, traceback

outcomes = {}
for name, path in json.load(sys.stdin).items():
    told = io.StringIO()
    try:
        with contextlib.redirect_stdout(told):
            runpy.run_path(path, run_name="__main__")
        error = None
    except ModuleNotFoundError as missing:
        error = f"missing: {missing.name}"
    except BaseException:
        error = traceback.format_exc()
    outcomes[name] = [told.getvalue(), error]
print(json.dumps(outcomes))
"""

CALL_GOOGLE = f"""
from functions_framework import create_app

client = create_app("orders", {str(ROOT / "examples/adapters/google_functions.py")!r}).test_client()
answer = client.post("/", json={{"input": {{"order_id": "A-1"}}}}, headers={{"Idempotency-Key": "G-1"}})
print(answer.status_code, answer.text)
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What the pages and the examples print, each as a program, all in one process to import little twice."""
    folder = tmp_path_factory.mktemp("pages")
    programs = {name: str(ROOT / f"examples/adapters/{name}.py") for name in EXAMPLES}
    for name in PAGES:
        blocks = BLOCK.findall((ROOT / f"docs/adapters/{name}.md").read_text())
        (folder / f"page_{name}.py").write_text("\n\n".join(blocks))
        programs[f"{name}.md"] = str(folder / f"page_{name}.py")
    (folder / "call_google.py").write_text(CALL_GOOGLE)
    programs["call_google"] = str(folder / "call_google.py")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps(programs),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "FLUX_DB": str(folder / "flux.db")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


def told_by(outcomes, name):
    told, error = outcomes[name]
    if error is not None and error.startswith("missing: "):
        pytest.skip(error)
    assert error is None, error
    return told


@pytest.mark.parametrize("name", PAGES)
def test_the_python_of_a_page_runs_from_top_to_bottom(outcomes, name):
    """As one program."""
    told_by(outcomes, f"{name}.md")


@pytest.mark.parametrize("name", PAGES)
def test_the_links_of_a_page_lead_to_files(name):
    """Relative ones."""
    page = ROOT / f"docs/adapters/{name}.md"
    assert [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs(outcomes, name):
    """By itself."""
    assert EXAMPLES[name] in told_by(outcomes, name)


def test_the_example_for_google_is_served(outcomes):
    """By the framework's own application."""
    status, _, text = told_by(outcomes, "call_google").splitlines()[-1].partition(" ")
    assert (status, json.loads(text)["data"]) == ("200", {"price": 12})


def test_the_example_for_asgi_is_served(tmp_path):
    """By uvicorn."""
    pytest.importorskip("uvicorn")
    port = free_port()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "asgi_service:app", "--port", str(port)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'examples/adapters'}", "PACKING_SECONDS": "0"},
            stdout=log,
            stderr=log,
        )
        try:
            until(lambda: b"running on" in (tmp_path / "log").read_bytes(), "uvicorn runs")
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
                client.request("POST", "/orders/A-1")
                assert json.load(client.getresponse())["status"] == "completed"
        finally:
            process.kill()
            process.wait()
