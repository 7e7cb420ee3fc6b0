"""Where everything of a step graph is drawn: boxes, lines, and which step is beside which.

The geometry depends on the definition alone, never on how a run stands, so nothing moves while a run
is live. ``lay_out`` is pure and fast enough to be called whenever a definition changes.
"""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace
from rich.cells import cell_len

from flux_tui.model.channel import Channel, End, Wire
from flux_tui.model.lanes import assign_rows
from flux_tui.model.layers import Layers, bits, build_layers, successors
from flux_tui.model.neighbours import Place, find_neighbours
from flux_tui.model.raster import Flow
from flux_tui.model.run import GraphSpec, NodeSpec
from flux_tui.model.text import cut, printable

NAME_CELLS = 22
LONG_NAME_CELLS = 64
CAPTION_CELLS = 11
TIGHT_CAPTION_CELLS = 9


class Mode(StrEnum):
    """How a graph is shown: as boxes, as one line a step, or as a list from top to bottom."""

    BOXES = "boxes"
    COMPACT = "compact"
    LIST = "list"


class Size(StrEnum):
    """How much room steps take: for whole names, for names of some length, for short captions."""

    WIDE = "wide"
    NORMAL = "normal"
    TIGHT = "tight"


class Metrics(Struct, frozen=True):
    """The sizes of a mode. ``margin`` cells around a name, ``caption`` the least width inside a box.

    ``lead`` and ``straight`` are the cells of a line before its first track, and of one without a track.
    ``name`` is the most that is shown of a name.
    """

    above: int
    below: int
    margin: int
    caption: int
    lead: int
    straight: int
    name: int = NAME_CELLS


METRICS = {
    Mode.BOXES: Metrics(above=1, below=2, margin=2, caption=CAPTION_CELLS, lead=2, straight=4),
    Mode.COMPACT: Metrics(above=0, below=0, margin=1, caption=0, lead=1, straight=2),
}


def _metrics(mode: Mode, size: Size) -> Metrics:
    metrics = METRICS[mode]
    if size is Size.WIDE:
        return replace(metrics, name=LONG_NAME_CELLS)
    if size is Size.TIGHT and mode is Mode.BOXES:
        return replace(metrics, caption=TIGHT_CAPTION_CELLS, lead=1, straight=3)
    return metrics


class Box(Struct, frozen=True, kw_only=True, gc=False):
    """The place of a step. ``label`` is its name as it is drawn; ``bracket`` joins branches in a list."""

    name: str
    label: str
    node: NodeSpec
    x: int
    y: int
    width: int
    height: int
    column: int
    bracket: str = ""

    @property
    def row(self) -> int:
        """The row of the name, where lines arrive and leave."""
        return self.y + (1 if self.height > 1 else 0)


class Edges(Struct, frozen=True, gc=False):
    """Lines from each of ``sources`` to each of ``targets``, drawn as one."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]


class Stroke(Struct, frozen=True, gc=False):
    """A piece of a line: text on one row, and the numbers of the edges that it belongs to."""

    x: int
    text: str
    edges: tuple[int, ...]


class Beside(Struct, frozen=True, gc=False):
    """The steps that the arrow keys lead to, ``None`` where there is nothing that way."""

    left: str | None = None
    right: str | None = None
    up: str | None = None
    down: str | None = None


class Layout(Struct, frozen=True, kw_only=True):
    """A drawn graph. ``strokes`` has the pieces of lines for each row, from left to right."""

    mode: Mode
    width: int = 0
    height: int = 0
    boxes: tuple[Box, ...] = ()
    strokes: tuple[tuple[Stroke, ...], ...] = ()
    edges: tuple[Edges, ...] = ()
    neighbours: dict[str, Beside] = {}

    def box(self, name: str | None) -> Box | None:
        """Return the box of a step, or ``None``."""
        return next((box for box in self.boxes if box.name == name), None)

    def box_at(self, x: int, y: int) -> Box | None:
        """Return the box that covers a cell, or ``None``."""
        return next(
            (box for box in self.boxes if 0 <= x - box.x < box.width and 0 <= y - box.y < box.height), None
        )


def lay_out(spec: GraphSpec, mode: Mode = Mode.BOXES, size: Size = Size.NORMAL) -> Layout:
    """Return the geometry of a graph in one of the modes.

    Names that occur twice are drawn once, edges that close a cycle not at all: a trace may hold anything.
    """
    nodes = tuple({node.name: node for node in reversed(spec.nodes)}.values())[::-1]
    spec = GraphSpec(nodes=nodes, edges=spec.edges)
    if not nodes:
        return Layout(mode=mode)
    after = successors(spec)
    layers = build_layers(after)
    if mode is Mode.LIST:
        return _list_layout(nodes, layers)
    metrics = _metrics(mode, size)
    rows = assign_rows(layers, metrics.above, metrics.below)
    return _Drawing(nodes, layers, rows, mode, metrics).layout(after)


class _Drawing:
    """Puts boxes and channels side by side, and collects what is to be drawn on each row."""

    def __init__(
        self, nodes: Sequence[NodeSpec], layers: Layers, rows: Sequence[int], mode: Mode, metrics: Metrics
    ) -> None:
        self._nodes = nodes
        self._layers = layers
        self._rows = rows
        self._mode = mode
        self._metrics = metrics
        self._labels = [cut(printable(node.name), metrics.name) for node in nodes]
        self._edges: dict[Flow, int] = {}
        self._bundles: dict[tuple[Flow, ...], tuple[int, ...]] = {}
        self._strokes: dict[int, list[Stroke]] = {}
        self._boxes: dict[int, Box] = {}

    def layout(self, after: Sequence[int]) -> Layout:
        x = 0
        for place, column in enumerate(self._layers.columns):
            width = max((self._width(port) for port in column), default=0)
            for port in column:
                self._place(port, x, width, last=place == len(self._layers.columns) - 1)
            x += width
            if place < len(self._layers.nets):
                channel = self._channel(place)
                for run in channel.draw().runs():
                    self._put(run.row, x + run.x, run.text, self._bundle(run.flows))
                x += channel.width
        boxes = tuple(self._boxes[number] for number in range(len(self._nodes)))
        height = max([box.y + box.height for box in boxes] + [row + 1 for row in self._strokes])
        return Layout(
            mode=self._mode,
            width=x,
            height=height,
            boxes=boxes,
            strokes=tuple(tuple(self._strokes.get(row, ())) for row in range(height)),
            edges=tuple(Edges(self._names(left), self._names(right)) for left, right in self._edges),
            neighbours=_neighbours(boxes, after),
        )

    def _names(self, members: int) -> tuple[str, ...]:
        return tuple(self._nodes[number].name for number in bits(members))

    def _width(self, port: int) -> int:
        node = self._layers.ports[port].node
        if node is None:
            return 0
        return max(cell_len(self._labels[node]) + 2, self._metrics.caption) + 2 * self._metrics.margin

    def _place(self, number: int, x: int, width: int, *, last: bool) -> None:
        """Draw a port: its box, and its line across what the box leaves of the column."""
        port, row = self._layers.ports[number], self._rows[number]
        start, stop = x, x + width
        if port.node is not None:
            own = self._width(number) if self._mode is Mode.COMPACT else width
            self._boxes[port.node] = Box(
                name=self._nodes[port.node].name,
                label=self._labels[port.node],
                node=self._nodes[port.node],
                x=x,
                y=row - self._metrics.above,
                width=own,
                height=self._metrics.above + 1 + self._metrics.below,
                column=port.column,
            )
            start = x + own
        flows = self._leaving(number) if start < stop and not last else ()
        if flows:
            self._put(row, start, "─" * (stop - start), flows)

    def _leaving(self, number: int) -> tuple[int, ...]:
        """Return the edges that leave a port."""
        port = self._layers.ports[number]
        nets = self._layers.nets[port.column]
        return tuple(
            self._edge((port.sources, self._layers.ports[target].targets))
            for net in nets
            if number in net.sources
            for target in net.targets
        )

    def _channel(self, place: int) -> Channel:
        ports, rows = self._layers.ports, self._rows
        wires = [
            Wire(
                [End(rows[port], ports[port].sources) for port in net.sources],
                [
                    End(rows[port], ports[port].targets, arrow=ports[port].node is not None)
                    for port in net.targets
                ],
            )
            for net in self._layers.nets[place]
        ]
        return Channel(wires, lead=self._metrics.lead, straight=self._metrics.straight)

    def _put(self, row: int, x: int, text: str, edges: tuple[int, ...]) -> None:
        """Draw at the right end of a row, on the same stroke if it belongs to the same edges."""
        strokes = self._strokes.setdefault(row, [])
        last = strokes[-1] if strokes else None
        if last is not None and last.edges == edges and last.x + len(last.text) == x:
            strokes[-1] = Stroke(last.x, last.text + text, edges)
        else:
            strokes.append(Stroke(x, text, edges))

    def _bundle(self, flows: tuple[Flow, ...]) -> tuple[int, ...]:
        edges = self._bundles.get(flows)
        if edges is None:
            edges = self._bundles[flows] = tuple(self._edge(flow) for flow in flows)
        return edges

    def _edge(self, flow: Flow) -> int:
        return self._edges.setdefault(flow, len(self._edges))


def _neighbours(boxes: Sequence[Box], after: Sequence[int]) -> dict[str, Beside]:
    places = [Place(box.column, box.row) for box in boxes]
    return {
        box.name: Beside(*(None if number is None else boxes[number].name for number in found))
        for box, found in zip(boxes, find_neighbours(places, after), strict=True)
    }


def _list_layout(nodes: Sequence[NodeSpec], layers: Layers) -> Layout:
    """Return one row for each step in its order, with brackets around steps of one column."""
    column = {port.node: port.column for port in layers.ports if port.node is not None}
    labels = [cut(printable(node.name), LONG_NAME_CELLS) for node in nodes]
    width = max(map(cell_len, labels))
    boxes = []
    for number, node in enumerate(nodes):
        same_above = number > 0 and column[number - 1] == column[number]
        same_below = number + 1 < len(nodes) and column[number + 1] == column[number]
        boxes.append(
            Box(
                name=node.name,
                label=labels[number],
                node=node,
                x=0,
                y=number,
                width=width,
                height=1,
                column=column[number],
                bracket={(False, True): "╭", (True, True): "│", (True, False): "╰"}.get(
                    (same_above, same_below), ""
                ),
            )
        )
    names: list[str | None] = [None, *(node.name for node in nodes), None]
    return Layout(
        mode=Mode.LIST,
        width=width,
        height=len(boxes),
        boxes=tuple(boxes),
        strokes=((),) * len(boxes),
        neighbours={
            box.name: Beside(up=names[number], down=names[number + 2]) for number, box in enumerate(boxes)
        },
    )
