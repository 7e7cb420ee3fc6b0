"""What goes wrong beside a run and must not break it: hooks and trace sinks that raise."""

import contextlib
from collections import Counter

from flux_engine.logger import FluxLogger


class Problems:
    """Counts by kind, and logs the first of each kind."""

    def __init__(self, logger: FluxLogger) -> None:
        self._logger = logger
        self.counts: Counter[str] = Counter()

    def count(self, kind: str, error: BaseException) -> None:
        """Take note of one error."""
        self.counts[kind] += 1
        if self.counts[kind] == 1:
            with contextlib.suppress(Exception):  # a logger that fails has nobody left to tell
                self._logger.error(
                    f"{kind} failed: {type(error).__qualname__}: {error} "
                    "(the run goes on; further ones are only counted)"
                )
