"""``flux import``: taking over the runs of another store: the ancestor's, a file's, or a server's."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from flux_engine.gravito import TABLE, ImportReport, import_gravito
from flux_engine.storage.schema import APPLICATION_ID
from flux_engine.storage.transfer import copy_runs
from flux_engine.trace.events import decode_event
from flux_tui.address import AddressError, StoreAddress
from flux_tui.cli.epilogs import epilog
from flux_tui.cli.errors import UsageError
from flux_tui.cli.options import Db, Json, settings_with
from flux_tui.cli.texts import shown_store
from flux_tui.model.json_text import write_json
from flux_tui.settings import Settings
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
            "flux import .flux/flux.db --db postgresql://flux@db.internal/flux",
            "flux import old/flux.db --overwrite --json",
            codes={SOME_FAILED: "some runs were left out"},
        ),
    )(import_runs)


def import_runs(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|DSN", help="A store of Flux, or an SQLite file of @gravito/flux; it is only read."
        ),
    ],
    *,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace runs that the store has already.")
    ] = False,
    db: Db = None,
    as_json: Json = False,
) -> None:
    """Copy the runs of another store into the store here.

    A run that a process has in hand is left out and named: two stores would go on with it.
    """
    settings = settings_with(db=db)
    address = _address(source)
    if _is_same(address, settings.db):
        raise UsageError(f"{address} is the store here. Name the one to copy to with --db")
    own = address.file is None or check(address.file)
    make_folder(settings.db.folder(settings.project))
    copy = _copied if own else _taken
    report = asyncio.run(copy(settings, address, overwrite))
    typer.echo(f"{report}\ninto {shown_store(settings.db)}. See them with: flux runs list", err=True)
    if as_json:
        typer.echo(write_json(msgspec.to_builtins(report)))
    if report.problems:
        raise typer.Exit(SOME_FAILED)


def _address(text: str) -> StoreAddress:
    try:
        return StoreAddress.of(text)
    except AddressError as error:
        raise UsageError(str(error)) from None


def _is_same(address: StoreAddress, other: StoreAddress) -> bool:
    if address.file is None or other.file is None:
        return str(address) == str(other)
    return address.file.resolve() == other.file.resolve()


async def _copied(settings: Settings, address: StoreAddress, overwrite: bool) -> ImportReport:  # noqa: FBT001
    source, target = open_store(address, read_only=True), open_store(settings.db)
    try:
        await source.open()
        await target.open()
        return await copy_runs(source, target, name=str(address), overwrite=overwrite)
    finally:
        await source.close()
        await target.close()


async def _taken(settings: Settings, address: StoreAddress, overwrite: bool) -> ImportReport:  # noqa: FBT001
    storage = open_store(settings.db)
    try:
        return await import_gravito(str(address), storage, overwrite=overwrite)
    finally:
        await storage.close()


def check(path: Path) -> bool:
    """Return whether a file is a store of Flux; it is one of the ancestor else.

    Raises ``UsageError`` for a file that cannot be imported, saying what it is and what to do with it.
    """
    try:
        with path.open("rb") as file:
            line = file.readline(_LONGEST_LINE)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    if line.startswith(_SQLITE):
        return _is_own(path)
    try:
        decode_event(line)
    except msgspec.MsgspecError:
        raise UsageError(
            f"{path} is no SQLite file: expected a store of Flux, or of @gravito/flux with the table {TABLE}"
        ) from None
    raise UsageError(
        f"{path} is a trace or an exported run. It tells what happened and lacks what a store needs to go on "
        f"with a run, so it cannot become one. Look at it with: flux-tui {path}"
    )


def _is_own(path: Path) -> bool:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
        except sqlite3.Error as error:
            raise UsageError(f"{path} cannot be read as SQLite: {error}") from None
    return bool(application == APPLICATION_ID)
