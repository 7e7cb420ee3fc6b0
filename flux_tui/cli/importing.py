"""``flux import``: taking over the runs of a store that the ancestor wrote."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from flux_engine.gravito import TABLE, ImportReport, import_gravito
from flux_engine.storage.schema import APPLICATION_ID
from flux_engine.trace.events import decode_event
from flux_tui.cli.epilogs import epilog
from flux_tui.cli.errors import UsageError
from flux_tui.cli.options import Db, Json, settings_with
from flux_tui.cli.texts import shown_store
from flux_tui.model.json_text import write_json
from flux_tui.stores import open_store
from flux_tui.workspace import make_folder

_SQLITE: Final = b"SQLite format 3\x00"
_LONGEST_LINE: Final = 64 * 1024 * 1024
SOME_FAILED: Final = 1


def add_to(app: typer.Typer) -> None:
    """Add the command to an app."""
    app.command(
        "import",
        epilog=epilog(
            "flux import old/flux.db",
            "flux import old/flux.db --overwrite --json",
            codes={SOME_FAILED: "some runs could not be understood"},
        ),
    )(import_file)


def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An SQLite file of @gravito/flux.")],
    *,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace runs that the store has already.")
    ] = False,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Copy the runs of an @gravito/flux store into the store here. The file is only read."""
    settings = settings_with(db=db)
    check(file)
    make_folder(settings.db.folder(settings.project))

    async def imported() -> ImportReport:
        storage = open_store(settings.db)
        try:
            return await import_gravito(file, storage, overwrite=overwrite)
        finally:
            await storage.close()

    report = asyncio.run(imported())
    typer.echo(f"{report}\ninto {shown_store(settings.db)}. See them with: flux runs list", err=True)
    if as_json:
        typer.echo(write_json(msgspec.to_builtins(report)))
    if report.problems:
        raise typer.Exit(SOME_FAILED)


def check(path: Path) -> None:
    """Raise ``UsageError`` for a file that cannot be imported, saying what it is and what to do with it."""
    try:
        with path.open("rb") as file:
            line = file.readline(_LONGEST_LINE)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    if line.startswith(_SQLITE):
        _check_database(path)
        return
    try:
        decode_event(line)
    except msgspec.MsgspecError:
        raise UsageError(
            f"{path} is no SQLite file: expected a store of @gravito/flux, with the table {TABLE}"
        ) from None
    raise UsageError(
        f"{path} is a trace or an exported run. It tells what happened and lacks what a store needs to go on "
        f"with a run, so it cannot become one. Look at it with: flux-tui {path}"
    )


def _check_database(path: Path) -> None:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
        except sqlite3.Error as error:
            raise UsageError(f"{path} cannot be read as SQLite: {error}") from None
    if application == APPLICATION_ID:
        raise UsageError(
            f"{path} is a store of Flux as it is. Use it where it lies: flux runs list --db {path}"
        )
