"""Searching data: every value below a node is looked at, also what is not open.

A place is the way to a row in numbers of children, so that places are in the order of the rows and stay
where they are, whatever is opened or closed.
"""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Mapping

from flux_tui.model.search import WINDOW, Needle, Scan
from flux_tui.model.tree import MISSING, Node, Path, expandable, text_chunks, untagged

TreePlace = tuple[int, ...]
Shown = Callable[[str], str]
"""What is to be seen of a text: the text itself, or the text with its secrets masked."""


def search(root: Node, needle: Needle, hidden: Callable[[Hashable], bool], shown: Shown = str) -> Scan:
    """Go through the rows below ``root`` whose key or value has ``needle`` in it.

    Values of ``hidden`` keys are not looked into. In a long text the rows of its pieces are found.
    """
    stack: list[tuple[Node, int, TreePlace]] = [(root, 0, ())]
    while stack:
        node, index, way = stack.pop()
        if index >= len(node.keys):
            continue
        stack.append((node, index + 1, way))
        key, place = node.keys[index], (*way, index)
        before, after = node.child(index)
        value = untagged(before if after is MISSING else after)
        named = len(place) > 1 and needle.within(shown(str(key)))
        yield place if named else None
        if len(place) > 1 and hidden(key):
            continue
        if isinstance(value, str) and expandable(value):
            yield from _in_text(value, needle, place, shown)
        elif expandable(value):
            stack.append((node.inner(index), 0, place))
        elif not named and needle.within(shown(_words(value))):
            yield place


def _words(value: object) -> str:
    if isinstance(value, Mapping | list):
        return ""
    try:
        return str(value)
    except ValueError:  # an integer of more digits than Python prints
        return ""


def _in_text(text: str, needle: Needle, place: TreePlace, shown: Shown) -> Scan:
    starts: list[int] | None = None
    size = max(WINDOW, 2 * len(needle.text))
    last = -1
    for start in range(0, len(text), size):
        piece = shown(text[start : start + size + len(needle.text) - 1])
        for at, _ in needle.spans(piece):
            starts = [chunk.start for chunk in text_chunks(text)] if starts is None else starts
            chunk = bisect_right(starts, start + at) - 1
            if chunk > last:
                last = chunk
                yield (*place, chunk)
        yield None


def place_of(root: Node, path: Path) -> TreePlace:
    """Return the place of a row, as far as it exists."""
    node: Node | None = root
    place: TreePlace = ()
    for key in path:
        index = None if node is None else node.position(key)
        if node is None or index is None:
            break
        place = (*place, index)
        node = node.open.get(index)
    return place


def path_of(root: Node, place: TreePlace) -> Path:
    """Return the path at a place; what is closed on the way stays closed."""
    node = root
    for index in place[:-1]:
        node = node.open.get(index) or node.inner(index)
    return (*node.path, node.keys[place[-1]])
