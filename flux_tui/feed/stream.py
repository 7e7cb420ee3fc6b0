"""The events of a trace that comes through a pipe, read ahead on a thread so that nobody waits for it."""

import os
import queue
import threading
from collections import deque
from typing import BinaryIO

from flux_engine.trace.lines import BadLine, TraceLines
from flux_engine.trace.reader import TraceChunk

_PIECE = 64 * 1024
_AHEAD = 16


class StreamReader:
    """Gives the events of a stream as they come, like ``TraceReader`` those of a file.

    The stream is read a bounded way ahead; whoever writes it waits when nobody reads here.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.bad_lines = 0
        self.last_bad_lines: deque[BadLine] = deque(maxlen=5)
        self._pieces: queue.Queue[bytes] = queue.Queue(maxsize=_AHEAD)
        self._lines = TraceLines()
        threading.Thread(target=self._pump, args=(stream.fileno(),), name="flux-trace", daemon=True).start()

    def read(self, max_bytes: int = _PIECE) -> TraceChunk:
        """Return the events that have come; at the end of the stream those of a torn last line too."""
        del max_bytes  # pieces have the size in which they came
        try:
            piece = self._pieces.get_nowait()
        except queue.Empty:
            return TraceChunk()
        events, bad = self._lines.feed(piece) if piece else self._lines.finish()
        self.bad_lines += len(bad)
        self.last_bad_lines.extend(bad)
        return TraceChunk(events=tuple(events), bad_lines=len(bad), more=not self._pieces.empty())

    def _pump(self, descriptor: int) -> None:
        piece = b"."
        while piece:
            try:
                piece = os.read(descriptor, _PIECE)
            except OSError:
                piece = b""
            self._pieces.put(piece)
