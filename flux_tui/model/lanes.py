"""The row of each port: straight chains, fan-outs and joins in the middle of what they connect.

Columns are swept forth and back. In each, the ports move as near as possible to the middle of their
neighbours while their order and their distances are kept: a least-squares problem with ordered
unknowns, which pooling adjacent violators solves exactly (isotonic regression).
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from flux_tui.model.layers import Layers

SWEEPS = 4
STRAIGHT = 16.0


def assign_rows(layers: Layers, above: int, below: int) -> list[int]:
    """Return the row of each port, the topmost box's first row being 0.

    A step takes ``above`` rows over the row of its line and ``below`` rows under it; a passage takes one row.
    """
    rows = [0.0] * len(layers.ports)
    offsets = [_offsets(layers, column, above, below) for column in layers.columns]
    for column, offset in zip(layers.columns, offsets, strict=True):
        middle = offset[-1] / 2
        for port, distance in zip(column, offset, strict=True):
            rows[port] = distance - middle
    before, after = _neighbours(layers)
    for sweep in range(SWEEPS):
        places = range(len(layers.columns))
        forth = sweep % 2 == 0
        for place in places if forth else reversed(places):
            column = layers.columns[place]
            wanted = [
                _middle(rows, (before if forth else after).get(port, ()), rows[port]) for port in column
            ]
            _settle(rows, column, offsets[place], wanted, [1.0] * len(column))
    _straighten(layers, rows, offsets, before, after)
    return _from_top(layers, rows, above)


def _offsets(layers: Layers, column: Sequence[int], above: int, below: int) -> list[float]:
    """Return the least distance of each port of a column from its first one."""
    offsets = [0.0]
    for upper, lower in pairwise(column):
        distance = 1
        if layers.ports[upper].node is not None:
            distance += below
        if layers.ports[lower].node is not None:
            distance += above
        offsets.append(offsets[-1] + distance)
    return offsets


def _neighbours(layers: Layers) -> tuple[dict[int, list[int]], dict[int, list[int]]]:
    before: dict[int, list[int]] = {}
    after: dict[int, list[int]] = {}
    for nets in layers.nets:
        for net in nets:
            for port in net.sources:
                after.setdefault(port, []).extend(net.targets)
            for port in net.targets:
                before.setdefault(port, []).extend(net.sources)
    return before, after


def _middle(rows: Sequence[float], ports: Sequence[int], default: float) -> float:
    if not ports:
        return default
    places = [rows[port] for port in ports]
    return (min(places) + max(places)) / 2


def _settle(
    rows: list[float],
    column: Sequence[int],
    offsets: Sequence[float],
    wanted: Sequence[float],
    weights: Sequence[float],
) -> None:
    """Move the ports of a column as near to ``wanted`` as their distances allow."""
    blocks: list[tuple[float, float, int]] = []
    for target, offset, weight in zip(wanted, offsets, weights, strict=True):
        mean, mass, size = target - offset, weight, 1
        while blocks and blocks[-1][0] >= mean:
            upper, heft, count = blocks.pop()
            mean = (mean * mass + upper * heft) / (mass + heft)
            mass, size = mass + heft, size + count
        blocks.append((mean, mass, size))
    place = 0
    for mean, _, size in blocks:
        for _ in range(size):
            rows[column[place]] = mean + offsets[place]
            place += 1


def _straighten(
    layers: Layers,
    rows: list[float],
    offsets: Sequence[Sequence[float]],
    before: Mapping[int, Sequence[int]],
    after: Mapping[int, Sequence[int]],
) -> None:
    """Make rows whole numbers, keeping lines with one end on each side straight where there is room."""
    for place, column in enumerate(layers.columns):
        wanted: list[float] = []
        weights: list[float] = []
        for port in column:
            sources = before.get(port, ())
            single = len(sources) == 1 and len(after[sources[0]]) == 1
            wanted.append(rows[sources[0]] if single else rows[port])
            weights.append(STRAIGHT if single else 1.0)
        _settle(rows, column, offsets[place], wanted, weights)
        for port in column:
            rows[port] = math.floor(rows[port] + 0.5)


def _from_top(layers: Layers, rows: Sequence[float], above: int) -> list[int]:
    tops = [
        rows[number] - (above if port.node is not None else 0) for number, port in enumerate(layers.ports)
    ]
    top = min(tops, default=0.0)
    return [int(row - top) for row in rows]
