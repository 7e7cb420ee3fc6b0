"""``flux --version`` next to a Python that does nothing."""

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figures import Figure

WARM_UP = 3


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Start both in turn."""
    flux = [str(Path(sys.executable).with_name("flux")), "--version"]
    bare = [sys.executable, "-c", "pass"]
    samples = [(_started(flux, folder), _started(bare, folder)) for _ in range(max(rounds, 5) + WARM_UP)][
        WARM_UP:
    ]
    return [
        Figure(
            name="startup",
            title="flux --version, over bare Python",
            samples=tuple(own - python for own, python in samples),
            target=80,
            peer_title="python -c pass, in all",
            peer=tuple(python for _, python in samples),
        )
    ]


def _started(command: list[str], folder: Path) -> float:
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
    return (time.perf_counter() - began) * 1000
