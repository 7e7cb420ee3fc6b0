"""What a trace that is shown by itself says beside its runs: its workflows, and what file it is."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flux_engine.exported_run import EXPORT
from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.feed.trace import TraceNews
from flux_tui.model import parse
from flux_tui.model.definitions import Definitions, ModuleView
from flux_tui.model.export import sources_of
from flux_tui.model.run import DefinitionView, graph_spec
from flux_tui.model.source import embed
from flux_tui.model.waits import until_text


class TraceAlone:
    """Keeps the graph that each workflow had last. ``path`` is the trace, ``-`` for standard input.

    ``exported_at`` is when an exported run was written, in milliseconds: its time stands still there.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._graphs: dict[str, Any] = {}
        self._defined: dict[str, Any] = {}
        self.definitions = Definitions()
        self.exported_at: float | None = None

    def take(self, news: TraceNews, workflows: Iterable[str]) -> str | None:
        """Take what is new, and the names of all workflows; return what is to be said of the file, if any.

        ``definitions`` stay the same value as long as they say the same.
        """
        said = None
        for workflow, graph in news.graphs.items():
            self._graphs.setdefault(workflow, graph)
        for event in news.events:
            if event.type == EXPORT:
                said, self.exported_at = _exported(event), event.timestamp or None
            elif event.type == EventType.WORKFLOW_START:
                self._graphs[event.workflow_name] = event.graph
        self._define({*self._graphs, *workflows})
        return said

    def _define(self, names: set[str]) -> None:
        graphs = {name: self._graphs.get(name) for name in sorted(names)}
        if graphs == self._defined:
            return
        self._defined = graphs
        workflows = tuple(
            DefinitionView(name=name, path=self._path, variable="", graph=graph_spec(graph))
            for name, graph in graphs.items()
        )
        module = ModuleView(path="standard input" if self._path == "-" else self._path, workflows=workflows)
        self.definitions = Definitions(modules=(module,) if workflows else ())


def _exported(event: TraceEvent) -> str:
    """Take the code that comes with an exported run; return what the file is."""
    header = parse.meta(event)
    for file, first, lines in sources_of(header):
        embed(file, first, lines)
    masked = "its secrets masked" if header.get("redacted") else "with its secrets"
    stood = f" as it stood {until_text(event.timestamp)}" if event.timestamp else ""
    return f"an exported run{stood}, {masked} · read-only"
