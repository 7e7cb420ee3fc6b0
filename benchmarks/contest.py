"""Contenders take turns, each in a process of its own, so that all meet the machine in the same state."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct


class Entry(Struct, frozen=True, kw_only=True):
    """One contender: a module of ``benchmarks.contenders``, the task it is given and its parameters."""

    contender: str
    task: str
    parameters: dict[str, Any] = {}


class Turns(Struct, frozen=True):
    """What one contender measured, one number a round, or why it could not take part."""

    samples: tuple[float, ...] = ()
    missing: str = ""


async def contest(folder: Path, rounds: int, *entries: Entry) -> list[Turns]:
    """Give each contender one turn a round; return what they measured, in the order of ``entries``."""
    samples: list[list[float]] = [[] for _ in entries]
    missing = [""] * len(entries)
    for number in range(rounds):
        for place, entry in enumerate(entries):
            if missing[place]:
                continue
            own = folder / f"{entry.contender}-{place}-{number}"
            own.mkdir()
            try:
                samples[place].append(await _turn(entry, own))
            except ModuleNotFoundError as error:
                missing[place] = str(error)
    return [Turns(tuple(found), reason) for found, reason in zip(samples, missing, strict=True)]


async def _turn(entry: Entry, folder: Path) -> float:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"benchmarks.contenders.{entry.contender}",
        entry.task,
        json.dumps({"folder": str(folder), **entry.parameters}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    text = errors.decode(errors="replace").strip()
    if process.returncode:
        last = text.rpartition("\n")[2]
        if last.startswith("ModuleNotFoundError"):
            raise ModuleNotFoundError("not installed")
        raise RuntimeError(f"{entry.contender} {entry.task} failed:\n{text}")
    return float(output.decode().split()[-1])
