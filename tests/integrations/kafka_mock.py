"""A Kafka cluster in this process: the mock of librdkafka, which speaks the real protocol on loopback."""

import contextlib
import ctypes
from collections.abc import Iterator
from pathlib import Path

import confluent_kafka
import pytest

NO_ERROR = 0
PRODUCE = 0
OFFSET_COMMIT = 8
HEARTBEAT = 12
MESSAGE_TOO_LARGE = 10
GROUP_AUTHORIZATION_FAILED = 30


class MockCluster:
    """Brokers, and what can be done to them."""

    def __init__(self, library, client, cluster, brokers):
        self._library = library
        self._client = client
        self._cluster = cluster
        self._brokers = brokers
        bootstraps = library.rd_kafka_mock_cluster_bootstraps
        bootstraps.restype = ctypes.c_char_p
        self.bootstrap_servers: str = bootstraps(cluster).decode()

    def create_topic(self, name: str, partitions: int = 1) -> None:
        """Have a topic; those that are only written to or read have four partitions."""
        assert (
            self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1) == NO_ERROR
        )

    def refuse(self, request: int, *errors: int) -> None:
        """Answer the next requests of a kind with these errors."""
        codes = (ctypes.c_int * len(errors))(*errors)
        count = ctypes.c_size_t(len(errors))
        push = self._library.rd_kafka_mock_push_request_errors_array
        push(self._cluster, ctypes.c_int16(request), count, codes)

    def refuse_no_more(self, request: int) -> None:
        """Forget the errors that are left for a kind of request."""
        self._library.rd_kafka_mock_clear_request_errors(self._cluster, ctypes.c_int16(request))

    def go_down(self) -> None:
        """Have every broker drop its connections and take no new ones."""
        for broker in range(1, self._brokers + 1):
            self._library.rd_kafka_mock_broker_set_down(self._cluster, ctypes.c_int32(broker))

    def come_up(self) -> None:
        """Have every broker answer again."""
        for broker in range(1, self._brokers + 1):
            self._library.rd_kafka_mock_broker_set_up(self._cluster, ctypes.c_int32(broker))


@contextlib.contextmanager
def mock_cluster(brokers: int = 3) -> Iterator[MockCluster]:
    """Run a cluster whose groups form at once, not after three seconds."""
    library = ctypes.CDLL(str(_library_of_the_client()))
    for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
        getattr(library, name).restype = ctypes.c_void_p
    problem = ctypes.create_string_buffer(512)
    conf = ctypes.c_void_p(library.rd_kafka_conf_new())
    library.rd_kafka_conf_set(conf, b"log_level", b"0", problem, ctypes.c_size_t(512))
    client = ctypes.c_void_p(library.rd_kafka_new(0, conf, problem, ctypes.c_size_t(512)))
    assert client, problem.value
    cluster = ctypes.c_void_p(library.rd_kafka_mock_cluster_new(client, brokers))
    library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, ctypes.c_int32(100))
    try:
        yield MockCluster(library, client, cluster, brokers)
    finally:
        library.rd_kafka_mock_cluster_destroy(cluster)
        library.rd_kafka_destroy(client)


def _library_of_the_client() -> Path:
    """Return librdkafka as confluent_kafka brings it."""
    package = Path(confluent_kafka.__file__).parent
    beside = package.parent / "confluent_kafka.libs"
    found = [*beside.glob("librdkafka*.so*"), *(package / ".dylibs").glob("librdkafka*.dylib")]
    if not found:
        pytest.skip(f"no Kafka: confluent-kafka has no librdkafka of its own in {beside}")
    return found[0]
