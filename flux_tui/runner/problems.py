"""From what went wrong while a module was loaded to the ``Problem`` that is shown until it is fixed."""

import linecache
import sys
import tokenize
import traceback
from collections.abc import Iterator
from pathlib import Path

from flux_tui.runner.messages import Problem
from flux_tui.runner.sources import is_user_file

MAX_MESSAGE = 4_000
MAX_FRAMES = 40
MAX_TRACEBACK = 32_000


def problem_of(error: BaseException, path: Path) -> Problem:
    """Describe what was raised while the module at ``path`` was found, imported or collected.

    The place is that of the innermost frame in the user's code, or of the error in the syntax.
    """
    if isinstance(error, SyntaxError):
        return _syntax_problem(error, path)
    if isinstance(error, UnicodeDecodeError):
        return _encoding_problem(error, path)
    file, line, column, code = _place(error, path)
    return Problem(
        kind=type(error).__qualname__,
        message=_cut(_message(error), MAX_MESSAGE),
        file=file,
        line=line,
        column=column,
        code=code,
        traceback=user_traceback(error),
    )


def user_traceback(error: BaseException) -> str:
    """Format the traceback with the frames of the user's code only; with all frames when there are none."""
    described = traceback.TracebackException.from_exception(error, compact=True)
    for part in _chain(described):
        kept = [frame for frame in part.stack if is_user_file(frame.filename)] or list(part.stack)
        if len(kept) > MAX_FRAMES:
            kept = kept[: MAX_FRAMES // 4] + kept[-MAX_FRAMES * 3 // 4 :]
        part.stack[:] = kept
    return _cut("".join(described.format()), MAX_TRACEBACK)


def user_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Return the frames of the user's code, innermost last."""
    stack = traceback.extract_tb(error.__traceback__)
    return [frame for frame in stack if is_user_file(frame.filename)]


def read_source(path: Path) -> str:
    """Return the text of a source file. Raises ``OSError``, ``SyntaxError`` or ``UnicodeDecodeError``."""
    with tokenize.open(path) as file:
        return file.read()


def _syntax_problem(error: SyntaxError, path: Path) -> Problem:
    file = error.filename if error.filename and not error.filename.startswith("<") else str(path)
    return Problem(
        kind=type(error).__qualname__,
        message=error.msg or "invalid syntax",
        file=file,
        line=error.lineno,
        column=error.offset or None,
        code=(error.text or linecache.getline(file, error.lineno or 0)).rstrip("\r\n"),
        traceback="".join(traceback.format_exception_only(error)),
    )


def _encoding_problem(error: UnicodeDecodeError, path: Path) -> Problem:
    before = error.object[: error.start]
    line = before.count(b"\n") + 1
    start = before.rfind(b"\n") + 1
    rest = error.object[start:].split(b"\n", 1)[0]
    return Problem(
        kind="UnicodeDecodeError",
        message=f"The file is not {error.encoding.upper()}: byte 0x{error.object[error.start]:02x} in line "
        f"{line}. Save it as UTF-8, or name its encoding in a comment in the first line.",
        file=str(path),
        line=line,
        column=len(before[start:].decode(errors="replace")) + 1,
        code=rest.decode(errors="backslashreplace").rstrip("\r"),
    )


def _message(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"The module called sys.exit({error.code!r}). A workflow module must only define things."
    if isinstance(error, KeyboardInterrupt):
        return "The module raised KeyboardInterrupt while it was imported."
    try:
        text = str(error)
    except Exception as broken:  # noqa: BLE001 - any user's __str__ may fail
        return f"<no message: its __str__ raised {type(broken).__name__}>"
    if isinstance(error, ModuleNotFoundError) and "installed" not in text:
        return f"{text}. It is neither in the project nor installed for {sys.executable}."
    return text


def _place(error: BaseException, path: Path) -> tuple[str, int | None, int | None, str]:
    frames = user_frames(error)
    if not frames:
        return str(path), None, None, ""
    frame = frames[-1]
    code = linecache.getline(frame.filename, frame.lineno or 0).rstrip("\r\n")
    column = None
    if frame.colno is not None:  # counted in bytes
        column = len(code.encode()[: frame.colno].decode(errors="replace")) + 1
    return frame.filename, frame.lineno, column, code


def _chain(described: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    part: traceback.TracebackException | None = described
    while part is not None:
        yield part
        yield from (inner for group in part.exceptions or () for inner in _chain(group))
        part = part.__cause__ or (None if part.__suppress_context__ else part.__context__)


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    return f"{text[: limit // 2]}\n… {len(text) - limit} characters left out …\n{text[-limit // 2 :]}"
