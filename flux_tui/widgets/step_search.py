"""The steps of a graph as something to search."""

from collections.abc import Callable

from flux_tui.model.search import Needle, Scan
from flux_tui.model.text import printable
from flux_tui.widgets.graph import StepGraph


class StepSearch:
    """Finds steps by their names, in the order of the workflow. The cursor is the selection."""

    def __init__(self, graph: StepGraph) -> None:
        self.graph = graph
        self._searcher: Callable[[bool], None] | None = None
        self._seen = self._names
        for what in ("run", "spec"):
            graph.watch(graph, what, self._changed, init=False)

    @property
    def _names(self) -> list[str]:
        spec = self.graph.spec if self.graph.run is None else self.graph.run.graph
        return [] if spec is None else [node.name for node in spec.nodes]

    def items_to_search(self) -> int:
        """Return how many steps there are."""
        return len(self._names)

    def scan(self, needle: Needle, start: int) -> Scan:
        """Go through the steps from ``start`` on."""
        for place, name in enumerate(self._names[start:], start=start):
            yield place if needle.within(printable(name)) else None

    def place_here(self) -> int:
        """Return the place of the selected step, or one before all others."""
        names = self._names
        return names.index(self.graph.selected) if self.graph.selected in names else -1

    def go_to_place(self, place: int) -> None:
        """Select a step as the arrow keys do."""
        names = self._names
        if place < len(names):
            self._select(names[place])

    def show_context(self) -> None:
        """Do nothing: the graph shows what is around a step."""

    def way_back(self) -> Callable[[], None]:
        """Return what selects the step again that is selected now."""
        selected = self.graph.selected
        return lambda: self._select(selected)

    def _select(self, name: str | None) -> None:
        if name is not None and name != self.graph.selected:
            self.graph.selected = name
            self.graph.post_message(StepGraph.Selected(self.graph, name))

    def mark_matches(self, needle: Needle | None) -> None:
        """Mark nothing: the selected step stands out."""

    def tell_searcher(self, searcher: Callable[[bool], None] | None) -> None:
        """Have ``searcher`` called when another graph is shown."""
        self._searcher = searcher

    def _changed(self) -> None:
        names = self._names
        if names != self._seen:
            self._seen = names
            if self._searcher is not None:
                self._searcher(True)  # noqa: FBT003
