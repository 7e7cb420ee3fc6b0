"""The pictures of docs/screens.md: each is there, is small, and shows nothing of anybody's machine."""

import importlib
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PICTURES = sorted(path for path in (DOCS / "pictures").glob("*.svg") if not path.stem.startswith("topology-"))


@pytest.fixture
def scenes(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module of the scenes."""
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("picture_scenes")


def test_every_scene_has_its_picture_and_every_picture_its_place(scenes: ModuleType) -> None:
    """After a scene was added: ``uv run python docs/make_pictures.py NAME``."""
    names = [scene.name for scene in scenes.SCENES]
    assert len(set(names)) == len(names)
    assert {path.stem for path in PICTURES} == set(names)
    shown = re.findall(r"!\[.+?\]\(pictures/(.+?)\.svg\)", (DOCS / "screens.md").read_text(encoding="utf-8"))
    assert shown == names


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_picture_is_whole_small_and_of_nobody(path: Path) -> None:
    """It loads nothing, names no host and no home, and can be read without the fonts of somebody else."""
    text = path.read_text(encoding="utf-8")
    assert len(text) < 150_000
    assert "@import" not in text
    assert "@font-face" not in text
    assert not re.search(r"(?:href|src|url\()=?['\"]?https?:", text)
    shown = "".join(ET.fromstring(text).itertext()).replace("\xa0", " ")  # noqa: S314 - ours
    assert "flux" in shown
    assert not re.search(r"/(?:tmp|home|root|Users)/", shown)
