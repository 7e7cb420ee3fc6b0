"""The command line of Flux: ``flux`` with its commands, and ``flux-tui``, which is ``flux dev``.

Nothing is imported before it is known which command it is for: ``flux --version`` imports next to
nothing, and no command but the dashboard imports Textual.
"""

import os
import sys


def main() -> None:
    """Run the ``flux`` command."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        _print_version("flux")
        return
    if sys.argv[1:2] == ["dev"]:
        _open_plainly(sys.argv[2:])
    from flux_tui.cli.commands import run_flux  # noqa: PLC0415 - after the fast path

    run_flux()


def dashboard() -> None:
    """Run the ``flux-tui`` command."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        _print_version("flux-tui")
        return
    _open_plainly(sys.argv[1:])
    from flux_tui.cli.commands import run_dashboard_command  # noqa: PLC0415 - after the fast path

    run_dashboard_command()


def _open_plainly(words: list[str]) -> None:
    from flux_tui.long_lived import begin  # noqa: PLC0415 - after the fast path

    begin()
    from flux_tui.cli.plain_start import opened_plainly  # noqa: PLC0415 - as above

    opened_plainly(words, os.environ)


def _print_version(program: str) -> None:
    from importlib.metadata import version  # noqa: PLC0415 - costs as much as all else here

    sys.stdout.write(f"{program} {version('flux-tui')}\n")
