"""Whether the settings are understood, and the keymap leaves every action within reach."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from flux_tui.address import PASSWORD_VARIABLE
from flux_tui.doctor.check import Check, bad, good, warning
from flux_tui.settings import Layer, Settings, SettingsError, files, layers

AREA: Final = "settings"


def check_configuration(project: Path, environ: Mapping[str, str]) -> Iterator[Check]:
    """Look at all places that settings are read from."""
    try:
        said = [layer for layer in layers(project, {}, environ) if layer.values]
    except SettingsError as error:
        for line in str(error).splitlines():
            yield bad(AREA, line, "correct it there: every command stops at it")
        return
    for layer in said:
        places = [layer.place] if layer.place else sorted(map(layer.origin, layer.values))
        yield good(AREA, f"{', '.join(places)}: {', '.join(layer.values)}")
    yield from _passwords(project, said)
    if not said:
        names = " and ".join(path.name for path in files(project))
        yield good(AREA, f"nothing is set in {names}; Flux works without")


def _passwords(project: Path, said: list[Layer]) -> Iterator[Check]:
    """Warn of a password in a file that others get with the code."""
    for layer in said:
        address = layer.values.get("db")
        if address is not None and address.password is not None and layer.place is not None:
            yield warning(
                AREA,
                f"{layer.origin('db')}: db has a password in it, and {project.name} is shared with others",
                f"take it out; give it in {PASSWORD_VARIABLE}, PGPASSWORD or ~/.pgpass",
            )


def check_paths(settings: Settings) -> Iterator[Check]:
    """Look whether the paths that the settings name are there."""
    for path in settings.workflows:
        if not path.exists():
            yield bad(
                AREA, f"workflows: there is no {path}", "correct the setting, or make the file or folder"
            )


def check_keymap(settings: Settings, environ: Mapping[str, str]) -> Iterator[Check]:
    """Look for mistakes and clashes. Only a keymap that there is has the dashboard's screens loaded."""
    if not settings.keymap:
        return
    from flux_tui import key_help, keymap  # noqa: PLC0415 - loads the screens, and Textual with them

    place = keymap.place_of_keymap(settings.project, environ)
    problems = keymap.problems(settings.keymap, key_help.every_key(), place)
    for problem in problems:
        yield warning("keymap", problem, "see all keys: flux config keys")
    if not problems:
        yield good("keymap", f"{place}: {len(settings.keymap)} keys bound, none clashes")
