"""``flux import``: taking over the runs of another store, of the ancestor, or one that was exported."""

import asyncio
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from flux_engine.exported_run import EXPORT, put_exported, read_exported
from flux_engine.gravito import TABLE, ImportReport, import_gravito
from flux_engine.storage.schema import APPLICATION_ID
from flux_engine.storage.transfer import copy_runs
from flux_engine.trace.events import decode_event
from flux_tui.address import AddressError, StoreAddress
from flux_tui.cli.epilogs import epilog
from flux_tui.cli.errors import UsageError
from flux_tui.cli.execution import finding_again
from flux_tui.cli.options import Db, Json, Trace, settings_with
from flux_tui.cli.texts import shown_store
from flux_tui.model.json_text import write_json
from flux_tui.retelling import retell
from flux_tui.settings import Settings
from flux_tui.stores import open_store
from flux_tui.workspace import make_folder

_SQLITE: Final = b"SQLite format 3\x00"
_LONGEST_LINE: Final = 64 * 1024 * 1024
SOME_FAILED: Final = 1
_MASKED: Final = (
    "{}: values of the run were masked when it was exported, or paths in them shortened, so it can be looked "
    "at and does not go on; exported with --reveal, it does"
)
STORE, GRAVITO, RUN = "store", "gravito", "run"


def add_to(app: typer.Typer) -> None:
    """Add the command to an app."""
    app.command(
        "import",
        epilog=epilog(
            "flux import old/flux.db",
            "flux import .flux/flux.db --db postgresql://flux@db.internal/flux",
            "flux import old/flux.db --overwrite --json",
            "flux import order-process-3f2a9c.flux",
            codes={SOME_FAILED: "some runs were left out"},
        ),
    )(import_runs)


def import_runs(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|DSN",
            help="A store of Flux, an exported run, or a file of @gravito/flux; only read.",
        ),
    ],
    *,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace runs that the store has already.")
    ] = False,
    db: Db = None,
    trace: Trace = None,
    as_json: Json = False,
) -> None:
    """Copy the runs of another store, or a run that was exported, into the store here.

    A run that a process has in hand is left out and named: two stores would go on with it. One whose
    secrets were masked when it was exported can be looked at, and does not go on.
    """
    settings = settings_with(db=db, trace=trace)
    address = _address(source)
    if _is_same(address, settings.db):
        raise UsageError(f"{address} is the store here. Name the one to copy to with --db")
    kind = STORE if address.file is None else kind_of(address.file)
    make_folder(settings.db.folder(settings.project))
    copy = {STORE: _copied, RUN: _put, GRAVITO: _taken}[kind]
    report = asyncio.run(copy(settings, address, overwrite))
    see = shlex.join(("flux", "runs", "list", *finding_again(None, None, db, None)))
    typer.echo(f"{report}\ninto {shown_store(settings.db)}. See them with: {see}", err=True)
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


async def _put(settings: Settings, address: StoreAddress, overwrite: bool) -> ImportReport:  # noqa: FBT001
    """Put an exported run into the store, and what happened in it into the trace."""
    found = await asyncio.to_thread(read_exported, Path(str(address.file)))
    storage = open_store(settings.db)
    try:
        report = await put_exported(found, storage, name=str(address), overwrite=overwrite)
    finally:
        await storage.close()
    if report.imported:
        await asyncio.to_thread(retell, settings.trace, found, anew=overwrite)
        if found.masked:
            typer.echo(_MASKED.format(address), err=True)
    return report


def kind_of(path: Path) -> str:
    """Return what a file is: a store of Flux, one of the ancestor, or an exported run.

    Raises ``UsageError`` for a file that cannot be imported, saying what it is and what to do with it.
    """
    try:
        with path.open("rb") as file:
            line = file.readline(_LONGEST_LINE)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None
    if line.startswith(_SQLITE):
        return STORE if _is_own(path) else GRAVITO
    try:
        event = decode_event(line)
    except msgspec.MsgspecError:
        raise UsageError(
            f"{path} is no exported run, and no SQLite file: expected a store of Flux, or of @gravito/flux "
            f"with the table {TABLE}"
        ) from None
    if event.type == EXPORT:
        return RUN
    raise UsageError(
        f"{path} is a trace, of which any part may be gone. Look at it with: flux-tui {path}. "
        "To import a run, write it with flux export RUN where its store is"
    )


def _is_own(path: Path) -> bool:
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
        except sqlite3.Error as error:
            raise UsageError(f"{path} cannot be read as SQLite: {error}") from None
    return bool(application == APPLICATION_ID)
