"""The pages and examples of the brokers are true: their programs run, on real messages."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import uuid
from pathlib import Path

import aio_pika
import pytest
from broker_flows import eventually
from rabbitmq_cable import URL
from test_rabbitmq import needs_rabbitmq

from flux_engine.integrations.messages import Message

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


def blocks(page):
    return BLOCK.findall((ROOT / f"docs/adapters/{page}.md").read_text())


def start(program, folder, *arguments, **environ):
    """Start a program in a folder of its own."""
    return subprocess.Popen(
        [sys.executable, program, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environ,
        stdout=subprocess.PIPE,
        text=True,
    )


async def completed(folder, count):
    """Wait until the store in the folder has so many completed runs."""
    store = folder / ".flux" / "flux.db"

    def runs():
        if not store.exists():
            return 0
        connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
        try:
            return connection.execute("SELECT count(*) FROM runs WHERE status = 'completed'").fetchone()[0]
        except sqlite3.OperationalError:  # the tables are being made
            return 0
        finally:
            connection.close()

    await eventually(lambda: runs() == count)


def stopped(process):
    """Tell a program to end, and return what it printed."""
    process.send_signal(signal.SIGTERM)
    return ended(process)


def ended(process):
    """Wait for a program to end well, and return what it printed."""
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    return out


@pytest.mark.parametrize("page", ["messages", "kafka", "rabbitmq"])
def test_the_links_of_a_page_lead_to_files(page):
    """Relative ones; others are not followed."""
    path = ROOT / f"docs/adapters/{page}.md"
    targets = [target for target in LINK.findall(path.read_text()) if "://" not in target]
    assert targets
    assert [target for target in targets if not (path.parent / target).exists()] == []


def test_the_function_of_the_page_reads_messages():
    """A message with these headers becomes a job."""
    names = {}
    for block in blocks("messages"):
        exec(block, names)  # noqa: S102 - the code of our own page
    message = Message(body=b"A-1", source="events", headers={"event-type": b"order", "event-id": b"7"})
    job = names["route"](message)
    assert (job.workflow, job.input, job.idempotency_key) == ("order", "A-1", "7")


async def test_the_program_of_the_kafka_page_runs_the_messages_of_its_topic(cluster, producer, tmp_path):
    """And so does the example, in a group of its own that begins with the oldest message."""
    (block,) = blocks("kafka")
    (tmp_path / "page.py").write_text(block)
    await producer.send_and_wait("orders", b'{"quantity": 2}')
    page = start(tmp_path / "page.py", tmp_path, KAFKA_SERVERS=cluster.bootstrap_servers)
    await completed(tmp_path, 1)
    stopped(page)
    example = ROOT / "examples/adapters/kafka_orders.py"
    ended(start(example, tmp_path, "send", KAFKA_SERVERS=cluster.bootstrap_servers))
    worker = start(example, tmp_path, KAFKA_SERVERS=cluster.bootstrap_servers)
    await completed(tmp_path, 5)
    assert "shipping 3 of A-3" in stopped(worker)


@needs_rabbitmq
async def test_the_program_of_the_rabbitmq_page_runs_the_messages_of_its_queue(tmp_path):
    """And so does the example."""
    queue = f"flux-{uuid.uuid4().hex[:8]}"
    environ = {"RABBITMQ_URL": URL, "RABBITMQ_QUEUE": queue}
    (block,) = blocks("rabbitmq")
    (tmp_path / "page.py").write_text(block.replace('"orders"', repr(queue)))
    connection = await aio_pika.connect(URL)
    async with connection, connection.channel() as channel:
        await channel.declare_queue(queue, durable=True)
        await channel.default_exchange.publish(aio_pika.Message(b'{"quantity": 2}'), queue)
        page = start(tmp_path / "page.py", tmp_path, **environ)
        await completed(tmp_path, 1)
        stopped(page)
        example = ROOT / "examples/adapters/rabbitmq_orders.py"
        ended(start(example, tmp_path, "send", **environ))
        worker = start(example, tmp_path, **environ)
        await completed(tmp_path, 4)
        assert "shipping 3 of A-3" in stopped(worker)
        for name in (queue, f"{queue}.dead-letter"):
            await channel.queue_delete(name)
