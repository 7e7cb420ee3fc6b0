"""What a store must do about large texts."""

from hashlib import sha256

from flux_engine.errors import OwnershipLostError, RunExistsError
from flux_engine.storage.contract_parts import ContractPart, a_run, a_write, an_entry, refused, same


class KeepingBlobs(ContractPart):
    """``blobs``, and what it takes for one to be there."""

    async def test_blobs_of_every_write_come_back(self) -> None:
        """Whatever the run was created with or a write named is returned, to the letter."""
        first, second, third = _blob("1"), _blob('"😀" \\u0000'), _blob("x" * 1_000_000)
        async with self.storage() as storage:
            await storage.create(a_run(), [an_entry(1)], (first,))
            same(await storage.blobs("run-1"), dict([first]))
            await storage.save(a_write(blobs=(second, third), entries=(an_entry(2),)))
            await storage.save(a_write())
            same(await storage.blobs("run-1") == dict([first, second, third]), expected=True)
            same(await storage.journal("run-1"), [an_entry(1), an_entry(2)])

    async def test_a_run_has_the_blobs_it_named_only(self) -> None:
        """Another run's are not among them; there are none of a run that named none, or is not there."""
        mine, common = _blob("mine"), _blob("common")
        async with self.storage() as storage:
            await storage.create(a_run("a"), (), (mine, common))
            await storage.create(a_run("b"), (), (common,))
            await storage.create(a_run("c"))
            same(await storage.blobs("a"), dict([mine, common]))
            same(await storage.blobs("b"), dict([common]))
            same(await storage.blobs("c"), {})
            same(await storage.blobs("nobody"), {})

    async def test_a_blob_may_be_named_again(self) -> None:
        """Naming one twice, in one write or in several, is no mistake."""
        blob = _blob("again")
        async with self.storage() as storage:
            await storage.create(a_run(), (), (blob, blob))
            await storage.save(a_write(blobs=(blob,)))
            same(await storage.blobs("run-1"), dict([blob]))
            same(await storage.delete("run-1"), expected=True)
            same(await storage.blobs("run-1"), {})

    async def test_a_blob_stays_as_long_as_a_run_uses_it(self) -> None:
        """Deleting a run takes nothing from the others; after the last use the text is gone."""
        mine, common = _blob("mine"), _blob("common")
        changed = [(digest, "another text") for digest, _ in (mine, common)]
        async with self.storage() as storage:
            await storage.create(a_run("a"), (), (mine, common))
            await storage.create(a_run("b"), (), (common,))
            await storage.delete("a")
            same(await storage.blobs("b"), dict([common]))
            await storage.create(a_run("c"), (), tuple(changed))
            same(await storage.blobs("c"), dict([changed[0], common]))
            await storage.delete("b")
            same(await storage.blobs("c"), dict([changed[0], common]))
            await storage.delete("c")
            await storage.create(a_run("d"), (), tuple(changed))
            same(await storage.blobs("d"), dict(changed))

    async def test_a_refused_write_names_no_blobs(self) -> None:
        """A stale write, and a creation of what is there already, leave none behind."""
        async with self.storage() as storage:
            await storage.create(a_run(fence=1))
            with refused(OwnershipLostError):
                await storage.save(a_write(fence=0, blobs=(_blob("stale"),)))
            with refused(RunExistsError):
                await storage.create(a_run(), (), (_blob("taken"),))
            same(await storage.blobs("run-1"), {})

    async def test_blobs_outlive_a_close(self) -> None:
        """A store that is opened again has them."""
        async with self.storage() as storage:
            await storage.create(a_run(), (), (_blob("kept"),))
            await storage.close()
            await storage.open()
            same(await storage.blobs("run-1"), dict([_blob("kept")]))


def _blob(text: str) -> tuple[str, str]:
    return sha256(text.encode()).hexdigest(), text
