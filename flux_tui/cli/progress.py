"""Live progress of a run on standard error.

On a terminal each finished step is a line and the steps under way are one line that keeps moving; what
handlers print goes above it. Elsewhere each event is a plain line. The line is drawn by a thread of its
own, so that a handler that blocks the event loop still shows how long it has been at it.
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TextIO

from flux_engine.secrets import registered
from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.cli.terminal import Look, width
from flux_tui.model.secrets import Secrets
from flux_tui.model.text import cut, duration_text, printable

FRAME_SECONDS: Final = 0.1
_SPINNER: Final = ("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "|/-\\")
_ENDS: Final = (EventType.WORKFLOW_COMPLETE, EventType.WORKFLOW_ERROR, EventType.WORKFLOW_CANCEL)
_ERASE: Final = "\r\x1b[2K"


class Progress:
    """A trace sink that tells what happens.

    ``run_id``, ``running`` (the steps under way) and ``ended`` are what it has learnt so far.
    """

    def __init__(self, stream: TextIO, look: Look, secrets: Secrets, *, live: bool) -> None:
        self.run_id: str | None = None
        self.running: dict[str, tuple[float, str]] = {}
        self.ended = False
        self._stream = stream
        self._look = look
        self._secrets = secrets
        self._live = live
        self._lock = threading.RLock()
        self._at_line_start = True
        self._drawn = False

    def emit(self, event: TraceEvent) -> None:
        """Take one event of the run."""
        with self._lock:
            self.run_id = event.workflow_id or self.run_id
            self._remember(event)
            line = self._line(event)
            if line is not None:
                self._finish_foreign_line()
                self.write(line + "\n")

    def write(self, text: str) -> int:
        """Write text above the moving line."""
        with self._lock:
            self._erase()
            self._stream.write(text)
            self._stream.flush()
            if text:
                self._at_line_start = text.endswith("\n")
            return len(text)

    def ask(self, question: str) -> bool:
        """Ask a question on the terminal; anything but yes is no."""
        self.write(f"{question} [y/N] ")
        answer = sys.stdin.readline()
        self._at_line_start = answer.endswith("\n")  # the terminal has echoed it
        return answer.strip().lower() in ("y", "yes")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep what user code prints above the moving line."""
        before = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = _Above(self, self._stream)
        try:
            yield
        finally:
            with self._lock:
                self._erase()
                self._finish_foreign_line()
            sys.stdout, sys.stderr = before

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Draw the moving line, if this is a terminal."""
        if not self._live:
            yield
            return
        over = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(over,), name="flux-progress", daemon=True)
        ticker.start()
        try:
            yield
        finally:
            over.set()
            ticker.join()

    def _remember(self, event: TraceEvent) -> None:
        if event.step_name is None:
            self.ended = event.type in _ENDS
            if self.ended:
                self.running.clear()
        elif event.type == EventType.STEP_START:
            self.running[event.step_name] = (time.monotonic(), _tried(event))
        elif event.type == EventType.STEP_RETRY:
            self.running[event.step_name] = (time.monotonic(), "waiting for the next attempt")
        elif event.type in (EventType.STEP_COMPLETE, EventType.STEP_ERROR, EventType.STEP_SKIPPED):
            self.running.pop(event.step_name, None)

    def _line(self, event: TraceEvent) -> str | None:
        name = printable(event.step_name or "")
        match event.type:
            case EventType.WORKFLOW_START:
                return f"{printable(event.workflow_name)}  {self._muted(event.workflow_id)}"
            case EventType.STEP_COMPLETE:
                return self._step_line("completed", name, _took(event), _tried(event))
            case EventType.STEP_ERROR:
                return self._step_line("failed", name, _took(event), _tried(event), self._error(event))
            case EventType.STEP_SKIPPED:
                return self._step_line("skipped", name, "skipped", _reason(event))
            case EventType.STEP_RETRY:
                again = f"again in {duration_text(_meta(event).get('delay') or 0)}"
                return self._step_line("waiting", name, again, self._error(event))
        return None

    def _step_line(self, status: str, name: str, *details: str) -> str:
        about = "  ".join(detail for detail in details if detail)
        return f"  {self._look.glyph(status)} {name:<20} {self._muted(about)}"

    def _error(self, event: TraceEvent) -> str:
        return self._secrets.text(_one_line(event.error))

    def _muted(self, text: str) -> str:
        return self._look.toned(text, "muted")

    def _finish_foreign_line(self) -> None:
        if not self._at_line_start:
            self._stream.write("\n")
            self._at_line_start = True

    def _erase(self) -> None:
        if self._drawn:
            self._stream.write(_ERASE)
            self._drawn = False

    def _tick(self, over: threading.Event) -> None:
        frame = 0
        while not over.wait(FRAME_SECONDS):
            with self._lock:
                if self.running and self._at_line_start:
                    self._stream.write(_ERASE + self._moving_line(frame))
                    self._stream.flush()
                    self._drawn = True
            frame += 1

    def _moving_line(self, frame: int) -> str:
        signs = _SPINNER[self._look.ascii]
        now = time.monotonic()
        steps = "   ".join(
            f"{printable(name):<20} {duration_text((now - since) * 1000)}  {note}".rstrip()
            for name, (since, note) in self.running.items()
        )
        return "  " + self._look.toned(cut(f"{signs[frame % len(signs)]} {steps}", width() - 3), "accent")


class _Above:
    """Stands for ``sys.stdout`` and ``sys.stderr`` while the line moves; registered secrets stay in it."""

    def __init__(self, progress: Progress, stream: TextIO) -> None:
        self._progress = progress
        self._stream = stream

    def write(self, text: str) -> int:
        """Write above the moving line."""
        self._progress.write(registered.mask(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write above the moving line."""
        self.write("".join(lines))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _meta(event: TraceEvent) -> dict[str, Any]:
    return event.meta if isinstance(event.meta, dict) else {}


def _reason(event: TraceEvent) -> str:
    return printable(str(_meta(event).get("reason") or ""))


def _took(event: TraceEvent) -> str:
    return "" if event.duration is None else duration_text(event.duration)


def _tried(event: TraceEvent) -> str:
    return f"attempt {event.attempt}" if event.attempt is not None and event.attempt > 1 else ""


def _one_line(error: str | None) -> str:
    lines = (error or "").strip().splitlines()
    return printable(lines[0]) if lines else ""
