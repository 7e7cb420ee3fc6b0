"""What the tests of the adapters share."""

import pytest
from aiokafka import AIOKafkaProducer
from broker_flows import Shop
from kafka_mock import mock_cluster
from kafka_topic import Topic

from flux_engine import FluxEngine, FluxSilentLogger


@pytest.fixture(scope="session")
def cluster():
    """A Kafka cluster; each test has topics of its own."""
    with mock_cluster() as running:
        yield running


@pytest.fixture
async def producer(cluster):
    """Sends messages, compressed."""
    async with AIOKafkaProducer(
        bootstrap_servers=cluster.bootstrap_servers, compression_type="zstd", max_request_size=10_000_000
    ) as started:
        yield started


@pytest.fixture
def topic(cluster, producer):
    """A topic of one partition."""
    return Topic(cluster, producer).create()


@pytest.fixture
def shop():
    return Shop()


@pytest.fixture
async def engine():
    """An engine that says nothing."""
    async with FluxEngine(logger=FluxSilentLogger(), default_retries=0) as opened:
        yield opened
