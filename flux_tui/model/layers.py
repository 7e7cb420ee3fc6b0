"""A graph in columns: which steps stand above one another, and which lines run between two columns.

Everything between two columns is a *port* on its left and a port on its right: a step, or the place
where a longer line passes through a column. Lines that lead from the same ports to the same ports
are one *net*, so two groups of branches in a row meet in one junction instead of in all their pairs.

Sets of steps are integers with a bit for each step: a definition of two hundred steps stays cheap.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from msgspec import Struct

from flux_tui.model.run import GraphSpec

SWEEPS = 6


class Port(Struct, frozen=True, gc=False):
    """A place in a column: a step, or a passage (``node`` is ``None``) for lines to later columns.

    ``sources`` are the steps whose lines leave here, ``targets`` the steps that lines entering here
    lead to.
    """

    column: int
    node: int | None
    sources: int
    targets: int


class Net(Struct, frozen=True, gc=False):
    """Lines from each of ``sources`` to each of ``targets``, ports of neighbouring columns."""

    sources: tuple[int, ...]
    targets: tuple[int, ...]


class Layers(Struct, frozen=True):
    """The ports, the columns of ports from top to bottom, and the nets right of each column."""

    ports: tuple[Port, ...]
    columns: tuple[tuple[int, ...], ...]
    nets: tuple[tuple[Net, ...], ...]


def bits(members: int) -> Iterator[int]:
    """Yield the numbers in a bit set, in order."""
    while members:
        low = members & -members
        yield low.bit_length() - 1
        members ^= low


def successors(spec: GraphSpec) -> list[int]:
    """Return for each step the set of steps after it, without edges that would close a cycle."""
    index = {node.name: place for place, node in enumerate(spec.nodes)}
    after = [0] * len(spec.nodes)
    for left, right in spec.edges:
        start, end = index.get(left), index.get(right)
        if start is not None and end is not None and start != end:
            after[start] |= 1 << end
    stuck = (1 << len(after)) - 1 ^ sum(1 << node for node in _sorted_nodes(after))
    for node in bits(stuck):
        later = -1 << node
        after[node] &= later | ~stuck
    return after


def _sorted_nodes(after: Sequence[int]) -> list[int]:
    """Return the nodes in topological order; those on a cycle or behind one are missing."""
    waiting = [0] * len(after)
    for targets in after:
        for target in bits(targets):
            waiting[target] += 1
    ready = [node for node, count in enumerate(waiting) if count == 0]
    for node in ready:
        for target in bits(after[node]):
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return ready


def longest_paths(after: Sequence[int]) -> list[int]:
    """Return the column of each step: the number of steps on the longest way to it."""
    column = [0] * len(after)
    for node in _sorted_nodes(after):
        for target in bits(after[node]):
            column[target] = max(column[target], column[node] + 1)
    return column


def build_layers(after: Sequence[int]) -> Layers:
    """Arrange the steps in columns, with their lines bundled into nets and the lanes ordered."""
    column_of = longest_paths(after)
    members = [0] * (max(column_of, default=-1) + 1)
    for node, column in enumerate(column_of):
        members[column] |= 1 << node
    ports: list[Port] = []
    columns: list[list[int]] = []
    gaps: list[tuple[Net, ...]] = []
    ahead: dict[int, int] = {}
    for column, nodes in enumerate(members):
        entering, passing = _arrivals(ahead, nodes)
        columns.append([])
        ahead = {}
        nets: dict[tuple[int, ...], list[int]] = {}
        arriving = [
            (Port(column, node, 1 << node, 1 << node), after[node], entering[node]) for node in entering
        ]
        for far, before in passing.items():
            origins = 0
            for port in before:
                origins |= ports[port].sources
            arriving.append((Port(column, None, origins, far), far, before))
        for new, far, before in arriving:
            number = len(ports)
            ports.append(new)
            columns[-1].append(number)
            if far:
                ahead[number] = far
            if before:
                nets.setdefault(tuple(before), []).append(number)
        if column:
            gaps.append(tuple(Net(sources, tuple(targets)) for sources, targets in nets.items()))
    return Layers(tuple(ports), _ordered(columns, gaps), tuple(gaps))


def _arrivals(ahead: dict[int, int], nodes: int) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    """Return which ports lead to each of ``nodes``, and which ones on to each set of later steps."""
    entering: dict[int, list[int]] = {node: [] for node in bits(nodes)}
    passing: dict[int, list[int]] = {}
    for port, far in ahead.items():
        for node in bits(far & nodes):
            entering[node].append(port)
        if far & ~nodes:
            passing.setdefault(far & ~nodes, []).append(port)
    return entering, passing


def _ordered(columns: list[list[int]], gaps: Sequence[Sequence[Net]]) -> tuple[tuple[int, ...], ...]:
    """Order each column so that few lines cross: barycentres, swept forth and back."""
    best = [list(column) for column in columns]
    if all(len(column) == 1 for column in columns):
        return tuple(map(tuple, best))
    order = [list(column) for column in columns]
    fewest = _crossings(order, gaps)
    for sweep in range(SWEEPS):
        if fewest == 0:
            break
        if sweep % 2 == 0:
            for place, nets in enumerate(gaps):
                _sort(order[place + 1], _pull(order[place], nets, forth=True))
        else:
            for place in reversed(range(len(gaps))):
                _sort(order[place], _pull(order[place + 1], gaps[place], forth=False))
        found = _crossings(order, gaps)
        if found < fewest:
            fewest, best = found, [list(column) for column in order]
    return tuple(map(tuple, best))


def _pull(neighbours: Sequence[int], nets: Sequence[Net], *, forth: bool) -> dict[int, float]:
    """Return where each port would stand, were it level with the ports it is joined to."""
    place = {port: number for number, port in enumerate(neighbours)}
    sums: dict[int, tuple[float, int]] = {}
    for net in nets:
        fixed, moved = (net.sources, net.targets) if forth else (net.targets, net.sources)
        total = sum(place[port] for port in fixed)
        for port in moved:
            before, count = sums.get(port, (0.0, 0))
            sums[port] = (before + total, count + len(fixed))
    return {port: total / count for port, (total, count) in sums.items()}


def _sort(column: list[int], pull: dict[int, float]) -> None:
    free = iter(sorted((port for port in column if port in pull), key=pull.__getitem__))
    column[:] = [next(free) if port in pull else port for port in column]


def _crossings(columns: Sequence[Sequence[int]], gaps: Sequence[Sequence[Net]]) -> int:
    """Count the crossings of lines, each net taken as lines through its own centre."""
    total = 0
    for place, nets in enumerate(gaps):
        if len(nets) < 2:  # noqa: PLR2004
            continue
        left = {port: number for number, port in enumerate(columns[place])}
        right = {port: number for number, port in enumerate(columns[place + 1])}
        lines: list[tuple[float, float]] = []
        for net in nets:
            above = sum(left[port] for port in net.sources) / len(net.sources)
            below = sum(right[port] for port in net.targets) / len(net.targets)
            own: list[tuple[float, float]] = [(left[port], below) for port in net.sources]
            own += [(above, right[port]) for port in net.targets]
            total -= _inversions(own)
            lines += own
        total += _inversions(lines)
    return total


def _inversions(lines: list[tuple[float, float]]) -> int:
    """Count the pairs of lines that cross: one starts above the other and ends below it."""
    count = 0
    ends: list[float] = []
    for _, end in sorted(lines):
        at = bisect_right(ends, end)
        count += len(ends) - at
        ends.insert(at, end)
    return count
