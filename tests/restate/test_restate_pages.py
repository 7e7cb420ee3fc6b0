"""The page and the example of the adapter are true, and what it needs is loaded with it alone."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from restate_server import free_port

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/adapters/restate.md"


def test_the_python_of_the_page_runs(tmp_path):
    """It makes an application."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", "\n".join([*blocks, "print(callable(app))"])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "True\n"


def test_the_links_of_the_page_lead_to_files():
    """Relative ones."""
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", PAGE.read_text())
    assert [link for link in links if "//" not in link and not (PAGE.parent / link).exists()] == []


async def test_the_example_registers_itself_and_runs_an_order(restate_server, tmp_path):
    """As its first words say."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "examples/adapters/restate_orders.py"),
        cwd=tmp_path,
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "RESTATE_ADMIN": restate_server.admin_url, "PORT": str(free_port())},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        lines = [await asyncio.wait_for(process.stdout.readline(), 20) for _ in range(3)]
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0  # told to end, it ends
    assert lines[0] == b"registered: cluster-orders\n"
    assert lines[1].startswith(b"shipping 1 of A-1")
    assert lines[2].endswith(b"is completed\n")


@pytest.mark.parametrize(
    ("imported", "loaded"), [("flux_engine", False), ("flux_engine.integrations.restate", True)]
)
def test_the_client_needs_no_library(imported, loaded):
    """Neither does importing the engine load the adapter."""
    code = (
        f"import sys, {imported}; print('restate' in sys.modules, 'flux_engine.integrations' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", str(loaded)]


def test_a_missing_library_is_told_with_the_command_that_installs_it():
    """As for the other adapters."""
    code = (
        "import sys; sys.modules['restate'] = None\n"
        "from flux_engine.integrations.restate import RestateClient\n"
        "try:\n    from flux_engine.integrations.restate import restate_app\n"
        "except Exception as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'flux-tui[restate]'" in done.stdout
