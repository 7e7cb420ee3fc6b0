"""Those who take part, each a module that is run as a program: ``TASK '{"folder": …, parameters}'``.

The last word that it prints is what it measured.
"""

import json
import sys
from collections.abc import Callable, Mapping

Task = Callable[..., float]


def main(tasks: Mapping[str, Task]) -> None:
    """Do the task that the command line names, and print what came of it."""
    name, parameters = sys.argv[1:]
    print(tasks[name](**json.loads(parameters)))
