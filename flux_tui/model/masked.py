"""What a run says in words — errors and logs — with the secrets taken out.

Its data stays true, for a retry needs it; whoever shows data masks it there.
"""

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from flux_engine.execution import ErrorInfo, Frame
from flux_engine.secrets import registered
from flux_tui.model.run import LogLine, RunView, StepView
from flux_tui.model.secrets import Secrets
from flux_tui.model.spans import FailedAttempt

LONGEST: Final = 100_000
"""Characters of a message, a traceback or a line that are shown; the trace and the store have all."""

MOST_FRAMES: Final = 2_000


def shortened(text: str) -> str:
    """Return a text without its middle when it is too long to be looked at; no secret is cut in two."""
    if len(text) <= LONGEST:
        return text
    half = LONGEST // 2
    _, _, end = text[-half:].partition("\n" if "\n" in text[-half:] else " ")
    begin = registered.mask_cut(text[:half])
    return f"{begin}… {len(text) - half - len(end):,} characters are left out …\n{end}"


def masked_error(error: ErrorInfo, secrets: Secrets) -> ErrorInfo:
    """Return an exception with the secrets in its message, its code and its traceback masked."""
    return replace(
        error,
        message=secrets.text(shortened(error.message)),
        frames=tuple(_frame(frame, secrets) for frame in error.frames[-MOST_FRAMES:]),
        text="\n".join(map(secrets.text, shortened(error.text).split("\n"))),
    )


def masked_run(run: RunView, secrets: Secrets) -> RunView:
    """Return a run with its errors masked; the same value when it has none."""
    if run.error is None and all(step.error is None and not step.failures for step in run.steps):
        return run
    return replace(
        run,
        error=None if run.error is None else masked_error(run.error, secrets),
        steps=tuple(_step(step, secrets) for step in run.steps),
    )


def masked_logs(lines: Sequence[LogLine], secrets: Secrets) -> list[LogLine]:
    """Return log lines with the secrets in them masked."""
    return [replace(line, text=secrets.text(shortened(line.text).replace("\n", " "))) for line in lines]


def masked_attempts(attempts: Sequence[FailedAttempt], secrets: Secrets) -> tuple[FailedAttempt, ...]:
    """Return failed attempts with their errors masked."""
    return tuple(replace(each, error=masked_error(each.error, secrets)) for each in attempts)


def _step(step: StepView, secrets: Secrets) -> StepView:
    error = None if step.error is None else masked_error(step.error, secrets)
    return replace(step, error=error, failures=masked_attempts(step.failures, secrets))


def _frame(frame: Frame, secrets: Secrets) -> Frame:
    return replace(frame, code=secrets.text(shortened(frame.code)))
