"""What every store must do, as tests. Published in ``flux_engine.testing``."""

import asyncio
from itertools import product
from typing import Any

from msgspec.structs import replace

from flux_engine.errors import OwnershipLostError, RunExistsError, RunNotFoundError
from flux_engine.execution import RunStatus, StepStatus
from flux_engine.storage.base import EntryKind, JournalEntry, RunQuery, WorkflowStorage
from flux_engine.storage.contract_blobs import KeepingBlobs
from flux_engine.storage.contract_ownership import Owning, Renewing, Requesting
from flux_engine.storage.contract_parts import NOON, ContractPart, a_run, a_write, an_entry, refused, same


class _Opening(ContractPart):
    async def test_opening_again_does_nothing(self) -> None:
        """A second ``open`` leaves the runs as they are."""
        async with self.storage() as storage:
            await storage.create(a_run())
            await storage.open()
            self.same_run(await storage.find("run-1"), a_run())

    async def test_closing_again_does_nothing(self) -> None:
        """``close`` may be called twice, and before ``open``."""
        storage = await self.make_storage()
        await storage.close()
        await storage.open()
        await storage.close()
        await storage.close()

    async def test_runs_outlive_a_close(self) -> None:
        """A store that is opened again has its runs and their journals."""
        async with self.storage() as storage:
            await storage.create(a_run(), [an_entry(1)])
            await storage.close()
            await storage.open()
            self.same_run(await storage.find("run-1"), a_run())
            same(await storage.journal("run-1"), [an_entry(1)])

    async def test_close_waits_for_the_writes_under_way(self) -> None:
        """What was asked for before ``close`` is stored."""
        async with self.storage() as storage:
            writes = []
            for n in range(5):
                writes.append(asyncio.create_task(storage.create(a_run(f"run-{n}"))))
                await asyncio.sleep(0)
            await storage.close()
            await asyncio.gather(*writes)
            await storage.open()
            same(len(await storage.list(RunQuery())), 5)


class _Creating(ContractPart):
    async def test_a_run_comes_back_as_it_was_created(self) -> None:
        """Every column and every field of an entry is kept, the text to the letter."""
        record = a_run(
            status=RunStatus.FAILED,
            input='{ "naïve":  "\\u0000 😀 it\'s \\"%_\\\\\\"" }',
            created_at=NOON + 0.123456,
            updated_at=NOON + 1.000001,
            completed_at=NOON + 2.5,
            current_step="pay",
            error='{"type": "ValueError"}',
            error_summary="ValueError: unpaid",
            owner='{"pid": 1}',
            fence=7,
            idempotency_key="order-1",
            lease_until=NOON + 90.25,
            request="pause",
        )
        attempt = an_entry(
            1,
            status=StepStatus.FAILED,
            attempt=3,
            completed_at=NOON + 1.75,
            output="null",
            changes='{"set": {}, "deleted": []}',
            error='{"type": "ValueError"}',
            fingerprint="abc",
            seen=1,
            ordinal=2,
        )
        retry = JournalEntry(seq=2, kind=EntryKind.RETRY, step="pay", detail='["pay"]', changes="{}")
        async with self.storage() as storage:
            await storage.create(record, [attempt, retry])
            self.same_run(await storage.find(record.id), record)
            same(await storage.journal(record.id), [attempt, retry])

    async def test_large_text_is_kept(self) -> None:
        """An input, an output and changes of a megabyte come back whole."""
        large = f'"{"x" * 1_000_000}"'
        entry = an_entry(1, output=large, changes=large)
        async with self.storage() as storage:
            await storage.create(a_run(input=large), [entry])
            same(await storage.find("run-1") == a_run(input=large), expected=True)
            same(await storage.journal("run-1") == [entry], expected=True)

    async def test_an_id_is_used_once(self) -> None:
        """A second run of the same id is refused, and the first stays as it is."""
        async with self.storage() as storage:
            await storage.create(a_run(), [an_entry(1)])
            with refused(RunExistsError):
                await storage.create(a_run(workflow="other"), [an_entry(1, step="other"), an_entry(2)])
            self.same_run(await storage.find("run-1"), a_run())
            same(await storage.journal("run-1"), [an_entry(1)])

    async def test_of_creations_at_once_one_wins(self) -> None:
        """When tasks create the same id at the same time, one of them does and the others are refused."""
        async with self.storage() as storage:
            outcomes = await asyncio.gather(
                *(storage.create(a_run(), [an_entry(n)]) for n in range(5)), return_exceptions=True
            )
            same([type(outcome) for outcome in outcomes].count(RunExistsError), 4)
            same(len(await storage.journal("run-1")), 1)

    async def test_an_idempotency_key_is_used_once_in_a_workflow(self) -> None:
        """A key names one run of a workflow; another workflow may use it, and no key is no clash."""
        async with self.storage() as storage:
            await storage.create(a_run("a", idempotency_key="key"))
            with refused(RunExistsError):
                await storage.create(a_run("b", idempotency_key="key"))
            same(await storage.find("b"), None)
            await storage.create(a_run("c", idempotency_key="key", workflow="refunds"))
            await storage.create(a_run("d"))
            await storage.create(a_run("e"))

    async def test_an_idempotency_key_finds_its_run(self) -> None:
        """A run is found by its workflow and key, as it stands now, and no longer when it was deleted."""
        async with self.storage() as storage:
            await storage.create(a_run("a", idempotency_key="key"))
            await storage.create(a_run("b", idempotency_key="key", workflow="refunds"))
            await storage.create(a_run("c"))
            await storage.save(a_write("a", status=RunStatus.COMPLETED))
            same(await storage.find_by_key("orders", "key"), await storage.find("a"))
            same(await storage.find_by_key("refunds", "key"), await storage.find("b"))
            same(await storage.find_by_key("orders", "other"), None)
            same(await storage.find_by_key("nobody", "key"), None)
            await storage.delete("a")
            same(await storage.find_by_key("orders", "key"), None)


class _Saving(ContractPart):
    async def test_a_write_sets_every_column_it_has(self) -> None:
        """The columns become those of the write, cleared ones included; the others stay."""
        before = a_run(
            completed_at=NOON, current_step="old", error="{}", error_summary="old", owner="old",
            idempotency_key="key", lease_until=NOON + 10,
        )  # fmt: skip
        write = a_write(
            status=RunStatus.FAILED, completed_at=NOON + 3, current_step="new", error="[]",
            error_summary="new", owner="new", graph="{}", lease_until=NOON + 90,
        )  # fmt: skip
        async with self.storage() as storage:
            await storage.create(before)
            await storage.save(write)
            after = replace(
                before, status=RunStatus.FAILED, updated_at=NOON + 60, completed_at=NOON + 3,
                current_step="new", error="[]", error_summary="new", owner="new", graph="{}",
                lease_until=NOON + 90,
            )  # fmt: skip
            self.same_run(await storage.find("run-1"), after)
            await storage.save(a_write())
            cleared = a_run(updated_at=NOON + 60, idempotency_key="key", graph="{}")
            self.same_run(await storage.find("run-1"), cleared)

    async def test_entries_are_inserted_or_replaced_by_their_number(self) -> None:
        """An entry with a new ``seq`` is added, one with a known ``seq`` takes the place of the old one."""
        ended = an_entry(1, status=StepStatus.COMPLETED, completed_at=NOON + 9, output="1")
        async with self.storage() as storage:
            await storage.create(a_run(), [an_entry(1)])
            await storage.save(a_write(entries=(ended, an_entry(2))))
            same(await storage.journal("run-1"), [ended, an_entry(2)])

    async def test_a_journal_is_read_by_growing_number(self) -> None:
        """The order of entries is that of ``seq``, however they were written."""
        async with self.storage() as storage:
            await storage.create(a_run(), [an_entry(11), an_entry(2)])
            await storage.save(a_write(entries=(an_entry(5), an_entry(1), an_entry(10))))
            same([entry.seq for entry in await storage.journal("run-1")], [1, 2, 5, 10, 11])

    async def test_a_write_with_an_old_token_changes_nothing(self) -> None:
        """Who lost the run writes neither its columns nor its entries."""
        async with self.storage() as storage:
            await storage.create(a_run(), [an_entry(1)])
            token = await storage.claim("run-1", fence=0, owner="other")
            entries = (an_entry(1, output="1"), an_entry(2))
            stale = a_write(status=RunStatus.FAILED, graph="[]", entries=entries)
            with refused(OwnershipLostError):
                await storage.save(stale)
            self.same_run(await storage.find("run-1"), a_run(fence=token, owner="other"))
            same(await storage.journal("run-1"), [an_entry(1)])

    async def test_a_write_to_an_unknown_run_is_refused(self) -> None:
        """Nothing is made of a write whose run does not exist."""
        async with self.storage() as storage:
            with refused(RunNotFoundError):
                await storage.save(a_write("nobody", entries=(an_entry(1),)))
            same(await storage.find("nobody"), None)
            same(await storage.journal("nobody"), [])

    async def test_writes_at_once_succeed_and_fail_each_by_itself(self) -> None:
        """One stale owner among many writers is refused alone."""
        async with self.storage() as storage:
            for n in range(10):
                await storage.create(a_run(f"run-{n}", fence=n % 2))
            outcomes = await asyncio.gather(
                *(storage.save(a_write(f"run-{n}", entries=(an_entry(1),))) for n in range(10)),
                return_exceptions=True,
            )
            same([type(outcome) for outcome in outcomes], [type(None), OwnershipLostError] * 5)
            for n in range(10):
                same(len(await storage.journal(f"run-{n}")), 1 - n % 2)

    async def test_a_cancelled_writer_does_not_disturb_the_others(self) -> None:
        """A task that gives up waiting for its write leaves those of other tasks alone."""
        async with self.storage() as storage:
            for n in range(6):
                await storage.create(a_run(f"run-{n}"))
            tasks = [
                asyncio.create_task(storage.save(a_write(f"run-{n}", entries=(an_entry(1),))))
                for n in range(6)
            ]
            await asyncio.sleep(0)
            tasks[2].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for n in (0, 1, 3, 4, 5):
                same(await storage.journal(f"run-{n}"), [an_entry(1)])
            await storage.save(a_write("run-2", entries=(an_entry(2),)))
            same((await storage.journal("run-2"))[-1], an_entry(2))


class _Finding(ContractPart):
    async def test_what_is_not_there_is_not_found(self) -> None:
        """An unknown run is ``None`` and has an empty journal."""
        async with self.storage() as storage:
            same(await storage.find("nobody"), None)
            same(await storage.journal("nobody"), [])

    async def test_a_deleted_run_leaves_nothing(self) -> None:
        """Run, journal and keys are gone; the id begins anew."""
        async with self.storage() as storage:
            await storage.create(a_run(idempotency_key="key"), [an_entry(1)])
            await storage.create(a_run("other"), [an_entry(1)])
            same(await storage.delete("run-1"), expected=True)
            same(await storage.delete("run-1"), expected=False)
            same(await storage.find("run-1"), None)
            same(await storage.journal("run-1"), [])
            same([row.id for row in await storage.list(RunQuery())], ["other"])
            same(await storage.journal("other"), [an_entry(1)])
            await storage.create(a_run(idempotency_key="key"))
            same(await storage.journal("run-1"), [])

    async def test_the_revision_differs_after_any_write(self) -> None:
        """Each verb that writes changes it, also over a close."""
        async with self.storage() as storage:
            seen = [await storage.revision()]
            await storage.create(a_run())
            seen.append(await storage.revision())
            token = await storage.claim("run-1", fence=0, owner="me")
            seen.append(await storage.revision())
            await storage.save(a_write(fence=token, owner="me"))
            seen.append(await storage.revision())
            await storage.request("run-1", "pause")
            seen.append(await storage.revision())
            await storage.renew("me", NOON + 90)
            seen.append(await storage.revision())
            await storage.close()
            await storage.open()
            await storage.delete("run-1")
            seen.append(await storage.revision())
            same(len(set(seen)), 7)


class _Listing(ContractPart):
    async def test_a_row_has_what_the_run_has(self) -> None:
        """A row shows the run as it stands after its last write and claim."""
        async with self.storage() as storage:
            await storage.create(a_run())
            failure = a_write(status=RunStatus.FAILED, completed_at=NOON + 3, current_step="pay")
            await storage.save(replace(failure, error="{}", error_summary="ValueError: no"))
            await storage.claim("run-1", fence=0, owner="me", lease_until=NOON + 90)
            (row,) = await storage.list(RunQuery())
            same((row.id, row.workflow, row.status), ("run-1", "orders", RunStatus.FAILED))
            same((row.created_at, row.updated_at, row.completed_at), (NOON, NOON + 60, NOON + 3))
            same((row.current_step, row.error), ("pay", "ValueError: no"))
            same(row.owner, "me")
            self.same_lease(row.lease_until, NOON + 90)

    async def test_runs_come_newest_first(self) -> None:
        """Later runs come first; of runs created at the same time the greater id."""
        async with self.storage() as storage:
            for run_id, seconds in (("b", 1), ("a", 1), ("new", 2), ("c", 1), ("old", 0)):
                await storage.create(a_run(run_id, created_at=NOON + seconds))
            same(await _ids(storage), ["new", "c", "b", "a", "old"])
            await storage.save(a_write("b", status=RunStatus.FAILED))
            both = (RunStatus.FAILED, RunStatus.RUNNING)
            same(await _ids(storage, statuses=both), ["new", "c", "b", "a", "old"])

    async def test_pages_follow_each_other_without_gap_or_repetition(self) -> None:
        """Paging by the last row shows every run once, also when new runs arrive meanwhile."""
        async with self.storage() as storage:
            for n in range(20):
                await storage.create(a_run(f"run-{n:02}", created_at=NOON + n // 3 + 0.000001 * (n % 2)))
            everything = await _ids(storage)
            seen: list[str] = []
            before = None
            while page := await storage.list(RunQuery(before=before, limit=3)):
                seen += [row.id for row in page]
                before = (page[-1].created_at, page[-1].id)
                await storage.create(a_run(f"late-{len(seen)}", created_at=NOON + 100))
            same(seen, everything)

    async def test_a_page_has_at_most_its_limit(self) -> None:
        """``limit`` bounds the page, and 0 is an empty page."""
        async with self.storage() as storage:
            for n in range(4):
                await storage.create(a_run(f"run-{n}"))
            same(await _ids(storage, limit=3), ["run-3", "run-2", "run-1"])
            same(await _ids(storage, limit=0), [])

    async def test_runs_are_found_by_the_beginning_of_their_id(self) -> None:
        """Newest first, in this very case; no character is a wildcard."""
        async with self.storage() as storage:
            for n, run_id in enumerate(("3f2a", "3f", "3F2b", "x3f2", "3f%2", "3g")):
                await storage.create(a_run(run_id, created_at=NOON + n))
            same(await _ids(storage, id_prefix="3f"), ["3f%2", "3f", "3f2a"])
            same(await _ids(storage, id_prefix="3f2"), ["3f2a"])
            same(await _ids(storage, id_prefix="3f%"), ["3f%2"])
            same(await _ids(storage, id_prefix="4"), [])
            same(await _ids(storage, id_prefix="3f", limit=1), ["3f%2"])

    async def test_filters_by_workflow_status_and_time(self) -> None:
        """Filters hold together; ``since`` is inclusive, ``until`` exclusive, no status means any."""
        async with self.storage() as storage:
            runs = product(("orders", "refunds"), (RunStatus.RUNNING, RunStatus.FAILED, RunStatus.COMPLETED))
            for n, (workflow, status) in enumerate(runs):
                await storage.create(a_run(str(n), status=status, workflow=workflow, created_at=NOON + n))
            same(await _ids(storage, workflow="orders"), ["2", "1", "0"])
            same(await _ids(storage, workflow="order"), [])
            same(await _ids(storage, statuses=(RunStatus.FAILED,)), ["4", "1"])
            several = (RunStatus.FAILED, RunStatus.RUNNING)
            same(await _ids(storage, statuses=several), ["4", "3", "1", "0"])
            same(await _ids(storage, statuses=several, limit=3), ["4", "3", "1"])
            same(await _ids(storage, statuses=several, workflow="refunds"), ["4", "3"])
            same(await _ids(storage, statuses=several, before=(NOON + 4, "4"), limit=2), ["3", "1"])
            same(await _ids(storage, since=NOON + 2, until=NOON + 4), ["3", "2"])
            same(await _ids(storage, since=NOON + 1, statuses=(RunStatus.RUNNING,)), ["3"])

    async def test_a_changed_status_changes_the_listing(self) -> None:
        """A run is listed under the status it has now."""
        async with self.storage() as storage:
            await storage.create(a_run())
            await storage.save(a_write(status=RunStatus.COMPLETED))
            same(await _ids(storage, statuses=(RunStatus.RUNNING,)), [])
            same(await _ids(storage, statuses=(RunStatus.COMPLETED,)), ["run-1"])

    async def test_text_is_looked_for_in_id_workflow_step_and_error(self) -> None:
        """Any part matches, in any case, and no character of the text has a meaning of its own."""
        async with self.storage() as storage:
            await storage.create(a_run("abc-1", created_at=NOON + 3))
            await storage.create(a_run("x-2", workflow="Billing", created_at=NOON + 2))
            await storage.create(a_run("x-3", error_summary="ValueError: 100% ÄRGER_\\", created_at=NOON + 1))
            await storage.create(a_run("x-4", error_summary="1000 ok", current_step="Ship", created_at=NOON))
            same(await _ids(storage, text="BC-"), ["abc-1"])
            same(await _ids(storage, text="bill"), ["x-2"])
            same(await _ids(storage, text="ship"), ["x-4"])
            same(await _ids(storage, text="valueerror"), ["x-3"])
            same(await _ids(storage, text="100%"), ["x-3"])
            same(await _ids(storage, text="r_"), ["x-3"])
            same(await _ids(storage, text="\\"), ["x-3"])
            same(await _ids(storage, text="ärger"), ["x-3"])
            same(await _ids(storage, text="x_2"), [])
            same(await _ids(storage, text="x-", statuses=(RunStatus.RUNNING,), limit=2), ["x-2", "x-3"])
            same(await _ids(storage, text=""), ["abc-1", "x-2", "x-3", "x-4"])


class StorageContract(
    _Opening, _Creating, Owning, Requesting, Renewing, _Saving, KeepingBlobs, _Finding, _Listing
):
    """The tests of a store. Override ``make_storage`` in a subclass whose name begins with ``Test``."""


async def _ids(storage: WorkflowStorage, **query: Any) -> list[str]:
    return [row.id for row in await storage.list(RunQuery(**query))]
