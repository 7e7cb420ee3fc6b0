"""What a store must do about owners of runs: claims, requests to them, and their leases."""

import asyncio

from msgspec.structs import replace

from flux_engine.errors import OwnershipLostError, RunNotFoundError
from flux_engine.execution import RunStatus
from flux_engine.storage.contract_parts import NOON, ContractPart, a_run, a_write, an_entry, refused, same


class Owning(ContractPart):
    """``claim``."""

    async def test_a_claim_gives_a_new_owner_and_a_greater_token(self) -> None:
        """The run has the owner and the token that ``claim`` returned, and is otherwise as before."""
        async with self.storage() as storage:
            await storage.create(a_run(fence=3, owner="old", lease_until=NOON), [an_entry(1)])
            token = await storage.claim("run-1", fence=3, owner="new", lease_until=NOON + 30.5)
            same(token, max(token, 4))
            claimed = a_run(fence=token, owner="new", lease_until=NOON + 30.5)
            self.same_run(await storage.find("run-1"), claimed)
            same(await storage.journal("run-1"), [an_entry(1)])

    async def test_a_claim_without_a_lease_has_none(self) -> None:
        """The lease of the owner before ends with it."""
        async with self.storage() as storage:
            await storage.create(a_run(owner="old", lease_until=NOON))
            token = await storage.claim("run-1", fence=0, owner="new")
            self.same_run(await storage.find("run-1"), a_run(fence=token, owner="new"))

    async def test_a_claim_with_an_old_token_is_refused(self) -> None:
        """Who has not seen the last claim cannot claim."""
        async with self.storage() as storage:
            await storage.create(a_run())
            token = await storage.claim("run-1", fence=0, owner="first")
            with refused(OwnershipLostError):
                await storage.claim("run-1", fence=0, owner="second")
            self.same_run(await storage.find("run-1"), a_run(fence=token, owner="first"))

    async def test_of_claims_at_once_one_wins(self) -> None:
        """When several claim with the same token, one gets the run."""
        async with self.storage() as storage:
            await storage.create(a_run())
            outcomes = await asyncio.gather(
                *(storage.claim("run-1", fence=0, owner=str(n)) for n in range(5)), return_exceptions=True
            )
            winners = [str(n) for n, outcome in enumerate(outcomes) if isinstance(outcome, int)]
            found = await storage.find("run-1")
            same(winners, [found and found.owner])
            same([type(outcome) for outcome in outcomes].count(OwnershipLostError), 4)

    async def test_an_unknown_run_cannot_be_claimed(self) -> None:
        """Claiming what is not there says so."""
        async with self.storage() as storage:
            with refused(RunNotFoundError):
                await storage.claim("nobody", fence=0, owner="me")


class Requesting(ContractPart):
    """``request``, and how the owner is told."""

    async def test_a_write_tells_what_was_asked(self) -> None:
        """``save`` returns the request for as long as it waits, and ``None`` when there is none."""
        async with self.storage() as storage:
            await storage.create(a_run(owner="me"))
            step = a_write(owner="me", lease_until=NOON + 90)
            same(await storage.save(step), None)
            await storage.request("run-1", "pause")
            same(await storage.save(step), "pause")
            same(await storage.save(a_write(owner="me", entries=(an_entry(1),))), "pause")
            same(await storage.save(a_write(owner="me", status=RunStatus.SUSPENDED)), "pause")
            found = await storage.find("run-1")
            same(found and found.request, "pause")
            same(await storage.journal("run-1"), [an_entry(1)])

    async def test_a_request_changes_nothing_else(self) -> None:
        """Owner, token and lease stay as they are, so the owner goes on writing."""
        async with self.storage() as storage:
            before = a_run(owner="me", fence=3, lease_until=NOON + 90)
            await storage.create(before, [an_entry(1)])
            await storage.request("run-1", "cancel")
            self.same_run(await storage.find("run-1"), replace(before, request="cancel"))
            same(await storage.journal("run-1"), [an_entry(1)])

    async def test_a_later_request_takes_the_place_of_the_one_before(self) -> None:
        """One request waits at a time: the last."""
        async with self.storage() as storage:
            await storage.create(a_run(owner="me"))
            await storage.request("run-1", "pause")
            await storage.request("run-1", "cancel")
            same(await storage.save(a_write(owner="me")), "cancel")

    async def test_a_write_that_gives_up_the_run_clears_the_request(self) -> None:
        """Without an owner nothing waits, neither in the record nor for the next owner."""
        async with self.storage() as storage:
            for run_id in ("a", "b"):
                await storage.create(a_run(run_id, owner="me"))
                await storage.request(run_id, "pause")
            same(await storage.save(a_write("a", status=RunStatus.PAUSED)), None)
            same(await storage.save(a_write("b")), None)
            for run_id in ("a", "b"):
                found = await storage.find(run_id)
                same(found and found.request, None)
                same(await storage.save(a_write(run_id, owner="next")), None)

    async def test_a_claim_clears_the_request(self) -> None:
        """What was asked of the owner before is not asked of the new one."""
        async with self.storage() as storage:
            await storage.create(a_run(owner="old"))
            await storage.request("run-1", "pause")
            token = await storage.claim("run-1", fence=0, owner="new")
            self.same_run(await storage.find("run-1"), a_run(fence=token, owner="new"))
            same(await storage.save(a_write(fence=token, owner="new")), None)

    async def test_a_stale_write_does_not_clear_the_request(self) -> None:
        """Who lost the run cannot take the request from its owner."""
        async with self.storage() as storage:
            await storage.create(a_run(fence=1, owner="me"))
            await storage.request("run-1", "pause")
            with refused(OwnershipLostError):
                await storage.save(a_write(fence=0))
            same(await storage.save(a_write(fence=1, owner="me")), "pause")

    async def test_nothing_is_asked_of_an_unknown_run(self) -> None:
        """A request to a run that is not there says so."""
        async with self.storage() as storage:
            with refused(RunNotFoundError):
                await storage.request("nobody", "pause")


class Renewing(ContractPart):
    """``renew``."""

    async def test_it_extends_the_leases_of_one_owner(self) -> None:
        """Every run of the owner gets the new lease and keeps all else; runs of others stay as they are."""
        async with self.storage() as storage:
            await storage.create(a_run("a", owner="me", lease_until=NOON + 1))
            await storage.create(a_run("b", fence=4))
            token = await storage.claim("b", fence=4, owner="me")
            await storage.create(a_run("c", owner="you", lease_until=NOON + 1))
            await storage.create(a_run("d"))
            same(await storage.renew("me", NOON + 30.25), {})
            self.same_run(await storage.find("a"), a_run("a", owner="me", lease_until=NOON + 30.25))
            self.same_run(
                await storage.find("b"), a_run("b", owner="me", lease_until=NOON + 30.25, fence=token)
            )
            self.same_run(await storage.find("c"), a_run("c", owner="you", lease_until=NOON + 1))
            self.same_run(await storage.find("d"), a_run("d"))

    async def test_it_brings_the_requests_to_the_owner(self) -> None:
        """Requests to the owner of runs are returned by run id, each time until they are cleared."""
        async with self.storage() as storage:
            for run_id, owner in (("a", "me"), ("b", "me"), ("c", "me"), ("d", "you")):
                await storage.create(a_run(run_id, owner=owner))
            for run_id, what in (("a", "pause"), ("b", "cancel"), ("d", "pause")):
                await storage.request(run_id, what)
            same(await storage.renew("me", NOON + 30), {"a": "pause", "b": "cancel"})
            same(await storage.renew("me", NOON + 60), {"a": "pause", "b": "cancel"})
            await storage.save(a_write("a", status=RunStatus.PAUSED))
            same(await storage.renew("me", NOON + 90), {"b": "cancel"})
            same(await storage.renew("you", NOON + 90), {"d": "pause"})

    async def test_a_run_that_changed_hands_is_not_renewed(self) -> None:
        """A run that was given up, taken over, handed on or deleted is no longer of the owner before."""
        async with self.storage() as storage:
            for run_id in ("released", "claimed", "handed", "deleted"):
                await storage.create(a_run(run_id, owner="me", lease_until=NOON))
            await storage.save(a_write("released"))
            await storage.claim("claimed", fence=0, owner="you", lease_until=NOON)
            await storage.save(a_write("handed", owner="you", lease_until=NOON))
            await storage.delete("deleted")
            for run_id in ("released", "claimed", "handed"):
                await storage.request(run_id, "pause")
            same(await storage.renew("me", NOON + 30), {})
            for run_id, lease in (("released", None), ("claimed", NOON), ("handed", NOON)):
                run = await storage.find(run_id)
                self.same_lease(None if run is None else run.lease_until, lease)
            same(await storage.renew("you", NOON + 30), {"claimed": "pause", "handed": "pause"})

    async def test_an_owner_without_runs_renews_nothing(self) -> None:
        """It is no mistake to have none."""
        async with self.storage() as storage:
            await storage.create(a_run())
            same(await storage.renew("nobody", NOON + 30), {})
            self.same_run(await storage.find("run-1"), a_run())

    async def test_a_renewed_lease_stays_until_the_next_write(self) -> None:
        """A write states the lease anew."""
        async with self.storage() as storage:
            await storage.create(a_run(owner="me"))
            await storage.save(a_write(owner="me", lease_until=NOON + 10))
            await storage.renew("me", NOON + 30)
            found = await storage.find("run-1")
            self.same_lease(None if found is None else found.lease_until, NOON + 30)
            await storage.save(a_write(owner="me", lease_until=NOON + 20))
            found = await storage.find("run-1")
            self.same_lease(None if found is None else found.lease_until, NOON + 20)
