"""Takes the pictures of docs/screens.md from the real program, and writes that page.

``uv run python docs/make_pictures.py`` takes all of them, ``… make_pictures.py failed-run help`` only those.
The examples are copied into a project of their own and run by the real runner; what each picture shows is
in picture_scenes.py. Nothing of this machine is in them: the home folder is a made-up one.
"""

# ruff: noqa: INP001, T201

import asyncio
import os
import re
import shutil
import socket
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from textual.color import Color

HERE = Path(__file__).parent
PICTURES = HERE / "pictures"
PAGE = HERE / "screens.md"
MOST_BYTES = 150_000
NORMAL = "#000000 #cd0000 #00cd00 #cdcd00 #0000ee #cd00cd #00cdcd #e5e5e5"
BRIGHT = "#7f7f7f #ff0000 #00ff00 #ffff00 #5c5cff #ff00ff #00ffff #ffffff"
"""The colours that a terminal calls by name, as xterm has them."""

HEAD = """\
# Screens

Every picture is taken from the real program, running the shipped examples:
`uv run python docs/make_pictures.py` takes them again.
"""

sys.path[:0] = [str(HERE), str(HERE.parent)]

from picture_scenes import PROJECT, SCENES, Scene, Stage, prepare  # noqa: E402 - after the path to it

from flux_tui.app import FluxApp  # noqa: E402
from flux_tui.desk import Desk  # noqa: E402
from flux_tui.settings import load_settings  # noqa: E402


@asynccontextmanager
async def opened(project: Path, scene: Scene) -> AsyncIterator[Stage]:
    """Open the dashboard on a project, as a scene wants it."""
    os.chdir(project)
    os.environ.pop("NO_COLOR", None)
    if scene.no_color:
        os.environ["NO_COLOR"] = "1"
    settings = load_settings(project, {"theme": scene.theme, "ascii": scene.ascii})
    app = FluxApp(Desk(settings, [project]))
    app.animation_level = "none"
    async with app.run_test(size=scene.size) as pilot:
        stage = Stage(app, pilot)
        await stage.until(lambda: app.desk.state.runner == "ready" and app.desk.loaded, "the runner")
        yield stage


async def take(project: Path, runs: dict[str, str], scene: Scene) -> None:
    """Take the picture of a scene."""
    folder = project / "empty" if scene.empty else project
    folder.mkdir(exist_ok=True)
    (folder / ".flux" / "dashboard.json").unlink(missing_ok=True)
    async with opened(folder, scene) as stage:
        stage.runs = runs
        await scene.play(stage)
        await stage.pilot.pause()
        stage.app._notifications.clear()  # noqa: SLF001 - messages pass, pictures stay
        text = cleaned(drawn(stage.app))
    check(scene.name, text)
    (PICTURES / f"{scene.name}.svg").write_text(text, encoding="utf-8")
    print(f"{scene.name}: {len(text) // 1000} kB")


def drawn(app: FluxApp) -> str:
    """Return the screen as an SVG."""
    normal, bright = ([Color.parse(name).rgb for name in names.split()] for names in (NORMAL, BRIGHT))
    colours = TerminalTheme((18, 18, 18), normal[-1], normal, bright)
    width, height = app.size
    console = Console(
        width=width,
        height=height,
        file=StringIO(),
        force_terminal=True,
        color_system="truecolor",
        record=True,
    )
    console.print(app.screen._compositor.render_update(full=True, simplify=True))  # noqa: SLF001 - as Textual does
    return console.export_svg(title="flux-tui", theme=colours, unique_id="flux")


def cleaned(svg: str) -> str:
    """Return a picture that needs no font from elsewhere, in the fonts that a reader has."""
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(
        r"Fira Code(, monospace)?", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace", svg
    )
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    return re.sub(r"\n\s*\n+", "\n", svg)


def check(name: str, svg: str) -> None:
    """Raise ``ValueError`` for a picture that shows this machine, is too large, or would load something."""
    shown = "".join(ET.fromstring(svg).itertext()).replace("\xa0", " ")  # noqa: S314 - of our own making
    for word in (socket.gethostname(), os.environ["REAL_HOME"], tempfile.gettempdir() + "/"):
        if word in shown:
            raise ValueError(f"{name}: {word!r} can be read in the picture")
    if "@import" in svg or re.search(r"url\(['\"]?http", svg):
        raise ValueError(f"{name}: the picture would load something")
    if len(svg) > MOST_BYTES:
        raise ValueError(f"{name}: {len(svg)} bytes are more than {MOST_BYTES}")


def page() -> str:
    """Return the page that shows all pictures, by group."""
    parts = [HEAD]
    group = ""
    for scene in SCENES:
        if scene.group != group:
            group = scene.group
            parts.append(f"\n## {group}\n")
        parts.append(f"\n{scene.caption}\n\n![{scene.title}](pictures/{scene.name}.svg)\n")
    return "".join(parts)


async def main(names: list[str]) -> int:
    """Take the pictures of these names, or all; return how many could not be taken."""
    chosen = [scene for scene in SCENES if not names or scene.name in names]
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        os.environ["REAL_HOME"] = str(Path.home())
        os.environ["HOME"] = folder
        project = Path(folder) / PROJECT
        left_out = shutil.ignore_patterns("__pycache__", ".flux")
        shutil.copytree(HERE.parent / "examples", project, ignore=left_out)
        for key in [key for key in os.environ if key.startswith("FLUX_")]:
            del os.environ[key]
        async with opened(project, Scene.plain()) as stage:
            runs = await prepare(stage)
        for scene in chosen:
            try:
                await take(project, runs, scene)
            except Exception as error:  # noqa: BLE001 - the others can be taken all the same
                failed += 1
                print(f"{scene.name}: {type(error).__name__}: {error}", file=sys.stderr)
        os.chdir(HERE)
    PAGE.write_text(page(), encoding="utf-8")
    return failed


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
