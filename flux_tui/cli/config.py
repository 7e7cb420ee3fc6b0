"""``flux config``: which settings hold here, where each comes from, and the keys of the dashboard."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from flux_tui.cli.epilogs import epilog
from flux_tui.cli.errors import UsageError
from flux_tui.cli.options import Json
from flux_tui.cli.terminal import look_of
from flux_tui.cli.texts import shown_path
from flux_tui.model.json_text import write_json
from flux_tui.settings import KEYS, Layer, Settings, adapter, files, layers, load_settings

DEFAULT: Final = "default"
HAS_PROBLEMS: Final = 1


def add_to(app: typer.Typer) -> None:
    """Add the group of commands to an app."""
    group = typer.Typer(help="Show settings and keys.", rich_markup_mode=None, no_args_is_help=True)
    group.command("path", epilog=epilog("flux config path", "flux config path --json"))(path)
    group.command("show", epilog=epilog("flux config show", "FLUX_DB=other.db flux config show db --json"))(
        show
    )
    group.command(
        "keys",
        epilog=epilog(
            "flux config keys",
            "flux config keys --rebound",
            "flux config keys --json",
            codes={HAS_PROBLEMS: "the keymap has mistakes"},
        ),
    )(keys)
    app.add_typer(group, name="config")


def path(*, as_json: Json = False) -> None:
    """Show the files that settings are read from; a later one goes before an earlier one."""
    found = files(Path.cwd())
    said = {layer.place: bool(layer.values) for layer in layers(Path.cwd(), {})}
    rows = [
        {
            "path": str(file),
            "exists": file.is_file(),
            "has_settings": any(
                holds for place, holds in said.items() if place and place.startswith(str(file))
            ),
        }
        for file in found
    ]
    variables = [f"FLUX_{key.upper()}" for key in KEYS if os.environ.get(f"FLUX_{key.upper()}")]
    if as_json:
        typer.echo(json.dumps({"files": rows, "environment": variables}, indent=2))
        return
    for row in rows:
        state = (
            "read" if row["has_settings"] else "nothing about Flux in it" if row["exists"] else "not there"
        )
        typer.echo(f"{row['path']}  {state}")
    typer.echo(f"environment  {', '.join(variables) or 'no FLUX_ variable is set'}")


def show(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY]...", help="Default: all.", autocompletion=lambda: [*KEYS]),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show the settings that hold here, and where each of them comes from."""
    unknown = [name for name in names or () if name not in KEYS]
    if unknown:
        raise UsageError(f"there is no setting {unknown[0]!r}. There are: {', '.join(KEYS)}")
    settings = load_settings(Path.cwd(), {})
    values = adapter(Settings).dump_python(settings, mode="json")
    origins = origins_of(layers(Path.cwd(), {}))
    chosen = [key for key in KEYS if not names or key in names]
    if as_json:
        rows = {key: {"value": values[key], "from": origins.get(key, DEFAULT)} for key in chosen}
        typer.echo(write_json(rows))
        return
    look = look_of(sys.stdout, ascii_only=settings.ascii)
    texts = {key: json.dumps(values[key], ensure_ascii=False) for key in chosen}
    cells = min(max(map(len, texts.values())), 40)
    for key, text in texts.items():
        origin = origins.get(key)
        whence = shown_path(origin) if origin and origin.startswith("/") else origin or DEFAULT
        typer.echo(f"{key:<16} {text:<{cells}}  {look.toned(whence, '' if origin else 'muted')}")


def origins_of(found: list[Layer]) -> dict[str, str]:
    """Return where each setting that is set stands: in the strongest place that has it."""
    return {key: layer.origin(key) for layer in found for key in layer.values}


def keys(
    *,
    rebound: Annotated[bool, typer.Option("--rebound", help="Only keys that the settings change.")] = False,
    as_json: Json = False,
) -> None:
    """Show every key of the dashboard by its id, with what the keymap of the settings makes of it.

    What is wrong with the keymap goes to standard error. The keys are those of the screens themselves, so
    this takes as long as the dashboard to start.
    """
    from flux_tui import key_help, keymap  # noqa: PLC0415 - loads the screens, and Textual with them
    from flux_tui.actions.keys import key_text  # noqa: PLC0415 - as above

    settings = load_settings(Path.cwd(), {})
    every = [key for key in key_help.every_key() if not rebound or key.id in settings.keymap]
    problems = keymap.problems(
        settings.keymap, key_help.every_key(), keymap.place_of_keymap(Path.cwd(), os.environ)
    )
    if as_json:
        rows = json.loads(keymap.as_json(settings.keymap, every))
        for row, key in zip(rows, every, strict=True):
            row |= {"default": list(key.keys), "rebound": key.id in settings.keymap}
        typer.echo(write_json({"keys": rows, "problems": problems}))
    else:
        cells = max((len(key.id) for key in every), default=0)
        for key in every:
            now = " ".join(key_text(each) for each in keymap.keys_with(key, settings.keymap)) or "-"
            was = " ".join(key_text(each) for each in key.keys) or "no key"
            note = f"  (rebound, was {was})" if key.id in settings.keymap else ""
            where = f"  {key.part}" if key.part else ""
            typer.echo(f"{key.id:<{cells}}  {now:<14}  {key.title}{where}{note}")
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(HAS_PROBLEMS)
