"""Is ``flux`` over and over: a child for each order, with a folder, streams and surroundings of its own.

What all commands import is imported once; it is most of what a short command costs.
"""

import gc
import importlib
import json
import os
import sys

from flux_tui.cli import main
from flux_tui.cli.commands import COMMAND_MODULES

SELDOM = {"dev", "mcp"}


def become(order):
    """Make this child the process that was ordered."""
    for stream, (name, flags) in enumerate((("in", os.O_RDONLY), ("out", os.O_WRONLY), ("err", os.O_WRONLY))):
        os.dup2(os.open(order[name], flags), stream)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environ"])
    sys.argv[:] = order["arguments"]
    sys.path[0] = os.path.dirname(sys.argv[0])  # noqa: PTH120 - as Python itself makes it


def serve():
    """Answer each order with the exit code of a child; return in the child."""
    with os.fdopen(os.dup(0)) as orders, os.fdopen(os.dup(1), "w") as answers:
        while line := orders.readline():
            child = os.fork()
            if child == 0:
                become(json.loads(line))
                return
            answers.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
            answers.flush()
    sys.exit()


if __name__ == "__main__":
    for name, module in COMMAND_MODULES.items():
        if name not in SELDOM:
            importlib.import_module(module)
    gc.freeze()
    serve()
    sys.exit(main())
