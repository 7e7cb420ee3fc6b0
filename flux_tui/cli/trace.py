"""``flux trace tail`` and ``flux trace stats``: a trace as lines to read, and what it comes to."""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from flux_engine.trace.events import EventType, TraceEvent, encode_event
from flux_tui.cli.bar import bar
from flux_tui.cli.completion import complete_run
from flux_tui.cli.epilogs import epilog
from flux_tui.cli.errors import INTERRUPTED, UsageError
from flux_tui.cli.masking import known_secrets
from flux_tui.cli.options import Json, settings_with
from flux_tui.cli.terminal import Look, look_of
from flux_tui.cli.texts import counted
from flux_tui.cli.trace_input import Wanted, check_readable, every_event, following, last_events, piped
from flux_tui.model.event_line import event_line
from flux_tui.model.secrets import Secrets
from flux_tui.model.text import duration_text, fit, printable
from flux_tui.model.trace_stats import Durations, StepStats, TraceStats, TraceTally, WorkflowStats, as_json
from flux_tui.settings import STANDARD_INPUT

_TYPES: Final = tuple(kind.value for kind in EventType)
_NAME: Final = 24

Writer = Callable[[list[TraceEvent]], None]

File = Annotated[
    Path | None,
    typer.Argument(metavar="[FILE|-]", help="A trace, or - for standard input. Default: as configured."),
]


def add_to(app: typer.Typer) -> None:
    """Add the group of commands to an app."""
    group = typer.Typer(help="Read traces.", rich_markup_mode=None, no_args_is_help=True)
    group.command(
        "tail",
        epilog=epilog(
            "flux trace tail",
            "flux trace tail --follow --run 3f2a9c",
            "flux trace tail --type step:error --type workflow:error -n 100",
            "ssh host tail -f trace.ndjson | flux trace tail - --follow",
            codes={INTERRUPTED: "ended by Ctrl-C"},
        ),
    )(tail)
    group.command(
        "stats",
        epilog=epilog(
            "flux trace stats", "flux trace stats old.ndjson --json", "zcat *.gz | flux trace stats -"
        ),
    )(stats)
    app.add_typer(group, name="trace")


def tail(
    file: File = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written.")] = False,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="Only this run, by the beginning of its id.",
            autocompletion=complete_run,
        ),
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="Only these, such as step:error or step:*. Repeatable.",
            autocompletion=lambda: list(_TYPES),
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="At most so many of what is there.")
    ] = 20,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show secrets too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write the events as lines of JSON.")] = False,
) -> None:
    """Show the last events of a trace, one a line, with secrets masked."""
    settings = settings_with()
    path = settings.trace if file is None else file
    wanted = _wanted(run, kinds or [])
    secrets = None if reveal else known_secrets(settings)
    look = look_of(sys.stdout, ascii_only=settings.ascii)

    def write(events: list[TraceEvent]) -> None:
        for event in events:
            line = _json_line(event, secrets) if as_json else _line(event, secrets, look)
            sys.stdout.write(line + "\n")
        sys.stdout.flush()

    try:
        if path == STANDARD_INPUT:
            _tail_pipe(wanted, limit, write_all=follow, write=write)
            return
        check_readable(path)
        reader, events = last_events(path, wanted, limit)
        write(events)
        if follow:
            for events in following(reader, wanted):
                write(events)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def _tail_pipe(wanted: Wanted, limit: int, *, write_all: bool, write: Writer) -> None:
    """Write what comes, at once when it is followed, else the last of it when it has ended."""
    kept: list[TraceEvent] = []
    for events in piped(wanted):
        if write_all:
            write(events)
        else:
            kept = [*kept, *events][-limit:] if limit else []
    write(kept)


def _wanted(run: str | None, kinds: list[str]) -> Wanted:
    for kind in kinds:
        if not kind.endswith("*") and kind not in _TYPES:
            raise UsageError(f"--type {kind}: there is no such type. There are: {', '.join(_TYPES)}")
    exact = frozenset(kind for kind in kinds if not kind.endswith("*"))
    beginnings = tuple(kind.removesuffix("*") for kind in kinds if kind.endswith("*"))

    def wanted(event: TraceEvent) -> bool:
        if run is not None and not event.workflow_id.startswith(run):
            return False
        return not kinds or event.type in exact or event.type.startswith(beginnings)

    return wanted


def _line(event: TraceEvent, secrets: Secrets | None, look: Look) -> str:
    return "".join(look.toned(text, tone) for text, tone in event_line(event, secrets)).rstrip()


def _json_line(event: TraceEvent, secrets: Secrets | None) -> str:
    value = msgspec.json.decode(encode_event(event))
    return json.dumps(value if secrets is None else secrets.told(value), ensure_ascii=False)


def stats(file: File = None, *, wants_json: Json = False) -> None:
    """Sum up a trace: events and runs, and for each workflow how its runs ended and how long they took."""
    settings = settings_with()
    path = settings.trace if file is None else file
    size = None
    if path != STANDARD_INPUT:
        check_readable(path)
        size = path.stat().st_size
    tally, bad = TraceTally(), [0]
    look = look_of(sys.stdout, ascii_only=settings.ascii)
    with bar("reading", look_of(sys.stderr, ascii_only=settings.ascii)) as shown:

        def note_bad(count: int) -> None:
            bad[0] += count

        def note_bytes(done: int) -> None:
            if size is not None:
                shown.show(done, max(size, done))

        for event in every_event(path, note_bad, note_bytes):
            tally.add(event)
    found = tally.stats()
    if wants_json:
        typer.echo(json.dumps(as_json(found, source=str(path), size=size, bad_lines=bad[0]), indent=2))
        return
    for line in _stats_lines(found, size, bad[0], look):
        typer.echo(line)


def _stats_lines(found: TraceStats, size: int | None, bad: int, look: Look) -> list[str]:
    head = f"{counted(found.events, 'event')}, {counted(found.runs, 'run')}"
    head += "" if size is None else f", {size:,} bytes"
    lines = [head + (f", {look.toned(counted(bad, 'bad line'), 'error')}" if bad else ", no bad lines")]
    if found.first is not None and found.last is not None:
        lines.append(f"from {_time(found.first)} to {_time(found.last)}")
    for workflow in found.workflows:
        lines += ["", *_workflow_lines(workflow, look)]
    return lines


def _workflow_lines(workflow: WorkflowStats, look: Look) -> list[str]:
    statuses = ", ".join(f"{count:,} {status}" for status, count in workflow.statuses.items())
    lines = [
        f"{printable(workflow.name) or '(no name)'}  {counted(workflow.runs, 'run')}: {statuses}"
        f"  {_durations(workflow.durations)}".rstrip()
    ]
    if workflow.steps:
        titles = ("done", "failed", "skipped", "retries", "p50", "p95")
        head = f"  {'step':<{_NAME}}" + "".join(f" {title:>9}" for title in titles)
        lines += [look.toned(head, "muted"), *map(_step_line, workflow.steps)]
    return lines


def _step_line(step: StepStats) -> str:
    numbers = "".join(f" {count:>9,}" for count in (step.completed, step.failed, step.skipped, step.retries))
    times = "".join(
        f" {'' if time is None else duration_text(time):>9}"
        for time in (step.durations.p50, step.durations.p95)
    )
    return f"  {fit(printable(step.name), _NAME)}{numbers}{times}".rstrip()


def _durations(found: Durations) -> str:
    if found.p50 is None or found.p95 is None:
        return ""
    return f"p50 {duration_text(found.p50)}, p95 {duration_text(found.p95)}"


def _time(milliseconds: float) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
