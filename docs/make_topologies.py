"""Draws the pictures of docs/deployment.md: ``uv run python docs/make_topologies.py``.

A picture is boxes on a grid, frames around some of them, and arrows between them; it needs no font or
style from elsewhere, and brings its own background, so that it is read on light and on dark pages.
"""

# ruff: noqa: INP001

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

PICTURES = Path(__file__).parent / "pictures"
FONT = "ui-sans-serif, 'Segoe UI', Helvetica, Arial, 'DejaVu Sans', sans-serif"
FILLS = {"flux": "#dbeafe", "store": "#dcfce7", "other": "#f3f4f6", "look": "#fef3c7"}
EDGES = {"flux": "#1d4ed8", "store": "#15803d", "other": "#6b7280", "look": "#b45309"}
LINE = 17
MARKER = (
    '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
    'orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="#374151"/></marker></defs>'
)


@dataclass(frozen=True, kw_only=True)
class Box:
    """A process, a server or a file. ``kind`` is a key of ``FILLS``."""

    x: int
    y: int
    width: int
    height: int
    kind: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A host around boxes."""

    x: int
    y: int
    width: int
    height: int
    title: str


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """From a point to a point; ``both`` has a head at each end."""

    start: tuple[int, int]
    end: tuple[int, int]
    label: tuple[str, ...] = ()
    both: bool = False
    at: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What is drawn, and what it is called for those who do not see it."""

    name: str
    title: str
    size: tuple[int, int]
    parts: tuple[Box | Frame | Arrow, ...]


def svg(picture: Picture) -> str:
    """Return the picture as text."""
    width, height = picture.size
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" font-family="{FONT}" font-size="13">'
    )
    return "\n".join(
        [
            head,
            f"<title>{escape(picture.title)}</title>",
            MARKER,
            f'<rect width="{width}" height="{height}" rx="10" fill="#ffffff"/>',
            *(line for part in picture.parts for line in drawn(part)),
            "</svg>\n",
        ]
    )


def drawn(part: Box | Frame | Arrow) -> Iterator[str]:
    """Yield the elements of a part."""
    if isinstance(part, Frame):
        yield (
            f'<rect x="{part.x}" y="{part.y}" width="{part.width}" height="{part.height}" rx="10" fill="none"'
            ' stroke="#9ca3af" stroke-dasharray="5 4"/>'
        )
        yield text(part.x + 12, part.y + 19, part.title, anchor="start", fill="#6b7280")
    elif isinstance(part, Box):
        yield (
            f'<rect x="{part.x}" y="{part.y}" width="{part.width}" height="{part.height}" rx="7" '
            f'fill="{FILLS[part.kind]}" stroke="{EDGES[part.kind]}" stroke-width="1.5"/>'
        )
        top = part.y + part.height / 2 - (len(part.lines) - 1) * LINE / 2 + 4.5
        for number, line in enumerate(part.lines):
            yield text(
                part.x + part.width / 2, top + number * LINE, line, weight="normal" if number else "bold"
            )
    else:
        (x1, y1), (x2, y2) = part.start, part.end
        tail = ' marker-start="url(#head)"' if part.both else ""
        yield (
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#374151" stroke-width="1.5" '
            f'marker-end="url(#head)"{tail}/>'
        )
        x, y = part.at or ((x1 + x2) // 2, (y1 + y2) // 2 - 7 - LINE * (len(part.label) - 1))
        for number, line in enumerate(part.label):
            yield text(x, y + number * LINE, line, fill="#374151")


def text(
    x: float, y: float, words: str, *, anchor: str = "middle", fill: str = "#111827", weight: str = "normal"
) -> str:
    """Return a line of text."""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="{fill}" font-weight="{weight}">'
        f"{escape(words)}</text>"
    )


ONE = Picture(
    name="topology-one-process",
    title="One process: a program with the engine in it, a SQLite file and a trace; the dashboard reads both",
    size=(760, 250),
    parts=(
        Frame(x=15, y=15, width=730, height=220, title="one host"),
        Box(x=40, y=85, width=190, height=80, kind="flux", lines=("your program", "FluxEngine", "workflows")),
        Box(x=330, y=55, width=170, height=54, kind="store", lines=("flux.db", "SQLite")),
        Box(x=330, y=150, width=170, height=54, kind="store", lines=("trace.ndjson", "events")),
        Box(x=590, y=85, width=130, height=80, kind="look", lines=("flux-tui", "dashboard")),
        Arrow(start=(230, 108), end=(330, 84), label=("runs",), both=True),
        Arrow(start=(230, 142), end=(330, 174), label=("events",), at=(273, 186)),
        Arrow(start=(590, 108), end=(500, 84), both=True),
        Arrow(start=(500, 174), end=(590, 142)),
    ),
)


def _host(number: int, y: int, name: str) -> tuple[Box | Frame | Arrow, ...]:
    return (
        Frame(x=215, y=y, width=250, height=104, title=name),
        Box(x=230, y=y + 30, width=130, height=60, kind="flux", lines=(f"consumer {number}", "FluxEngine")),
        Box(x=376, y=y + 36, width=74, height=48, kind="store", lines=("trace",)),
        Arrow(start=(360, y + 60), end=(376, y + 60)),
        Arrow(start=(150, 205), end=(230, y + 60)),
    )


POSTGRES = Picture(
    name="topology-postgres",
    title="Any number of consumers on any hosts take messages from a broker and share one PostgreSQL; "
    "the dashboard watches it from anywhere",
    size=(785, 405),
    parts=(
        Box(x=20, y=165, width=130, height=80, kind="other", lines=("Kafka", "or RabbitMQ", "messages")),
        *_host(1, 20, "host a"),
        *_host(2, 150, "host b"),
        *_host(3, 280, "host …"),
        Box(
            x=600,
            y=145,
            width=160,
            height=80,
            kind="store",
            lines=("PostgreSQL", "schema flux", "your tables"),
        ),
        Arrow(start=(465, 60), end=(600, 160), label=("leases",), at=(560, 108)),
        Arrow(start=(465, 190), end=(600, 186), label=("steps, ctx.tx",), at=(532, 180)),
        Arrow(start=(465, 320), end=(600, 212)),
        Box(x=600, y=310, width=160, height=60, kind="look", lines=("flux-tui", "--db postgresql://…")),
        Arrow(start=(680, 310), end=(680, 225), label=("LISTEN",), at=(712, 272), both=True),
    ),
)

RESTATE = Picture(
    name="topology-restate",
    title="A Restate server keeps the runs and calls any number of services that have the workflows; "
    "the dashboard talks to its admin port",
    size=(860, 330),
    parts=(
        Box(x=20, y=60, width=150, height=70, kind="other", lines=("your callers", "curl, RestateClient")),
        Box(
            x=300,
            y=50,
            width=190,
            height=120,
            kind="store",
            lines=("Restate", "server or cluster", "journal, state,", "timers, promises"),
        ),
        Arrow(start=(170, 95), end=(300, 95), label=("ingress :8080",)),
        Frame(x=610, y=20, width=230, height=125, title="host a"),
        Box(
            x=630,
            y=48,
            width=190,
            height=80,
            kind="flux",
            lines=("service", "restate_app([flow, …])", "trace"),
        ),
        Frame(x=610, y=165, width=230, height=125, title="host b"),
        Box(
            x=630,
            y=193,
            width=190,
            height=80,
            kind="flux",
            lines=("service", "restate_app([flow, …])", "trace"),
        ),
        Arrow(start=(490, 95), end=(630, 88), label=("calls",), both=True),
        Arrow(start=(490, 140), end=(630, 225), label=("HTTP/2",), both=True, at=(548, 212)),
        Box(x=310, y=250, width=170, height=56, kind="look", lines=("flux-tui", "--restate URL")),
        Arrow(start=(395, 250), end=(395, 170), label=("admin :9070",), at=(440, 214)),
    ),
)


def main() -> None:
    """Draw them."""
    for picture in (ONE, POSTGRES, RESTATE):
        (PICTURES / f"{picture.name}.svg").write_text(svg(picture), encoding="utf-8")


if __name__ == "__main__":
    main()
