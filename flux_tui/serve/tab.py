"""The process behind one browser tab: ``python -m flux_tui.serve.tab OPENING``."""

import os
import sys
from dataclasses import replace

from flux_engine.secrets import registered
from flux_tui.app import run_dashboard
from flux_tui.serve.opening import Opening


def main() -> int:
    """Open the dashboard that the argument describes, and return its exit code."""
    opening = Opening.model_validate_json(sys.argv[1])
    settings = replace(opening.settings, db=opening.settings.db.with_password_of(os.environ))
    registered.add(settings.secret_values(os.environ))
    if opening.restate is not None:
        from flux_tui.restate.opening import run_on_restate  # noqa: PLC0415 - for whoever asks for it

        server = opening.restate
        return run_on_restate(settings, server.admin, server.ingress, read_only=opening.read_only)
    return run_dashboard(settings, opening.paths, trace_only=opening.trace_only, read_only=opening.read_only)


if __name__ == "__main__":
    raise SystemExit(main())
