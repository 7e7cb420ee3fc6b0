"""How an exception is laid out: what happened, where in the user's code, and the rest folded away."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace
from textual.content import Content

from flux_engine.execution import ErrorInfo, Frame
from flux_tui.model.run import StepView
from flux_tui.model.source import short_path, source_lines
from flux_tui.model.spans import FailedAttempt
from flux_tui.model.text import duration_text, printable
from flux_tui.runner.messages import Problem
from flux_tui.widgets import tones
from flux_tui.widgets.code import highlighted
from flux_tui.widgets.text_rows import TextRow

CONTEXT = 3
LIBRARIES, TRACEBACK, OUTPUT = "libraries", "traceback", "output"


def error_rows(
    error: ErrorInfo,
    step: StepView | None,
    attempts: Sequence[FailedAttempt],
    opened: frozenset[str],
    width: int,
    *,
    height: int = 0,
) -> Iterator[TextRow]:
    """Yield the rows of an exception; ``opened`` names the folds that are open.

    Messages and tracebacks are wrapped to ``width`` cells. With a ``height``, so few lines of code lead to
    the one where it happened that it is in view.
    """
    head = [*_headline(error.type, error.message, width)]
    if step is not None:
        head.append(TextRow(key="step", content=_step_line(step)))
    yield from head
    above = CONTEXT if not height else max(0, min(CONTEXT, height - len(head) - 3))
    user = [frame for frame in error.frames if frame.user]
    libraries = [frame for frame in error.frames if not frame.user]
    for number, frame in enumerate(reversed(user)):
        yield _blank(f"before {number}")
        around = (above, CONTEXT) if number == 0 else (0, 0)
        yield from _frame(frame, f"user {number}", around)
    if libraries:
        yield _blank("before libraries")
        count = f"{len(libraries)} frame{'s' if len(libraries) > 1 else ''} in libraries"
        yield from _folded(LIBRARIES, count, opened, _library_frames(libraries))
    yield from _attempts(attempts, opened, width)
    if error.text:
        if not libraries:
            yield _blank("before traceback")
        yield from _folded(
            TRACEBACK, "Traceback as Python prints it", opened, _text(error.text, TRACEBACK, width)
        )
    elif not error.frames:
        yield _blank("before note")
        note = "The trace has no more than this line of the error."
        yield from _wrapped(Content.styled(note, tones.MUTED), "note", width)


def problem_rows(problem: Problem, opened: frozenset[str], output: str, width: int) -> Iterator[TextRow]:
    """Yield the rows of a module that did not load."""
    yield from _headline(problem.kind, problem.message, width)
    place = (problem.file, problem.line or 1) if problem.file else None
    advice = "The module did not load. Fix the file and save: it is tried again at once."
    yield from _wrapped(Content.styled(advice, tones.MUTED), "step", width)
    if place is not None:
        yield _blank("before place")
        yield TextRow(key="place", content=_place_line(problem.file, problem.line, ""), place=place)
        around = (CONTEXT, CONTEXT)
        yield from _code(problem.file, problem.line, problem.code, "code", around, column=problem.column)
    if problem.traceback:
        yield _blank("before traceback")
        text = _text(problem.traceback, TRACEBACK, width)
        yield from _folded(TRACEBACK, "Traceback as Python prints it", opened, text)
    if output:
        yield from _folded(OUTPUT, "What the module printed", opened, _text(output, OUTPUT, width))


def _headline(kind: str, message: str, width: int) -> Iterator[TextRow]:
    first, *rest = message.splitlines() or [""]
    parts = [(printable(kind), f"bold {tones.BAD}")]
    if first:
        parts += [(": ", tones.BAD), (printable(first), tones.BAD)]
    yield from _wrapped(Content.assemble(*parts), "headline", width)
    for number, line in enumerate(rest):
        yield from _wrapped(Content.styled(printable(line), tones.BAD), f"message {number}", width, indent=2)


def _wrapped(content: Content, key: str, width: int, *, indent: int = 0) -> Iterator[TextRow]:
    for number, line in enumerate(content.wrap(max(width - indent, 10))):
        yield TextRow(key=(key, "line", number), content=line.pad_left(indent))


def _step_line(step: StepView) -> Content:
    parts = [f"in step {printable(step.name)}"]
    if step.max_tries:
        parts.append(f"try {step.tries} of {step.max_tries}")
    if step.attempt > step.tries:
        parts.append(f"attempt {step.attempt} of the run's life")
    if step.duration is not None:
        parts.append(f"after {duration_text(step.duration)}")
    return Content.styled(" · ".join(parts), tones.MUTED)


def _place_line(file: str, line: int | None, function: str) -> Content:
    where = f"{printable(short_path(file))}:{line}" if line else printable(short_path(file))
    parts = [(where, f"underline {tones.LINK}")]
    if function:
        parts += [(" in ", tones.MUTED), (printable(function), "bold")]
    return Content.assemble(*parts)


def _frame(frame: Frame, key: str, around: tuple[int, int]) -> Iterator[TextRow]:
    yield TextRow(
        key=key, content=_place_line(frame.file, frame.line, frame.function), place=(frame.file, frame.line)
    )
    yield from _code(frame.file, frame.line, frame.code, key, around)


def _code(
    file: str, line: int | None, code: str, key: str, around: tuple[int, int], *, column: int | None = None
) -> Iterator[TextRow]:
    """Yield a line of code with its neighbours, if the file still has that line there."""
    if line is None:
        return
    lines = source_lines(file)
    current = lines[line - 1] if lines is not None and 0 < line <= len(lines) else None
    if lines is None or current is None or (code and current.strip() != printable(code).strip()):
        if code:
            yield _code_row(highlighted([printable(code).rstrip()])[0], line, key, file, at=True)
            yield from _caret(printable(code), column, line, key)
        if lines is not None:
            note = "          the file has changed since"
            yield TextRow(key=(key, "changed"), content=Content.styled(note, tones.CARE))
        return
    above, below = around
    first = max(1, line - above)
    shown = lines[first - 1 : line + below]
    for number, content in enumerate(highlighted(shown), start=first):
        yield _code_row(content, number, key, file, at=number == line)
        if number == line:
            yield from _caret(current, column, line, key)


def _code_row(content: Content, number: int, key: str, file: str, *, at: bool) -> TextRow:
    mark = ("▸", f"bold {tones.BAD}") if at else (" ", "")
    style = f"bold {tones.BAD}" if at else tones.FAINT
    return TextRow(
        key=(key, number),
        content=Content.assemble(mark, (f" {number:>5}  ", style), content),
        place=(file, number),
    )


def _caret(code: str, column: int | None, line: int, key: str) -> Iterator[TextRow]:
    if column is not None and 0 < column <= len(code) + 1:
        pointer = f"{' ' * (9 + column - 1)}^"
        yield TextRow(key=(key, line, "caret"), content=Content.styled(pointer, f"bold {tones.BAD}"))


def _library_frames(frames: Sequence[Frame]) -> Iterator[TextRow]:
    for number, frame in enumerate(reversed(frames)):
        where = Content.assemble("  ", _place_line(frame.file, frame.line, frame.function))
        yield TextRow(key=(LIBRARIES, number), content=where, place=(frame.file, frame.line))
        if frame.code:
            code = f"    {printable(frame.code.strip())}"
            yield TextRow(key=(LIBRARIES, number, "code"), content=Content.styled(code, tones.MUTED))


def _attempts(attempts: Sequence[FailedAttempt], opened: frozenset[str], width: int) -> Iterator[TextRow]:
    if len(attempts) < 2:  # noqa: PLR2004
        return
    yield _blank("before attempts")
    yield TextRow(key="attempts", content=Content.styled("Failed attempts", tones.HEADING))
    for attempt in attempts:
        fold = f"attempt {attempt.number} {attempt.timestamp}"
        length = "" if attempt.duration is None else duration_text(attempt.duration)
        wait = "" if attempt.delay is None else f"  then waited {duration_text(attempt.delay)}"
        line = Content.assemble(
            ("▾ " if fold in opened else "▸ ", tones.MUTED),
            (f"{attempt.number:>3}  ", tones.MUTED),
            (f"{length:>8}  ", tones.MUTED),
            (printable(str(attempt.error).partition("\n")[0]), ""),
            (wait, tones.MUTED),
        )
        yield TextRow(key=fold, content=line, fold=fold)
        if fold in opened:
            yield from _inside(fold, _text(attempt.error.text or str(attempt.error), fold, width))


def _folded(fold: str, title: str, opened: frozenset[str], rows: Iterator[TextRow]) -> Iterator[TextRow]:
    sign = "▾ " if fold in opened else "▸ "
    yield TextRow(key=fold, content=Content.styled(sign + title, tones.MUTED), fold=fold)
    if fold in opened:
        yield from _inside(fold, rows)


def _inside(fold: str, rows: Iterator[TextRow]) -> Iterator[TextRow]:
    return (replace(row, inside=fold) for row in rows)


def _text(text: str, key: str, width: int) -> Iterator[TextRow]:
    for number, line in enumerate(text.splitlines()):
        yield from _wrapped(Content.styled(printable(line), tones.MUTED), f"{key} {number}", width, indent=4)


def _blank(key: str) -> TextRow:
    return TextRow(key=key, content=Content(""))
