"""The server that the tests of PostgreSQL run on."""

import psycopg
from postgres_server import start_postgres


def test_a_database_is_empty_and_waits_for_the_disk(postgres_dsn):
    """Each test has a database of its own, on a server that is as durable as a real one."""
    with psycopg.connect(postgres_dsn) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        found = connection.execute(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        )
        assert found.fetchone() == (0,)


def test_a_server_keeps_its_data_and_port_over_a_kill():
    """What was committed is there when it is started again."""
    with start_postgres() as server:
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
        server.kill()
        server.start()
        server.restart()
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("SELECT n FROM kept").fetchall() == [(1,)]
