"""A measured figure: samples, what they come to, and the promise that they are held against."""

import math
import statistics

from msgspec import Struct


class Figure(Struct, frozen=True, kw_only=True):
    """Samples of one figure, in milliseconds; ``peer`` are those of what a user would do without Flux."""

    name: str
    title: str
    target: float
    samples: tuple[float, ...]
    peer_title: str = ""
    peer: tuple[float, ...] = ()

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
        """How many times the peer's median this one is."""
        return self.median / self.peer_median if self.peer_median else None

    @property
    def met(self) -> bool:
        """Whether the promise is kept, the slow samples included."""
        return self.p95 < self.target


def table(figures: list[Figure]) -> str:
    """Return the figures as lines of text."""
    rows = [("", "median", "p95", "target", "met", "peer", "ratio")]
    rows += [
        (
            figure.title,
            f"{figure.median:.0f} ms",
            f"{figure.p95:.0f} ms",
            f"< {figure.target:.0f} ms",
            "yes" if figure.met else "NO",
            "" if figure.peer_median is None else f"{figure.peer_title} {figure.peer_median:.0f} ms",
            "" if figure.ratio is None else f"{figure.ratio:.2f}",
        )
        for figure in figures
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
