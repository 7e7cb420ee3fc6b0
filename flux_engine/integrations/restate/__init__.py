"""Workflows on Restate: definitions served unchanged, and a client for the runs there.

``restate_app`` needs the extra ``restate``; ``RestateClient`` needs nothing but Flux.
"""

from typing import TYPE_CHECKING, Any

from flux_engine.integrations.restate.client import RestateClient, RestateRun, RestateWorkflow
from flux_engine.integrations.restate.http_api import RestateError

if TYPE_CHECKING:
    from flux_engine.integrations.restate.app import restate_app

__all__ = ["RestateClient", "RestateError", "RestateRun", "RestateWorkflow", "restate_app"]


def __getattr__(name: str) -> Any:
    if name == "restate_app":
        from flux_engine.integrations.restate.app import restate_app  # noqa: PLC0415 - it needs the library

        return restate_app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
