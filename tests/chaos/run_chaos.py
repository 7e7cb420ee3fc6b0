"""Rage for minutes: ``uv run python tests/chaos/run_chaos.py postgres --seconds 120 --seed 7``.

Prints what the monkey did, what was looked at, and what did not hold; the exit code is 1 for a violation.
"""

import argparse
import importlib
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]


def main() -> int:
    """Run a campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("where", choices=("postgres", "restate"))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the folder of diary, traces and logs")
    parser.add_argument("--quiet", action="store_true", help="do not print what the monkey did")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="flux-chaos-"))
    campaign = importlib.import_module(f"chaos_{given.where}").Campaign(folder, given.seed)
    try:
        verdict = campaign.run(given.seconds)
    finally:
        if not given.quiet:
            print("\n".join(campaign.monkey.diary))
        print(f"harm done: {dict(campaign.monkey.counts)}")
        if given.keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder)
    for name, count in sorted(verdict.counts.items()):
        print(f"{count:8} {name}")
    print(f"{len(verdict.violations)} violations in {given.seconds:g} s with seed {given.seed}")
    for violation in verdict.violations[:40]:
        print(f"  {violation[:600]}")
    return 1 if verdict.violations else 0


if __name__ == "__main__":
    sys.exit(main())
