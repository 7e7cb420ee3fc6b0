"""A project's store and trace: their folders, and the engines that the commands open on them."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from flux_engine.engine import FluxEngine
from flux_engine.errors import StorageError
from flux_engine.hooks import Hooks
from flux_engine.logger import FluxLogger
from flux_engine.trace.sinks import FluxTraceSink, JsonFileTraceSink, MultiTraceSink
from flux_tui.settings import Settings
from flux_tui.stores import open_store

FOLDER: Final = ".flux"
PRIVATE: Final = 0o700


def open_engine(
    settings: Settings,
    *,
    trace: FluxTraceSink | None = None,
    hooks: Hooks | None = None,
    logger: FluxLogger | None = None,
    pause_before: Callable[[str, str, str], bool] | None = None,
) -> FluxEngine:
    """Return an engine on the project's store, writing the project's trace. Enter it with ``async with``.

    ``trace`` is told every event too; ``pause_before`` is the engine's. Raises ``StorageError`` when a folder
    cannot be made.
    """
    make_folders(settings)
    file = JsonFileTraceSink(settings.trace)
    return FluxEngine(
        storage=open_store(settings.db),
        trace=file if trace is None else MultiTraceSink(file, trace),
        default_retries=settings.default_retries,
        default_timeout=settings.default_timeout,
        logger=logger,
        on=hooks,
        pause_before=pause_before,
    )


def open_for_looking(settings: Settings) -> FluxEngine:
    """Return an engine that reads the project's store and creates, migrates and writes nothing."""
    return FluxEngine(storage=open_store(settings.db, read_only=True))


def make_folders(settings: Settings) -> None:
    """Make the folders of the store and the trace. Raises ``StorageError``."""
    make_folder(settings.db.folder(settings.project))
    make_folder(settings.trace.parent)


def make_folder(folder: Path) -> None:
    """Make the folder of a store or trace, for its owner only; ``.flux`` is also hidden from git.

    A folder that exists is left as it is.
    """
    if folder.is_dir():
        return
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=PRIVATE, exist_ok=True)
        if folder.name == FOLDER:
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"The folder {folder} cannot be made: {error.strerror or error}. "
            "Choose another place with --db and --trace, or in [tool.flux]."
        ) from error
