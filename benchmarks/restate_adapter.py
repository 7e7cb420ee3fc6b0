"""A workflow of ten steps on Restate: served by Flux, next to the same steps written by hand for Restate."""

from pathlib import Path

from benchmarks.contest import Entry, Turns, contest
from benchmarks.figures import Figure

AT_ONCE = 20


async def measure(folder: Path, rounds: int) -> list[Figure]:
    """Let both take turns, each on a server of its own."""
    alone = {"runs": 60, "at_once": 1}
    together = {"runs": 600, "at_once": AT_ONCE}
    one, hand_one, many, hand_many = await contest(
        folder,
        rounds,
        Entry(contender="restate_runs", task="flux", parameters=alone),
        Entry(contender="restate_runs", task="hand", parameters=alone),
        Entry(contender="restate_runs", task="flux", parameters=together),
        Entry(contender="restate_runs", task="hand", parameters=together),
    )
    return [
        _held("a run of ten steps on Restate, one at a time", one, hand_one),
        _held(f"a run of ten steps on Restate, {AT_ONCE} at once", many, hand_many),
    ]


def _held(title: str, own: Turns, peer: Turns) -> Figure:
    return Figure(
        name="restate",
        title=title,
        samples=own.samples or (0.0,),
        peer_title="written by hand",
        peer=peer.samples,
        missing=peer.missing,
        advantage=1 / 1.2,
    )
