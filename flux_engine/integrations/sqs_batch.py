"""A batch of messages from SQS: which of them are to be delivered again."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flux_engine.engine import FluxEngine
from flux_engine.integrations.answers import RefusedError, refusal
from flux_engine.integrations.reception import Reception

_log = logging.getLogger("flux_engine.integrations")

Record = Mapping[str, Any]


def answer_batch(
    reception: Reception, records: Any, *, left: Callable[[], float], concurrency: int
) -> dict[str, list[dict[str, str]]]:
    """Run what the messages ask for; return those to deliver again as ``batchItemFailures``.

    ``left`` says how many seconds there are. The id of a message is its idempotency key, unless its body has
    one. Messages of one group (of a FIFO queue) are taken one after the other, and after the first that is to
    come again all others of its group are too. A message whose run has failed is done: the run is stored.
    """
    groups: dict[str, list[Record]] = {}
    for record in _checked(records):
        group = record.get("attributes", {}).get("MessageGroupId") or record["messageId"]
        groups.setdefault(group, []).append(record)
    batch = _Batch(reception, left, concurrency)
    again = reception.submit(lambda engine: batch.take(engine, list(groups.values()))).result()
    return {"batchItemFailures": [{"itemIdentifier": name} for name in again]}


def _checked(records: Any) -> Sequence[Record]:
    if not isinstance(records, list) or not all(
        isinstance(record, Mapping) and record.get("eventSource") == "aws:sqs" and record.get("messageId")
        for record in records
    ):
        raise refusal(400, "expected records of SQS; no other source is known")
    return records


class _Batch:
    def __init__(self, reception: Reception, left: Callable[[], float], concurrency: int) -> None:
        self._reception = reception
        self._left = left
        self._places = asyncio.Semaphore(concurrency)

    async def take(self, engine: FluxEngine, groups: Sequence[Sequence[Record]]) -> list[str]:
        """Take the groups side by side; return the ids of the messages that are to come again."""
        again = await asyncio.gather(*(self._take_group(engine, group) for group in groups))
        return [name for names in again for name in names]

    async def _take_group(self, engine: FluxEngine, group: Sequence[Record]) -> list[str]:
        """Take the messages in order, up to the first that is to come again."""
        async with self._places:
            for place, record in enumerate(group):
                if not await self._settled(engine, record):
                    return [each["messageId"] for each in group[place:]]
        return []

    async def _settled(self, engine: FluxEngine, record: Record) -> bool:
        name = record["messageId"]
        try:
            request = self._reception.read(str(record.get("body", "")), default_key=name)
            answer = await self._reception.respond(engine, request, self._left())
        except RefusedError as error:
            answer = error.answer
        if not answer.settled:
            _log.warning("message %s is to come again: %s", name, answer.text())
        return answer.settled
