"""A real PostgreSQL for tests: on a free port of the loopback, with its data in a folder that is removed.

A server refuses to run as root, so it runs as an unprivileged user then. Commits wait for the disk (``fsync``
is on), as where it counts.
"""

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

HOW_TO_GET_IT = "PostgreSQL is not here: apt-get install postgresql, or set FLUX_TEST_POSTGRES_DSN"

EXISTING = "FLUX_TEST_POSTGRES_DSN"
"""The variable that names a server to use instead; its user must be allowed to create databases."""

_PLACES = (
    *sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -float(path.parent.name)),
    *sorted(Path("/opt/homebrew/opt").glob("postgresql*/bin"), reverse=True),
)
_PATIENCE = 30.0
_numbers = itertools.count(1)


def find_postgres() -> Path | None:
    """Return the folder of the server's programs, the newest first; ``None`` where there are none."""
    for folder in _PLACES:
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    return None if found is None else Path(found).resolve().parent


class _New:
    """The folder of a server that was never started, kept while one runs: making it takes longest."""

    data: Path | None = None
    servers = 0

    def keep(self, data: Path) -> None:
        folder = Path(tempfile.mkdtemp(prefix="flux-postgres-new-"))
        folder.chmod(0o755)
        subprocess.run(["cp", "-a", data, folder / "data"], check=True)
        self.data = folder / "data"

    def forget(self) -> None:
        if self.data is not None and self.servers == 0:
            shutil.rmtree(self.data.parent, ignore_errors=True)
            self.data = None


_new = _New()


class PostgresServer:
    """A server that can be stopped, killed and started again; it keeps its port and its data."""

    def __init__(self, programs: Path, folder: Path, port: int, network: str | None = None) -> None:
        self._programs = programs
        self._folder = folder
        self.port = port
        self._network = network
        self._user = _unprivileged()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        """How to connect to the database that every server has."""
        return f"postgresql://flux@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int:
        """The process of the running server."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def create(self) -> None:
        """Make the folder of its data. Every user is let in without a password, from this machine only."""
        if self._user is not None:
            shutil.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        if _new.data is None:
            self._run(
                "initdb", "-D", self._data, "-U", "flux", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"
            )
            _new.keep(self._data)
        else:
            self._run_program("cp", "-a", _new.data, self._data)

        if self._network is not None:
            with (self._data / "pg_hba.conf").open("a") as rules:
                rules.write(f"\nhost all all {self._network} trust\n")

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(
                        self._programs / "postgres",
                        "-D",
                        self._data,
                        "-p",
                        str(self.port),
                        "-k",
                        self._folder,
                    ),
                    *(
                        "-c",
                        f"listen_addresses={'*' if self._network else '127.0.0.1'}",
                        "-c",
                        "max_connections=200",
                    ),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_user(),
            )
        deadline = time.monotonic() + _PATIENCE
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log()}")
            time.sleep(0.01)

    def stop(self) -> None:
        """End it in order: connections are cut, what was committed is written."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it at once, as a failure of the machine would; it recovers when it is started again."""
        self._end(signal.SIGQUIT)

    def restart(self) -> None:
        """Stop it in order, and start it again."""
        self.stop()
        self.start()

    def ask_for_passwords(self) -> None:
        """Let nobody in without a password from now on."""
        (self._data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
        os.kill(self.pid, signal.SIGHUP)

    def log(self) -> str:
        """Return the last lines that the server wrote."""
        return "\n".join((self._folder / "log").read_text(errors="replace").splitlines()[-30:])

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _ready(self) -> bool:
        """Look into the file in which the server says how far it is."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(_PATIENCE)

    def _run(self, program: str, *arguments: str | Path) -> None:
        self._run_program(self._programs / program, *arguments)

    def _run_program(self, program: str | Path, *arguments: str | Path) -> None:
        done = subprocess.run(
            [program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            **self._as_user(),
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}{done.stderr}")

    def _as_user(self) -> dict:
        if self._user is None:
            return {"cwd": self._folder}
        return {
            "cwd": self._folder,
            "user": self._user.pw_uid,
            "group": self._user.pw_gid,
            "extra_groups": [],
        }


@contextmanager
def start_postgres(network: str | None = None) -> Iterator[PostgresServer]:
    """Run a server of one's own, to be stopped and started at will. Skips the test where there is none.

    It lets in who comes from this machine, and from ``network`` (``10.0.0.0/24``).
    """
    programs = find_postgres()
    if programs is None:
        pytest.skip(HOW_TO_GET_IT)
    folder = Path(tempfile.mkdtemp(prefix="flux-postgres-"))
    _new.servers += 1
    try:
        server = PostgresServer(programs, folder, _free_port(), network)
        server.create()
        server.start()
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _new.servers -= 1
        _new.forget()


@contextmanager
def shared_server() -> Iterator[str]:
    """Give the DSN of a server that nobody stops: the one that the environment names, or a new one."""
    existing = os.environ.get(EXISTING)
    if existing:
        yield existing
        return
    with start_postgres() as server:
        yield server.dsn


@contextmanager
def fresh_database(server_dsn: str) -> Iterator[str]:
    """Give the DSN of a new and empty database, which is dropped afterwards, connections or not."""
    name = f"flux_test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
    try:
        yield dsn_of(server_dsn, dbname=name)
    finally:
        with psycopg.connect(server_dsn, autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


def dsn_of(dsn: str, **changes: str) -> str:
    """Return a DSN like this one, as a URL, but for ``changes``."""
    parts = conninfo_to_dict(make_conninfo(dsn, **changes))
    login = str(parts.get("user", "")) + (f":{parts['password']}" if "password" in parts else "")
    return f"postgresql://{login}@{parts['host']}:{parts.get('port', 5432)}/{parts['dbname']}"


def _unprivileged() -> pwd.struct_passwd | None:
    """Return whom the server runs as; ``None`` for whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody'")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
