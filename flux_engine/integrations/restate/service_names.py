"""What a workflow is called on Restate, and what its service says of it to whoever looks."""

import hashlib
import re

GRAPH = "flux.describe"
"""The key in a service's metadata under which its workflow is described, as ``describe()`` does."""

WORKFLOW = "flux.workflow"
"""The key in a service's metadata with the workflow's own name."""

_ALLOWED = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")


def service_name(workflow: str) -> str:
    """Return the name of the Restate service of a workflow: the same, if Restate allows it.

    Otherwise what Restate does not allow becomes ``_``, and a few characters of a hash keep apart the
    names that would become the same. Names that begin with ``restate`` it keeps for itself.
    """
    if _ALLOWED.fullmatch(workflow) and not _is_reserved(workflow):
        return workflow
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", workflow)
    digest = hashlib.sha256(workflow.encode()).hexdigest()[:8]
    begins_well = plain[:1].isalpha() and not _is_reserved(plain)
    return f"{plain if begins_well else f'w-{plain}'}-{digest}"


def _is_reserved(name: str) -> bool:
    return name.lower().startswith("restate") or name.lower() == "openapi"


def run_id_of(workflow: str, idempotency_key: str) -> str:
    """Return the id of the run that a workflow has for an idempotency key: the same each time."""
    return hashlib.sha256(f"{workflow}\n{idempotency_key}".encode()).hexdigest()[:32]
