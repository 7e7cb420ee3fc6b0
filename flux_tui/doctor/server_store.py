"""Whether a store on a Postgres server can be reached, is ready, and has a clock like the one here."""

import time
from collections.abc import Iterator
from typing import Any, Final

from flux_tui.address import PASSWORD_VARIABLE, StoreAddress
from flux_tui.doctor.check import Check, bad, good, warning
from flux_tui.doctor.files import size_text
from flux_tui.server import SERVER_ERRORS, Server, connected

AREA: Final = "store"
PATIENCE: Final = 5.0
CLOCKS: Final = 2.0
"""Seconds by which the clocks may differ before times on the screen look wrong."""


def check_server_store(address: StoreAddress) -> Iterator[Check]:
    """Connect to the server of a store and look, without changing anything."""
    try:
        with connected(address, PATIENCE) as server:
            asked = time.monotonic()
            version = server.version
            took = (time.monotonic() - asked) * 1000
            yield good(AREA, f"{address}: PostgreSQL {version}, answers in {took:.1f} ms")
            yield from _contents(server, address)
            yield _clock(server)
    except SERVER_ERRORS as error:
        said = " ".join(str(error).split())
        yield bad(AREA, f"{address} cannot be used: {said}", _advice(said))


def _contents(server: Server, address: StoreAddress) -> Iterator[Check]:
    schema = address.schema
    if not server.has_tables():
        yield _absent(server, schema)
        return
    runs = server.value(f'SELECT count(*) FROM "{schema}".runs')  # noqa: S608 - letters, digits and _ only
    held = f"{runs:,} {'run' if runs == 1 else 'runs'}, {size_text(server.size())}"
    yield good(AREA, f"schema {schema}: {held}, schema version {_version(server, schema)}")
    allowed = "SELECT has_table_privilege(format('%%I.runs', %s::text), 'INSERT, UPDATE, DELETE')"
    if not server.value(allowed, schema):
        text = f"schema {schema} cannot be written by {server.value('SELECT current_user')}"
        yield warning(AREA, text, "runs cannot be started here: grant INSERT, UPDATE, DELETE on its tables")


def _absent(server: Server, schema: str) -> Check:
    sql = (
        "SELECT CASE WHEN to_regnamespace(%s::text) IS NULL"
        " THEN has_database_privilege(current_database(), 'CREATE')"
        " ELSE has_schema_privilege(%s::text, 'CREATE') END"
    )
    if server.value(sql, schema, schema):
        return good(AREA, f"schema {schema} has no tables yet; the first run makes them")
    user = server.value("SELECT current_user")
    return bad(
        AREA,
        f"schema {schema} has no tables, and {user} may not make them",
        f"have its owner make it: CREATE SCHEMA {schema} AUTHORIZATION {user}",
    )


def _version(server: Server, schema: str) -> Any:
    return server.value(f'SELECT version FROM "{schema}".flux_version')  # noqa: S608 - as above


def _clock(server: Server) -> Check:
    before = time.time()
    there = float(server.value("SELECT extract(epoch FROM clock_timestamp())"))
    ahead = (before + time.time()) / 2 - there
    if abs(ahead) < CLOCKS:
        return good(AREA, f"its clock and the one here differ by {abs(ahead) * 1000:.0f} ms")
    side = "ahead of" if ahead > 0 else "behind"
    advice = "leases go by the database's clock, so no run is harmed; times shown here are off: set the clock"
    return warning(AREA, f"the clock here is {abs(ahead):.0f} s {side} the database's", advice)


def _advice(said: str) -> str:
    if "pip install" in said:
        return "install it where flux is installed"
    if "password" in said or "authentication" in said:
        return f"name the user in the address; give the password in {PASSWORD_VARIABLE} or ~/.pgpass"
    if "does not exist" in said:
        return "make the database, or name another one: createdb NAME"
    return "check that the server runs, and the host, port and network in between"
