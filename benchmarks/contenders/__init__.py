"""Those who take part, each a module that is run as a program: ``TASK '{"folder": …, parameters}'``.

The last word that it prints is what it measured.
"""

import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

Task = Callable[..., float]

STRETCHES = 6


async def quickest(times: int, work: Callable[[], Awaitable[object]]) -> float:
    """Return the seconds that ``work`` takes, done so often, in the quickest of several stretches.

    What else the machine and its disk do makes it slower, and never quicker.
    """
    found = []
    for _ in range(STRETCHES):
        began = time.perf_counter()
        for _ in range(max(1, times // STRETCHES)):
            await work()
        found.append((time.perf_counter() - began) / max(1, times // STRETCHES))
    return min(found)


def main(tasks: Mapping[str, Task]) -> None:
    """Do the task that the command line names, and print what came of it."""
    name, parameters = sys.argv[1:]
    print(tasks[name](**json.loads(parameters)))
