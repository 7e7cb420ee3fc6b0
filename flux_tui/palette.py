"""What the command palette finds besides actions: runs by the beginning of their id, workflows and steps."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final

from textual.command import Hit, Hits, Provider
from textual.content import Content

from flux_tui import selection
from flux_tui.model.run import RunRowView
from flux_tui.model.text import age_text, printable, status_glyph, status_tone, status_word
from flux_tui.palette_actions import command_text

if TYPE_CHECKING:
    from flux_tui.screens.main import MainScreen

PLACEHOLDER: Final = "a command, a workflow, a step, or a run by its id"

SHORTEST: Final = 3
"""How many characters of an id are looked for."""

MOST: Final = 8
"""How many runs are offered."""

FIRST, LAST = 1000.0, 0.0001
"""The scores of what comes before and after all else."""

_LIKE_AN_ID: Final = re.compile(r"(?=.*\d)[0-9a-f]{4,8}(-[0-9a-f-]*)?", re.IGNORECASE)


class JumpProvider(Provider):
    """Goes to a run, a workflow, or a step of what is selected."""

    @property
    def _main(self) -> "MainScreen | None":
        from flux_tui.screens.main import MainScreen  # noqa: PLC0415 - the screen has this module in it

        return self.screen if isinstance(self.screen, MainScreen) else None

    async def search(self, query: str) -> Hits:
        """Yield the places that a text may mean."""
        main, text = self._main, query.strip()
        if main is None or not text:
            return
        for hit in (*self._workflows(main, text), *self._steps(main, text)):
            yield hit
        if len(text) < SHORTEST or " " in text:
            return
        rows = await main.desk.runs_beginning_with(text, MOST)
        for number, row in enumerate(rows):
            yield self._run(main, row, FIRST - number)
        if not rows and _LIKE_AN_ID.fullmatch(text):
            said = f"No run has an id that begins with {printable(text)!r}"
            yield Hit(LAST, Content.styled(said, "dim"), lambda: None, text=said)

    def _workflows(self, main: "MainScreen", text: str) -> Iterator[Hit]:
        matcher = self.matcher(text)
        for definition in main.desk.definitions.workflows:
            score = matcher.match(printable(definition.name))
            if score <= 0:
                continue
            name = printable(definition.name)
            yield _hit(
                score, f"Workflow {name}", "Go to the workflow", partial(_to_workflow, main, definition.name)
            )
            latest = main.desk.latest(definition.name)
            row = None if latest is None else main.desk.runs.get(latest)
            if row is not None:
                yield self._run(main, row, score * 0.9)

    def _steps(self, main: "MainScreen", text: str) -> Iterator[Hit]:
        matcher = self.matcher(text)
        view, definition = main.run_view, main.definition
        spec = view.graph if view is not None else None if definition is None else definition.graph
        for node in () if spec is None else spec.nodes:
            score = matcher.match(printable(node.name))
            if score <= 0:
                continue
            step = None if view is None else view.step(node.name)
            status = "" if step is None else f"{_sign(main, step.status)} {status_word(step.status)}"
            said = status or "Go to the step"
            yield _hit(score * 0.95, f"Step {printable(node.name)}", said, partial(_to_step, main, node.name))

    def _run(self, main: "MainScreen", row: RunRowView, score: float) -> Hit:
        tone = status_tone(row.status)
        shown = Content.assemble(
            (_sign(main, row.status), "$text-muted" if tone == "muted" else f"$text-{tone}"),
            " Run ",
            (printable(row.id), "bold"),
            f"  {printable(row.workflow)}",
        )
        age = age_text(main.desk.now() - row.started_at)
        said = f"{status_word(row.status)} · {'just now' if age == 'now' else f'{age} ago'}"
        return Hit(score, command_text(shown, said), partial(_to_run, main, row), text=shown.plain)


def _hit(score: float, text: str, said: str, command: Callable[[], None]) -> Hit:
    return Hit(score, command_text(Content(text), said), command, text=text)


def _sign(main: "MainScreen", status: str) -> str:
    return status_glyph(status, ascii=main.desk.settings.ascii)


def _to_run(main: "MainScreen", row: RunRowView) -> None:
    main.desk.take([row])
    main.go_to_run(row.id)
    main.show()


def _to_workflow(main: "MainScreen", name: str) -> None:
    definition = main.desk.definitions.find(name)
    if definition is not None:
        main.go_to_workflow(definition)
        main.show()


def _to_step(main: "MainScreen", step: str) -> None:
    main.selection = selection.at_step(main.selection, step)
    main.show()
