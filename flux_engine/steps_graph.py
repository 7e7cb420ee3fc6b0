"""The steps of a workflow as a graph: who follows whom, what is drawn, what may run."""

from collections.abc import Iterable, Mapping, Sequence

After = Mapping[str, Sequence[str]]
"""The predecessors of each step, by name."""


def order(after: After) -> list[str]:
    """Return the steps so that each comes behind its predecessors, otherwise as declared.

    Raises ``ValueError`` with the steps of a cycle.
    """
    done: dict[str, bool] = {}
    ordered: list[str] = []
    for start in after:
        stack: list[tuple[str, int]] = [(start, 0)]
        while stack:
            name, position = stack.pop()
            if position == 0:
                if name in done:
                    continue
                done[name] = False
            before = after[name]
            if position == len(before):
                done[name] = True
                ordered.append(name)
                continue
            stack.append((name, position + 1))
            following = before[position]
            if done.get(following) is False:
                cycle = [entry for entry, _ in stack]
                raise ValueError(" → ".join([*cycle[cycle.index(following) :], following][::-1]))
            if following not in done:
                stack.append((following, 0))
    return ordered


def ancestors(after: After, step: str) -> set[str]:
    """Return all steps that ``step`` depends on."""
    found: set[str] = set()
    stack = list(after.get(step, ()))
    while stack:
        name = stack.pop()
        if name not in found:
            found.add(name)
            stack += after.get(name, ())
    return found


def descendants(after: After, step: str) -> set[str]:
    """Return all steps that depend on ``step``."""
    following = followers(after)
    found: set[str] = set()
    stack = list(following.get(step, ()))
    while stack:
        name = stack.pop()
        if name not in found:
            found.add(name)
            stack += following.get(name, ())
    return found


def visible(after: After, step: str, *, seen: int | None, results: Iterable[tuple[str, int]]) -> list[str]:
    """Return which results a step is given, in their order.

        ``results`` are names with their places. A step that has started before (``seen`` is how many results
        there were then) is given what it was given then; else it is given all; never
    its own result, nor what depends on it.
    """
    hidden = {step, *descendants(after, step)}
    ordered = [pair for pair in sorted(results, key=lambda pair: pair[1]) if pair[0] not in hidden]
    if seen is None:
        return [name for name, _ in ordered]
    before = ancestors(after, step)
    return [name for name, place in ordered if place <= seen or name in before]


def followers(after: After) -> dict[str, list[str]]:
    """Return the steps that directly follow each step."""
    following: dict[str, list[str]] = {name: [] for name in after}
    for name, before in after.items():
        for earlier in before:
            if earlier in following:
                following[earlier].append(name)
            else:
                following[earlier] = [name]
    return following


class Schedule:
    """Which steps may run next, as others come to their end. Each step costs its edges, once.

    A step that is done keeps its result, but what follows it still waits for the steps before it that are
    to run (again). With ``only`` nothing else runs, and whatever stands before it is taken as it is.
    ``following`` are the ``followers`` of all steps, where they are at hand.
    """

    def __init__(
        self,
        after: After,
        *,
        done: Iterable[str],
        only: Iterable[str] | None = None,
        following: Mapping[str, list[str]] | None = None,
    ) -> None:
        waits = after
        if finished := set(done):
            waits = {name: _open_before(after, name, finished) for name in after if name not in finished}
            following = None
        self._following = followers(waits) if following is None else following
        if only is None:
            self._missing = {name: len(before) for name, before in waits.items()}
        else:
            wanted = set(only)
            self._missing = {name: 0 for name in waits if name in wanted}
        self._ready = [name for name, missing in self._missing.items() if missing == 0]

    def take(self) -> list[str]:
        """Return the steps that have become ready, in the order of their declaration; each once."""
        ready, self._ready = self._ready, []
        return ready

    def again(self, step: str) -> None:
        """Make a step that was taken ready once more."""
        if step in self._missing:
            self._ready.append(step)

    def end(self, step: str) -> None:
        """Note that a step is done."""
        for name in self._following.get(step, ()):
            if name in self._missing:
                self._missing[name] -= 1
                if self._missing[name] == 0:
                    self._ready.append(name)


def _open_before(after: After, step: str, done: set[str]) -> Sequence[str]:
    """Return the steps to run before ``step``: its predecessors, or those behind the ones that are done."""
    if not any(name in done for name in after[step]):
        return after[step]
    found: dict[str, None] = {}
    seen: set[str] = set()
    stack = list(after[step])
    while stack:
        name = stack.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in done:
            stack += after.get(name, ())
        else:
            found[name] = None
    return list(found)
