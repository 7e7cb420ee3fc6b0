"""The inputs that workflows were run with from here, to be used again."""

from typing import Any, Final

MOST: Final = 50
"""How many inputs of a workflow are kept."""


class Inputs:
    """Remembers inputs by workflow, the latest first, each once."""

    def __init__(self) -> None:
        self._by_workflow: dict[str, list[Any]] = {}

    def remember(self, workflow: str, value: Any) -> None:
        """Keep an input as the latest of its workflow."""
        earlier = [each for each in self._by_workflow.get(workflow, ()) if each != value]
        self._by_workflow[workflow] = [value, *earlier][:MOST]

    def of(self, workflow: str) -> list[Any]:
        """Return the inputs of a workflow, the latest first."""
        return list(self._by_workflow.get(workflow, ()))
