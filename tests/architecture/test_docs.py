"""The documentation is true: its Python runs, page by page, and its links lead somewhere."""

import importlib
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from flux_engine import FluxEngine, PostgresStorage, SQLiteStorage
from flux_tui.cli.commands_page import command_of, every_command, options_of
from flux_tui.settings import load_settings

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "README.zh-TW.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
LINKED = [*PAGES, *sorted((ROOT / "docs" / "adapters").glob("*.md"))]
COMMANDS = every_command()
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")
PLACE = re.compile(r"\]\(([^)#\s]*)#([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def name(page: Path) -> str:
    return page.name


@pytest.mark.parametrize("page", [page for page in PAGES if BLOCK.search(page.read_text())], ids=name)
def test_the_python_of_a_page_runs_from_top_to_bottom(page, tmp_path):
    """As one program, in a folder that has only ``old/flux.db``, a store of the ancestor."""
    program = tmp_path / "page.py"
    program.write_text("\n\n".join(BLOCK.findall(page.read_text())))
    (tmp_path / "old").mkdir()
    shutil.copy(ROOT / "tests" / "fixtures" / "gravito" / "gravito.db", tmp_path / "old" / "flux.db")
    done = subprocess.run(
        [sys.executable, program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", LINKED, ids=name)
def test_the_links_of_a_page_lead_to_files(page):
    """Relative ones; others are not followed."""
    for target in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", LINKED, ids=name)
def test_the_places_that_a_page_links_to_are_there(page):
    """A heading of another page, or of its own."""
    for target, place in PLACE.findall(page.read_text()):
        if "://" not in target:
            assert place in places(page.parent / target if target else page), (target, place)


@pytest.mark.parametrize("readme", ["README.md", "README.zh-TW.md"])
def test_every_page_is_found_from_the_readme(readme):
    """In both languages."""
    pages = {str(page.relative_to(ROOT)) for page in LINKED if page.parent != ROOT}
    parts = {"docs/adapters/messages.md", "docs/adapters/requests.md"}  # found from those of the adapters
    assert pages - parts <= set(LINK.findall((ROOT / readme).read_text()))


def places(page: Path) -> set[str]:
    """Return the anchors that the headings of a page have; a second one of a name has a number."""
    found: list[str] = []
    for heading in HEADING.findall(FENCED.sub("", page.read_text())):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        again = sum(other.rpartition("-")[0] == anchor or other == anchor for other in found)
        found.append(f"{anchor}-{again}" if anchor in found else anchor)
    return set(found)


def test_the_tutorial_shows_what_its_reader_sees(tmp_path):
    """The error of its workflow, with the line."""
    page = (ROOT / "docs" / "tutorial.md").read_text()
    (tmp_path / "orders.py").write_text(BLOCK.findall(page)[0])
    [error] = re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    flux = [sys.executable, "-m", "flux_tui.cli", "run", "orders.py"]
    done = subprocess.run(
        flux,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, error in done.stderr) == (1, True)


def blocks(kind: str) -> list[str]:
    """Return the blocks of one language on all pages."""
    fence = re.compile(rf"^```{kind}\n(.*?)^```", re.MULTILINE | re.DOTALL)
    return [block for page in PAGES for block in fence.findall(page.read_text())]


def statements(*, schema: str = "") -> list[str]:
    """Return the SQL of the pages for a store in a file, or for one in this schema of a server."""
    found = [part for block in blocks("sql") for part in block.split(";") if part.strip()]
    return [each for each in found if bool(schema) == (f" {schema or 'flux'}." in each)]


async def test_the_sql_of_the_pages_fits_the_tables(tmp_path):
    """Every statement runs on a store."""
    storage = SQLiteStorage(tmp_path / "flux.db")
    await storage.open()
    await storage.close()
    connection = sqlite3.connect(tmp_path / "flux.db")
    assert statements()
    for statement in statements():
        connection.execute(statement)
    connection.close()


async def test_the_sql_of_the_pages_fits_the_tables_of_a_server(postgres_dsn):
    """Every statement with the schema's name runs on a store there."""
    async with FluxEngine(storage=PostgresStorage(postgres_dsn)):
        assert statements(schema="flux")
        with psycopg.connect(postgres_dsn) as connection:
            for statement in statements(schema="flux"):
                connection.execute(statement)


@pytest.mark.parametrize("block", blocks("toml"))
def test_the_configuration_of_the_pages_is_understood(block, tmp_path):
    """As a project would have it in its pyproject.toml."""
    (tmp_path / "pyproject.toml").write_text(block)
    assert load_settings(tmp_path, {}, {}).project == tmp_path


@pytest.mark.parametrize(
    "command",
    [line for kind in ("sh", "console", "bash") for line in "".join(blocks(kind)).splitlines() if line],
)
def test_the_commands_of_the_pages_exist(command):
    """Each ``flux`` command is one, with the options it is shown with."""
    words = shlex.split(command.removeprefix("uv run "), comments=True)
    if words[0] != "flux":
        return
    known = options_of(COMMANDS[command_of(words, COMMANDS)])
    assert [word for word in words if word.startswith("--") and word not in known] == []


@pytest.mark.parametrize("page", ["reference", "configuration"])
def test_pages_made_of_docstrings_are_up_to_date(page, monkeypatch):
    """After a docstring changed: ``uv run python docs/make_reference.py``."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    make_reference = importlib.import_module("make_reference")
    assert (ROOT / "docs" / f"{page}.md").read_text() == getattr(make_reference, page)()
