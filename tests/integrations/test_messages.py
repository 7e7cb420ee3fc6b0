"""What a message asks for, and what becomes of it."""

import pytest
from broker_flows import Order, failing_flow, waiting_flow
from hypothesis import given
from hypothesis import strategies as st

from flux_engine import (
    DefinitionChangedError,
    FluxEngine,
    InvalidInputError,
    OwnershipLostError,
    RunBusyError,
    SerializationError,
    StorageError,
    create_workflow,
    register_secret,
)
from flux_engine.integrations.messages import (
    Decision,
    Job,
    Message,
    MessageReader,
    UnreadableMessageError,
    Verdict,
    decide,
    decide_error,
)
from flux_engine.integrations.offsets import PartitionOffsets
from flux_engine.secrets import registered

flow = create_workflow("order").input(Order).step("step", lambda ctx: None)


def message(body, **more):
    return Message(**{"body": body, "source": "orders", "key": "orders:0:7"} | more)


async def refusal(reader, body):
    """Return why a body is not read."""
    with pytest.raises(UnreadableMessageError) as caught:
        await reader.read(message(body))
    return caught.value.reason


async def test_a_message_names_its_workflow_its_input_and_its_key():
    """The key is that of the message when the body has none; a lone workflow need not be named."""
    reader = MessageReader([flow, waiting_flow])
    body = b'{"workflow": "order", "input": {"id": "1"}, "idempotency_key": "A-1"}'
    assert await reader.read(message(body)) == Job(workflow="order", input={"id": "1"}, idempotency_key="A-1")
    job = await reader.read(message(b'{"workflow": "waiting"}'))
    assert job == Job(workflow="waiting", idempotency_key="orders:0:7")
    assert (await MessageReader(flow).read(message(b"{}"))).workflow == "order"


async def test_a_bound_topic_carries_inputs():
    """Whatever JSON the body is, it is the input; a topic that is not bound is refused."""
    reader = MessageReader({"orders": flow, "refunds": waiting_flow})
    assert reader.sources == ("orders", "refunds")
    assert (await reader.read(message(b"[1, null]"))).input == [1, None]
    assert (await reader.read(message(b"1", source="refunds"))).workflow == "waiting"
    with pytest.raises(UnreadableMessageError, match="'others'"):
        await reader.read(message(b"1", source="others"))


async def test_two_topics_may_be_bound_to_one_workflow_but_a_name_has_one_workflow():
    """The mistake is told when the reader is made."""
    assert MessageReader({"orders": flow, "more-orders": flow}).sources == ("orders", "more-orders")
    other = create_workflow("order").step("another", lambda ctx: None)
    with pytest.raises(ValueError, match="'order'"):
        MessageReader([flow, other])
    for nothing in ([], {}):
        with pytest.raises(ValueError):
            MessageReader(nothing)
    with pytest.raises(ValueError, match="route"):
        MessageReader({"orders": flow}, route=lambda _: Job(workflow="order"))


async def test_a_function_that_reads_messages_may_be_wrong_and_is_told_so():
    """What it raises, what it returns and the key it gives are checked."""
    wrong = {
        lambda m: m.headers["none"]: "KeyError",
        lambda m: ("order", 1): "not a Job",
        lambda m: Job(workflow="order", idempotency_key=""): "idempotency key",
        lambda m: Job(workflow="order", idempotency_key=7): "idempotency key",
        lambda m: Job(workflow="order", idempotency_key="\ud800"): "idempotency key",
    }
    for route, why in wrong.items():
        with pytest.raises(UnreadableMessageError, match=why):
            await MessageReader(flow, route=route).read(message(b""))
    reader = MessageReader(flow, route=lambda _: Job(workflow="none"))
    with pytest.raises(UnreadableMessageError, match="'none'"):
        reader.definition(await reader.read(message(b"")))


@given(st.binary(max_size=200))
async def test_any_bytes_are_read_or_refused(body):
    """Nothing else comes of them."""
    try:
        job = await MessageReader(flow, max_bytes=100).read(message(body))
    except UnreadableMessageError as error:
        outcome = error.reason
    else:
        outcome = job.workflow
    assert outcome in {"malformed", "too-large", "unknown-workflow", "order"}


async def test_a_run_decides_what_becomes_of_its_message():
    """Stored as ended or suspended: acknowledged. A failed one is put aside when that was asked for."""
    async with FluxEngine() as engine:
        failed = await engine.execute(failing_flow, {"id": "1"})
        waiting = await engine.execute(waiting_flow, {"id": "1"})
    assert decide(waiting, "dead-letter").verdict is Verdict.ACKNOWLEDGE
    assert decide(failed, "ack").verdict is Verdict.ACKNOWLEDGE
    assert decide(failed, "dead-letter").headers()["flux-run"] == failed.id


@pytest.mark.parametrize(
    ("error", "verdict", "reason"),
    [
        (InvalidInputError("order", [("id", "missing")]), Verdict.DEAD_LETTER, "invalid-input"),
        (SerializationError("no"), Verdict.DEAD_LETTER, "refused"),
        (DefinitionChangedError("no", added=["a"], removed=(), moved=()), Verdict.DEAD_LETTER, "refused"),
        (RecursionError("deep"), Verdict.DEAD_LETTER, "refused"),
        (RunBusyError("busy"), Verdict.AGAIN, "busy"),
        (OwnershipLostError("lost"), Verdict.AGAIN, "busy"),
        (StorageError("disk full"), Verdict.AGAIN, "storage"),
        (OSError("unreachable"), Verdict.AGAIN, "storage"),
    ],
)
def test_an_error_decides_what_becomes_of_the_message(error, verdict, reason):
    """What may pass is tried again; what will not is put aside."""
    decision = decide_error(error)
    assert (decision.verdict, decision.reason) == (verdict, reason)
    assert decision.of_storage == (reason == "storage")


def test_a_dead_letter_tells_no_secret():
    """Registered values are masked, and a long story is cut."""
    register_secret("hunter22")
    try:
        detail = Decision(verdict=Verdict.DEAD_LETTER, reason="x", detail="hunter22 " * 500).headers()
    finally:
        registered.forget()
    assert "hunter22" not in detail["flux-detail"]
    assert len(detail["flux-detail"]) == 1000


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.randoms())
def test_a_partition_is_committed_as_far_as_everything_before_is_done(gaps, random):
    """In whatever order the messages end, and however large the gaps between their offsets are."""
    begun = [sum(gaps[: i + 1]) + i for i in range(len(gaps))]
    offsets = PartitionOffsets()
    for offset in begun:
        offsets.begin(offset)
    ended = set()
    for offset in random.sample(begun, len(begun)):
        offsets.end(offset)
        ended.add(offset)
        open_ones = [each for each in begun if each not in ended]
        before = [each for each in begun if not open_ones or each < open_ones[0]]
        assert offsets.due == (before[-1] + 1 if before else None)
        assert offsets.spread == len(begun) - len(before)
    offsets.committed(begun[-1] + 1)
    assert offsets.due is None
