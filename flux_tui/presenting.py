"""Brings what the desk has of what is selected onto the main screen."""

from typing import TYPE_CHECKING

from msgspec.structs import replace
from textual.content import Content

from flux_tui import actions, looks
from flux_tui.model.breakpoints import breakpoints_text, changed_text
from flux_tui.model.text import printable
from flux_tui.widgets.line_list import LineList
from flux_tui.widgets.timeline_view import TimelineView

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen


class Presenter:
    """Shows the selection. It remembers where it put the cursors, so that it moves each only once."""

    def __init__(self, screen: "MainScreen") -> None:
        self.screen = screen
        self._version = -1
        self._settled = False
        self._ticks = 0
        self._placed_at: str | None = None
        self._placed_on: str | None = None
        self._was_past = False
        self._banner = ""

    def show(self) -> None:
        """Show what the desk has of what is selected. Widgets pass over what they show already."""
        desk, now = self.screen.desk, self.screen.selection
        module = None if now.module is None else desk.definitions.module(now.module)
        broken = module is not None and module.problem is not None
        self.screen.set_class(broken, "-problem")
        self.screen.set_class(not broken and looks.nothing_yet(desk), "-welcome")
        if broken and module is not None:
            self.screen.problem_pane.show_title(looks.problem_title(desk, module))
            if module.problem is not None:
                self.screen.problem.show_problem(module.problem, module.output)
        self._show_lists()
        self._show_run()
        self._show_header()
        self.show_footer()

    def _show_lists(self) -> None:
        desk, now = self.screen.desk, self.screen.selection
        self.screen.workflows.show(desk.definitions.rows(), desk.counts)
        key = now.module or (None if now.workflow is None else self.screen.workflows.key_of(now.workflow))
        self._placed_at = self._placed(self.screen.workflows, key, self._placed_at)
        if desk.runs.version != self._version:
            self._version = desk.runs.version
            if self._settled:
                self.screen.runs.rows_changed()
                if not desk.whole:
                    self.screen.runs.nothing_is_new()
            else:
                self.screen.runs.begin(now.run)
            self._settled = desk.loaded
        self._placed_on = self._placed(self.screen.runs, now.run, self._placed_on)
        self.screen.runs_pane.show_subtitle(looks.runs_subtitle(desk, len(self.screen.marks)))

    @staticmethod
    def _placed(rows: LineList, wanted: str | None, before: str | None) -> str | None:
        """Put the cursor of a list where the selection went, once: from there the user may be ahead of it."""
        if wanted is None or wanted in (before, rows.cursor_key) or rows.select(wanted):
            return wanted
        return before

    def _show_run(self) -> None:
        desk = self.screen.desk
        view, definition, now = self.screen.past.view, self.screen.definition, self.screen.selection
        moment = self.screen.past.moment
        self.screen.set_class(moment is not None, "-past")
        if moment is not None or self._was_past:
            self.screen.graph.tick(self.now())
        self._was_past = moment is not None
        spec = view.graph if view is not None else None if definition is None else definition.graph
        self.screen.graph.spec, self.screen.graph.run, self.screen.graph.selected = spec, view, now.step
        self._show_graph_title()
        self.screen.graph.breakpoints = desk.breakpoints.of(now.workflow)
        self.show_graph_subtitle()
        self.screen.details.whereabouts = looks.whereabouts(view)
        self.screen.details.show_title(Content(printable(now.step or "")))
        self.screen.details.open_tab(now.tab)
        step = None if view is None or now.step is None else view.step(now.step)
        node = looks.node_of(now, view, definition)
        stale = definition is not None and definition.stale
        broken = desk.definitions.module(definition.path) if definition is not None and stale else None
        self.screen.details.mark(looks.marked_tabs(view, broken, step, node))
        tab = self.screen.details.views[now.tab]
        looks.show_tab(tab, desk, view, step, node, broken=broken, moment=moment)
        if self.screen.clock is not None:
            moving = desk.runs.running > 0 or (view is not None and view.status == "running")
            self.screen.clock.resume() if moving else self.screen.clock.pause()

    def _show_header(self) -> None:
        self.screen.header.headline = replace(looks.headline(self.screen.desk), watch=self.screen.saves.forms)
        text = self.screen.desk.state.store_problem or ""
        if text != self._banner:
            self._banner = text
            self.screen.banner.update(Content(text))
            self.screen.banner.set_class(bool(text), "-shown")

    def show_footer(self) -> None:
        """Show the keys that can be pressed now."""
        self.screen.footer.hints = looks.hints(self.screen.desk, self.screen.situation())

    def tick(self, seconds: float) -> None:
        """Move what moves; ``seconds`` is the time between two ticks."""
        self._ticks += 1
        if self._ticks % round(1 / seconds) == 0:
            self.screen.runs.rows_changed()
        screen = self.screen
        screen.graph.tick(self.now())
        self._show_graph_title()
        shown = screen.details.views[screen.details.tab]
        if isinstance(shown, TimelineView):
            shown.tick(screen.desk.now())

    def now(self) -> float:
        """Return the moment that is looked at, in milliseconds: the present one unless the past is shown."""
        moment = self.screen.past.moment
        return self.screen.desk.now() if moment is None else moment.time

    def show_graph_subtitle(self) -> None:
        """Say which breakpoints there are, and how the graph is drawn."""
        graph, plain = self.screen.graph, self.screen.desk.settings.ascii
        definition = self.screen.definition
        stops = breakpoints_text(graph.breakpoints, definition, plain=plain)
        changed = changed_text(graph.run, definition)
        self.screen.graph_pane.show_subtitle(
            "  ".join(filter(None, (self._unseen_error(), changed, stops, graph.shown_mode.value)))
        )

    def _unseen_error(self) -> str:
        """Return how to see the error of the run where a small terminal has no room for the details."""
        view, keymap = self.screen.run_view, self.screen.desk.settings.keymap
        if view is None or view.failed_step is None or self.screen.details.display:
            return ""
        keys = actions.keys_of(actions.find("tab-error"), keymap)
        return f"{actions.key_text(keys[0])} shows the error" if keys else ""

    def _show_graph_title(self) -> None:
        screen, desk, moment = self.screen, self.screen.desk, self.screen.past.moment
        if moment is None:
            title = looks.graph_title(desk, screen.selection, screen.run_view, screen.definition)
            screen.graph_pane.show_title(title, name=looks.graph_name(screen.run_view, screen.definition))
        else:
            screen.graph_pane.show_title(looks.moment_title(desk, moment))
