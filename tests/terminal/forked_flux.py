"""The ``flux`` command in a process of its own, forked from one that has already imported it."""

import atexit
import functools
import json
import os
import select
import subprocess
import sys
import tempfile
from pathlib import Path

FLUX = Path(sys.executable).parent / "flux"
PROGRAM = Path(__file__).parent / "programs" / "forking_flux.py"


@functools.cache
def _parent():
    """Start the process that forks; it ends with this one at the latest."""
    parent = subprocess.Popen([sys.executable, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    atexit.register(parent.communicate)
    return parent


def flux(folder, *arguments, stdin=""):
    """Run ``flux`` in the folder and wait for its end."""
    parent = _parent()
    command = [str(FLUX), *map(str, arguments)]
    with tempfile.TemporaryDirectory() as streams:
        names = {name: Path(streams, name) for name in ("in", "out", "err")}
        for path in names.values():
            path.write_text(stdin if path.name == "in" else "", encoding="utf-8")
        order = {name: str(path) for name, path in names.items()}
        order |= {"folder": str(folder), "arguments": command, "environ": dict(os.environ)}
        parent.stdin.write(json.dumps(order).encode() + b"\n")
        parent.stdin.flush()
        assert select.select([parent.stdout], [], [], 60)[0], f"{command} does not end"
        code = int(parent.stdout.readline())
        out, err = (names[name].read_text(encoding="utf-8") for name in ("out", "err"))
    return subprocess.CompletedProcess(command, code, out, err)


def flux_afresh(folder, *arguments, stdin=""):
    """Do the same as a shell does, with nothing imported before."""
    return subprocess.run(
        [FLUX, *arguments], cwd=folder, input=stdin, capture_output=True, text=True, check=False, timeout=60
    )
