"""From the body of a request to what it asks for: a run of a workflow.

What the adapters for functions in the cloud share. A body is one JSON object::

    {"workflow": "order", "input": {"order_id": "A-1"}, "idempotency_key": "A-1"}
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from flux_engine.arguments import Workflow, as_definition
from flux_engine.data import is_text
from flux_engine.definition import WorkflowDefinition
from flux_engine.integrations.answers import refusal

MAX_BYTES = 1024 * 1024
MAX_KEY = 255

_FIELDS = ("workflow", "input", "idempotency_key")


class RunRequest(Struct, frozen=True, kw_only=True):
    """What a caller asks for: a run of this workflow with this input, once for each key."""

    workflow: WorkflowDefinition[Any, Any]
    input: Any = None
    idempotency_key: str | None = None


class Catalogue:
    """The workflows that callers may run, by name. Raises ``ValueError`` for none, or a name used twice."""

    def __init__(self, workflows: Workflow[Any, Any] | Iterable[Workflow[Any, Any]]) -> None:
        given = list(workflows) if isinstance(workflows, Iterable) else [workflows]
        self._by_name: dict[str, WorkflowDefinition[Any, Any]] = {}
        for workflow in given:
            definition = as_definition(workflow)
            if definition.name in self._by_name:
                raise ValueError(f"two of the workflows are named {definition.name!r}: rename one of them")
            self._by_name[definition.name] = definition
        if not self._by_name:
            raise ValueError("expected at least one workflow to run, found none")

    def request(
        self,
        body: bytes | str,
        *,
        key: str | None = None,
        default_key: str | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> RunRequest:
        """Read a body.

        ``key`` is the idempotency key that came beside it, as in a header; ``default_key`` is that of a
        request without one.

        Raises ``RefusedError`` for what is too large, malformed, or asks for a workflow that is not there.
        """
        check_size(len(body) if isinstance(body, bytes) else len(body.encode(errors="replace")), max_bytes)
        try:
            value = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise refusal(400, f"the body is not JSON: {error}") from error
        except RecursionError as error:
            raise refusal(400, "the body is nested too deeply") from error
        return self.request_of(value, key=key, default_key=default_key)

    def request_of(self, value: Any, *, key: str | None = None, default_key: str | None = None) -> RunRequest:
        """Read a body that is decoded already. Raises as ``request``."""
        if not isinstance(value, dict):
            raise refusal(400, f"expected a JSON object with {_listed(_FIELDS)}, found {_kind(value)}")
        unknown = [name for name in value if name not in _FIELDS]
        if unknown:
            raise refusal(
                400,
                f"the body has a field {unknown[0]!r}, which is unknown; the fields are {_listed(_FIELDS)}",
                where=str(unknown[0]),
            )
        return RunRequest(
            workflow=self._workflow(value.get("workflow", UNSET)),
            input=value.get("input"),
            idempotency_key=_key_of(value.get("idempotency_key"), key) or default_key,
        )

    def _workflow(self, name: Any) -> WorkflowDefinition[Any, Any]:
        if isinstance(name, UnsetType) and len(self._by_name) == 1:
            return next(iter(self._by_name.values()))
        if not isinstance(name, str):
            found = "none" if isinstance(name, UnsetType) else _kind(name)
            raise refusal(
                400,
                f"'workflow' is the name of a workflow, found {found}",
                where="workflow",
                workflows=sorted(self._by_name),
            )
        if name not in self._by_name:
            raise refusal(
                404,
                f"there is no workflow {name[:100]!r} here; there is {_listed(sorted(self._by_name))}",
                where="workflow",
                workflows=sorted(self._by_name),
            )
        return self._by_name[name]


def check_size(size: int, max_bytes: int) -> None:
    """Raise ``RefusedError`` for a body of more than ``max_bytes``."""
    if size > max_bytes:
        raise refusal(413, f"the body has {size:,} bytes, more than the {max_bytes:,} that are taken")


def _key_of(inside: Any, beside: str | None) -> str | None:
    """Return the idempotency key of a request, which may be given in its body or beside it."""
    for key in (inside, beside):
        if key is None:
            continue
        if not isinstance(key, str) or not key.strip() or len(key) > MAX_KEY or not is_text(key):
            raise refusal(
                400,
                f"an idempotency key is a string of 1 to {MAX_KEY} characters, found {key!r:.100}",
                where="idempotency_key",
            )
    if inside is not None and beside is not None and inside != beside:
        raise refusal(
            400,
            f"two different idempotency keys: {inside!r} in the body, {beside!r} beside it. Send one.",
            where="idempotency_key",
        )
    return inside if inside is not None else beside


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
