"""The packets that Textual's web driver speaks over the pipes of its process.

A byte for the kind, four for the length, then so many bytes: ``D`` what a terminal would get or send,
``M`` a JSON object about it, ``P`` a part of a file, which the dashboard has no use for. Before the first
packet the process writes a line of its own, and possibly others that somebody printed.
Source: ``textual/drivers/web_driver.py`` of Textual 8.
"""

import json
from asyncio import IncompleteReadError, LimitOverrunError, StreamReader
from typing import Final

from msgspec import Struct

DATA: Final = b"D"
META: Final = b"M"
READY: Final = b"__GANGLION__\n"


class Packet(Struct, frozen=True):
    """One packet."""

    kind: bytes
    payload: bytes


def packed(kind: bytes, payload: bytes) -> bytes:
    """Return a packet as it goes over the pipe."""
    return kind + len(payload).to_bytes(4, "big") + payload


def meta(kind: str, **more: object) -> bytes:
    """Return a packet that tells the driver something: ``resize``, ``focus``, ``blur``, ``quit``."""
    return packed(META, json.dumps({"type": kind, **more}).encode())


async def is_ready(stream: StreamReader) -> bool:
    """Wait until the driver has started. ``False`` when the process ends before that."""
    try:
        await stream.readuntil(READY)
    except (IncompleteReadError, LimitOverrunError):
        return False
    return True


async def next_packet(stream: StreamReader) -> Packet | None:
    """Read one packet; ``None`` at the end of the stream."""
    try:
        head = await stream.readexactly(5)
        return Packet(head[:1], await stream.readexactly(int.from_bytes(head[1:], "big")))
    except (IncompleteReadError, ConnectionError):
        return None
