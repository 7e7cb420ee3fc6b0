"""The deployment page keeps its word: the tests that it names are there, and so are its pictures."""

import importlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "deployment.md").read_text()


def test_the_tests_that_the_page_names_are_there():
    """A claim whose test is renamed or gone is found."""
    texts = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 20
    assert [name for name in sorted(named) if f"def {name}(" not in texts] == []


def test_the_pictures_are_as_their_program_draws_them(monkeypatch):
    """After a change: ``uv run python docs/make_topologies.py``."""
    monkeypatch.syspath_prepend(ROOT / "docs")
    drawing = importlib.import_module("make_topologies")
    for picture in (drawing.ONE, drawing.POSTGRES, drawing.RESTATE):
        assert f"pictures/{picture.name}.svg" in PAGE
        assert (drawing.PICTURES / f"{picture.name}.svg").read_text() == drawing.svg(picture)
