"""The inputs that workflows were run with from here, to be used again, also in later sessions."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from flux_engine.secrets import registered
from flux_tui.model.remade import remade
from flux_tui.model.secrets import Secrets
from flux_tui.remembered import Remembered

MOST: Final = 50
"""How many inputs of a workflow are kept."""

MOST_REMEMBERED: Final = 20
"""How many inputs of a workflow are kept for later sessions."""

MOST_BYTES: Final = 64 * 1024
"""How large an input may be, as JSON, to be kept for later sessions."""


class Inputs:
    """Remembers inputs by workflow, the latest first, each once.

    What is kept for later sessions is without the values that ``secrets`` are the keys of, and without
    texts that have a registered secret in them.
    """

    def __init__(self, remembered: Remembered | None = None, secrets: Secrets | None = None) -> None:
        self._remembered = Remembered() if remembered is None else remembered
        self._secrets = Secrets() if secrets is None else secrets
        self._whole: set[str] = set()
        self._by_workflow = self._remembered.get("inputs", dict[str, list[Any]]) or {}

    def remember(self, workflow: str, value: Any) -> None:
        """Keep an input as the latest of its workflow."""
        self._whole.add(workflow)
        earlier = [each for each in self._by_workflow.get(workflow, ()) if each != value]
        self._by_workflow[workflow] = [value, *earlier][:MOST]
        self._remembered.put("inputs", self._kept())

    def of(self, workflow: str, ran: Iterable[Any] = ()) -> list[Any]:
        """Return the inputs of a workflow, the latest first.

        Those that it ``ran`` with are whole: they go before what an earlier session kept without secrets.
        """
        known = self._by_workflow.get(workflow, ())
        new = [value for value in ran if value not in known]
        if workflow in self._whole or not known:
            return [*known, *new]
        kept = [self._without_secrets(value) for value in new if _fits(value)]
        return [*new, *(each for each in known if each not in kept)]

    def _kept(self) -> dict[str, list[Any]]:
        return {
            workflow: [kept for value in values if _fits(kept := self._without_secrets(value))][
                :MOST_REMEMBERED
            ]
            for workflow, values in self._by_workflow.items()
        }

    def _without_secrets(self, value: Any) -> Any:
        return remade(value, self._kept_of)

    def _kept_of(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                key: item
                for key, item in value.items()
                if key not in self._secrets and not _has_secret(key) and not _has_secret(item)
            }
        if isinstance(value, list | tuple):
            return [item for item in value if not _has_secret(item)]
        return value


def _has_secret(value: Any) -> bool:
    return isinstance(value, str) and registered.mask(value) != value


def _fits(value: Any) -> bool:
    try:
        return len(msgspec.json.encode(value)) <= MOST_BYTES
    except (TypeError, ValueError, RecursionError):
        return False
