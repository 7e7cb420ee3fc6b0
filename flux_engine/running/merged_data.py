"""The data of a run in hand, while steps run at the same time.

Each step is given the data as it is when it starts; what it changed is merged when it ends. Of two that
changed the same key the later one is refused.
"""

from collections.abc import Mapping
from typing import Any

from flux_engine.data import Delta, RunData
from flux_engine.errors import DataConflictError
from flux_engine.journal import Progress
from flux_engine.steps_graph import ancestors, descendants


class MergedData:
    """Merges what steps change, and notes who changed what while another step was running."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._merged: RunData | None = None
        self._meanwhile: dict[str, dict[str, str]] = {}
        self._restored = _steps_to_restore(progress)

    def current(self) -> RunData:
        """Return the data of all results so far. It is not changed by steps that end later."""
        if self._merged is None:
            self._merged = RunData(self._progress.texts())
        return self._merged

    def forget(self) -> None:
        """Take the data from the results anew: some of them no longer count."""
        self._merged = None

    def begin(self, step: str) -> RunData:
        """Return the data that a step is given."""
        if step not in self._restored:
            self._meanwhile[step] = {}
            return self._merged or self.current()
        self._meanwhile[step] = self._hidden_from(step)
        return RunData(self._progress.texts_before(step))

    def _hidden_from(self, step: str) -> dict[str, str]:
        """Return the keys of results that the step is not given and must not change, by who changed them."""
        given = {result.name for result in self._progress.visible_to(step)}
        following = descendants(self._progress.after, step)
        return {
            key: result.name
            for result in self._progress.results()
            if result.name not in given and result.name not in following
            for key in _keys(result.delta())
        }

    def check(self, step: str, delta: Delta) -> None:
        """Raise ``DataConflictError`` when a concurrent step changed one of the same keys before."""
        meanwhile = self._meanwhile.get(step)
        if not meanwhile:
            return
        for key in _keys(delta):
            if key in meanwhile:
                raise DataConflictError(
                    f"steps {meanwhile[key]!r} and {step!r} ran at the same time and both changed "
                    f"ctx.data[{key!r}]; let one follow the other with after=, or use two keys"
                )

    def reserve(self, step: str, delta: Delta) -> None:
        """Refuse these changes to the steps that run at the same time: this step's result is being stored."""
        if not delta:
            return
        for other, meanwhile in self._meanwhile.items():
            if other != step:
                meanwhile.update(dict.fromkeys(_keys(delta), step))

    def end(self, step: str, delta: Delta, values: Mapping[str, Any], *, last: bool) -> None:
        """Merge what a step changed. ``last`` says that its result comes behind all others."""
        if len(self._meanwhile) > 1:
            self.reserve(step, delta)
        self._meanwhile.pop(step, None)
        if not last or step in self._restored:  # its place is not the last, or it brings an edit
            self._merged = None
        elif self._merged is not None and delta:
            if self._meanwhile:
                self._merged = self._merged.copy()
            self._merged.apply(delta, values)

    def wake(self, step: str, delta: Delta) -> None:
        """Merge what a step had changed before it waited.

        Raises ``DataConflictError`` when a step that ran meanwhile changed one of the same keys.
        """
        self._meanwhile[step] = self._hidden_from(step)
        try:
            self.check(step, delta)
        except DataConflictError:
            self.leave(step)
            raise
        self.end(step, delta, {}, last=False)

    def again(self, step: str) -> None:
        """Forget a step that was interrupted: when it begins once more, it is given what it was given."""
        self.leave(step)
        self._restored.add(step)

    def leave(self, step: str) -> None:
        """Forget a step that ended without a result."""
        self._meanwhile.pop(step, None)


def _steps_to_restore(progress: Progress) -> set[str]:
    """Return the open steps that are not simply given every result.

    They have started before, or were edited, or steps that depend on them keep their results.
    """
    found: set[str] = set()
    for step in progress.steps.values():
        if step.status.done:
            found |= ancestors(progress.after, step.name)
        elif step.seen is not None or step.edit is not None:
            found.add(step.name)
    return {name for name in found if name in progress.steps and not progress.steps[name].status.done}


def _keys(delta: Delta) -> list[str]:
    return [*delta.set, *delta.deleted]
