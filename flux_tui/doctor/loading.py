"""A process that imports the workflow modules and says how that went: ``python -m flux_tui.doctor.loading``.

It writes lines of JSON: ``{"loading": path}`` before each module, ``{"secrets": […]}`` whenever some are
registered, ``{"modules": […]}`` at the end.
"""

import os
import sys
from pathlib import Path

import msgspec

from flux_engine.secrets import registered
from flux_tui.runner.loader import load_modules


def main() -> None:
    """Load the modules below the paths; the first argument is the project folder."""
    root, *paths = map(Path, sys.argv[1:])
    del sys.argv[1:]
    told = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    os.chdir(root)

    def announce(path: Path) -> None:
        told.write(msgspec.json.encode({"loading": str(path)}) + b"\n")

    def note_secrets(values: frozenset[str]) -> None:
        told.write(msgspec.json.encode({"secrets": sorted(values)}) + b"\n")

    registered.listen(note_secrets)
    loaded = load_modules(paths, root=root, announce=announce)
    told.write(msgspec.json.encode({"modules": loaded.modules}) + b"\n")
    os._exit(0)  # whatever threads the modules have started


if __name__ == "__main__":
    main()
