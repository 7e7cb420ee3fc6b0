"""What a command does not show: the secrets of the project."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer
from msgspec.structs import replace

from flux_engine.replay_report import ReplayReport, StepDifference
from flux_tui.cli.terminal import user_code_prints_to_stderr
from flux_tui.model.secrets import Secrets
from flux_tui.model.text import printable
from flux_tui.runner.discovery import Unreadable, find_modules
from flux_tui.runner.loader import load_modules
from flux_tui.settings import Settings

_MARKS: Final = (b"register_secret", b"SecretStr", b"SecretBytes")


def known_secrets(settings: Settings) -> Secrets:
    """Return what tells secrets by the names of their keys; those registered by value are masked from now on.

    For them the modules of the project are imported whose text mentions ``register_secret`` or a secret type
    of pydantic, and no others. What only a handler registers, when it runs, is not known here.
    """
    registering = list(_registering(settings))
    if registering:
        with user_code_prints_to_stderr():
            loaded = load_modules(registering, root=settings.project)
        for module in loaded.modules:
            if module.problem is not None:
                about = "does not load, so what it registers as secret may be shown"
                typer.echo(f"flux: {printable(str(module.path))} {about}", err=True)
    return Secrets(settings.redact)


def _registering(settings: Settings) -> Iterator[Path]:
    for found in find_modules(settings.workflows or [settings.project]):
        if not isinstance(found, Unreadable) and _has_mark(found.read_bytes()):
            yield found


def _has_mark(source: bytes) -> bool:
    return any(mark in source for mark in _MARKS)


def masked_report(report: ReplayReport, secrets: Secrets) -> ReplayReport:
    """Return what a replay found without the secrets in it."""
    return replace(report, steps=tuple(_masked_difference(each, secrets) for each in report.steps))


def _masked_difference(difference: StepDifference, secrets: Secrets) -> StepDifference:
    def masked(value: Any) -> Any:
        named = secrets.redact({difference.key or "": value})
        return secrets.told(next(iter(named.values()))) if value is not None else None

    return replace(difference, recorded=masked(difference.recorded), replayed=masked(difference.replayed))
