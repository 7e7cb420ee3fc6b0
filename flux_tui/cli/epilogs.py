"""What stands below the help of a command: examples to copy, and its exit codes."""

from collections.abc import Mapping
from typing import Final

from flux_tui.cli.errors import BAD_USE, INTERRUPTED, RUN_FAILED

_VERBATIM: Final = "\b\n"
"""Tells the help formatter to leave the paragraph that follows as it is."""

RUNS: Final = {0: "done", RUN_FAILED: "a run failed", INTERRUPTED: "interrupted by Ctrl-C"}
"""The exit codes of the commands that move runs."""


def epilog(*examples: str, codes: Mapping[int, str] | None = None) -> str:
    """Return the text below a help. ``codes`` are exit codes beside 0 and 2, with what they mean."""
    ends = {0: "done", BAD_USE: "bad use"} | dict(codes or {})
    told = ", ".join(f"{code} {meaning}" for code, meaning in sorted(ends.items()))
    lines = "\n".join(f"  {example}" for example in examples)
    return f"{_VERBATIM}Examples:\n{lines}\n\n{_VERBATIM}Exit codes: {told}."
