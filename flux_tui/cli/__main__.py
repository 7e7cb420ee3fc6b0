"""``python -m flux_tui.cli`` is ``flux``."""

from flux_tui.cli import main

main()
