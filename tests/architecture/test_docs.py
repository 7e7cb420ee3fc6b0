"""The documentation is true: its Python runs, page by page, and its links lead somewhere."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


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


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_links_of_a_page_lead_to_files(page):
    """Relative ones; others are not followed."""
    for target in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target
