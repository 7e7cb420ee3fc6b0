"""From an exception to the ``ErrorInfo`` that is stored and shown."""

import functools
import sysconfig
import traceback
from pathlib import Path
from types import TracebackType

from flux_engine.execution import ErrorInfo, Frame
from flux_engine.secrets import registered

MAX_MESSAGE = 16_384
MAX_TEXT = 65_536
MAX_FRAMES = 60


class RecordedError(Exception):
    """Stands for an exception that was raised, and described, in another process or at another time."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(str(info))
        self.info = info


def describe_exception(error: BaseException, *, step: str | None = None) -> ErrorInfo:
    """Describe an exception: its type, its message, its frames and its whole traceback as text.

    The engine's own frames are left out of ``frames``. Of a very deep traceback only the innermost
    ``MAX_FRAMES`` frames are kept, and long texts are cut.
    """
    if isinstance(error, RecordedError):
        return error.info
    return ErrorInfo(
        type=type(error).__qualname__,
        message=_cut(_message(error), MAX_MESSAGE),
        step=step,
        frames=_frames(error.__traceback__),
        text=_cut(_text(error), MAX_TEXT),
    )


def summary(error: ErrorInfo) -> str:
    """Return the error as one line for a listing, at most 200 characters long."""
    lines = str(error).strip().splitlines()
    return _cut(lines[0], 200) if lines else error.type


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # noqa: BLE001 - any user's __str__ may fail
        return f"<no message: its __str__ raised {type(broken).__name__}>"


def _text(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error, limit=-MAX_FRAMES))
    except Exception:  # noqa: BLE001 - as above
        return f"{type(error).__qualname__}: {_message(error)}\n"


def _frames(tb: TracebackType | None) -> tuple[Frame, ...]:
    frames = [
        Frame(
            file=entry.filename,
            line=entry.lineno or 0,
            function=entry.name,
            code=registered.mask((entry.line or "").strip()),
            user=_is_user_file(entry.filename),
        )
        for entry in traceback.extract_tb(tb, limit=-MAX_FRAMES)
        if not entry.filename.startswith(_engine_folder())
    ]
    return tuple(frames)


@functools.cache
def _engine_folder() -> str:
    return str(Path(__file__).parent) + "/"


@functools.cache
def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return tuple({f"{paths[name]}/" for name in names if name in paths})


@functools.lru_cache(maxsize=1024)
def _is_user_file(file: str) -> bool:
    if file.startswith("<"):
        return False
    return not file.startswith(_library_folders()) and "site-packages" not in Path(file).parts


def _cut(text: str, limit: int) -> str:
    """Keep at most ``limit`` characters, secrets masked, and surrogates, which nothing can store, escaped."""
    text = registered.mask(text.encode("utf-8", "backslashreplace").decode())
    return text if len(text) <= limit else text[: limit - 1] + "…"
