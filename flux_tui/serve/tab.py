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
    return run_dashboard(settings, opening.paths, trace_only=opening.trace_only, read_only=opening.read_only)


if __name__ == "__main__":
    raise SystemExit(main())
