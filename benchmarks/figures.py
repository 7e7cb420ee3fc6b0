"""A measured figure: samples, what they come to, and the promise that they are held against."""

import math
import statistics
from typing import Literal

from msgspec import Struct

Unit = Literal["ms", "µs", "/s", "MB", "KB", "%"]


class Figure(Struct, frozen=True, kw_only=True):
    """Samples of one figure; ``peer`` are those of what it is held against, measured in the same go.

    ``target`` is what the figure must not exceed (of a rate, ``/s``: fall below), by its median, or by its
    p95 when ``slow_count`` says that the slow samples count too. ``advantage`` is how many times as fast as
    the peer it must be at least. ``missing`` says why there are no samples of the peer.
    """

    name: str
    title: str
    samples: tuple[float, ...]
    unit: Unit = "ms"
    target: float | None = None
    slow_count: bool = False
    peer_title: str = ""
    peer: tuple[float, ...] = ()
    advantage: float | None = None
    missing: str = ""

    @property
    def median(self) -> float:
        """The middle of the samples."""
        return statistics.median(self.samples)

    @property
    def p95(self) -> float:
        """The sample that 95 of 100 do not exceed, by nearest rank."""
        ordered = sorted(self.samples)
        return ordered[math.ceil(len(ordered) * 0.95) - 1]

    @property
    def peer_median(self) -> float | None:
        """The middle of the peer's samples."""
        return statistics.median(self.peer) if self.peer else None

    @property
    def ratio(self) -> float | None:
        """How many times as fast as the peer this one is, by the medians."""
        if not self.peer_median or not self.median:
            return None
        return self.median / self.peer_median if self.unit == "/s" else self.peer_median / self.median

    @property
    def met(self) -> bool | None:
        """Whether the promise is kept; ``None`` when it cannot be said without the peer."""
        kept = self._within_target()
        if self.advantage is None:
            return kept
        if self.ratio is None:
            return None if kept is not False else False
        return kept is not False and self.ratio >= self.advantage

    def _within_target(self) -> bool | None:
        if self.target is None:
            return None
        measured = self.p95 if self.slow_count else self.median
        return measured >= self.target if self.unit == "/s" else measured <= self.target


def table(figures: list[Figure]) -> str:
    """Return the figures as lines of text."""
    rows = [("figure", "median", "p95", "peer", "median", "times as fast", "target", "met")]
    rows += [
        (
            figure.title,
            _measured(figure.median, figure.unit),
            _measured(figure.p95, figure.unit),
            figure.peer_title,
            figure.missing if figure.peer_median is None else _measured(figure.peer_median, figure.unit),
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
            _target(figure),
            {True: "yes", False: "NO", None: ""}[figure.met],
        )
        for figure in figures
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _measured(value: float, unit: Unit) -> str:
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"  # noqa: PLR2004 - three digits


def _target(figure: Figure) -> str:
    parts = []
    if figure.target is not None:
        parts.append(f"{'≥' if figure.unit == '/s' else '≤'} {figure.target:g} {figure.unit}")
    if figure.advantage is not None:
        parts.append(f"≥ {figure.advantage:g} times")
    return ", ".join(parts)
