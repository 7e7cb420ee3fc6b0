"""The whole examination, in the order in which it is told."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from flux_tui.doctor.check import Check
from flux_tui.doctor.configuration import check_configuration, check_keymap, check_paths
from flux_tui.doctor.modules import check_modules
from flux_tui.doctor.owners import check_owners
from flux_tui.doctor.server_store import check_server_store
from flux_tui.doctor.store import check_store
from flux_tui.doctor.terminal import check_terminal
from flux_tui.doctor.trace import check_trace
from flux_tui.doctor.versions import check_versions
from flux_tui.settings import Settings, SettingsError, load_settings


def examine(
    project: Path, flags: Mapping[str, Any], environ: Mapping[str, str], stream: TextIO
) -> Iterator[Check]:
    """Look the project over, piece by piece. Nothing is changed, and nothing that is found is raised.

    With settings that cannot be read, the rest is looked at as it would be without them.
    """
    yield from check_versions()
    yield from check_configuration(project, environ)
    try:
        settings = load_settings(project, flags, environ)
    except SettingsError:
        settings = Settings(project=project).anchored()
    yield from check_paths(settings)
    yield from check_keymap(settings, environ)
    if settings.db.file is None:
        yield from check_server_store(settings.db)
    else:
        yield from check_store(settings.db.file)
    yield from check_owners(settings.db)
    yield from check_trace(settings.trace)
    yield from check_modules(settings, [path for path in settings.workflows or [project] if path.exists()])
    yield from check_terminal(stream, environ, editor_setting=settings.editor)
