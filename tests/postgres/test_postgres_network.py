"""Two hosts and a server, of which one host is cut off: by network namespaces, where the machine has them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from postgres_server import start_postgres

PROGRAM = Path(__file__).with_name("programs") / "far_worker.py"
NUMBER = os.getpid() % 200 + 20
NETWORK = f"10.213.{NUMBER}"


def ip(*arguments):
    """Change the network of this machine."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this machine has no network namespaces for us: {done.stderr.strip()}")


@pytest.fixture
def island():
    """Another host: the name of its namespace, and the end of its cable here."""
    if shutil.which("ip") is None or shutil.which("unshare") is None or os.geteuid() != 0:
        pytest.skip("network namespaces need root, ip and unshare")
    name, near, far = f"flux{NUMBER}", f"fluxn{NUMBER}", f"fluxf{NUMBER}"
    ip("netns", "add", name)
    try:
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        ip("addr", "add", f"{NETWORK}.1/24", "dev", near)
        ip("link", "set", near, "up")
        ip("-n", name, "addr", "add", f"{NETWORK}.2/24", "dev", far)
        ip("-n", name, "link", "set", far, "up")
        ip("-n", name, "link", "set", "lo", "up")
        yield name, near
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


class Worker:
    """A process on a host of its own name, and what it says."""

    def __init__(self, host, before, *arguments):
        script = f'hostname {host} && exec "$@"'
        command = [
            *before,
            "unshare",
            "--uts",
            "sh",
            "-c",
            script,
            "sh",
            sys.executable,
            str(PROGRAM),
            *arguments,
        ]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def hear(self):
        line = self.process.stdout.readline()
        assert line, "it ended"
        return json.loads(line)

    def hear_until(self, **what):
        heard = [self.hear()]
        while not what.items() <= heard[-1].items():
            heard.append(self.hear())
        return heard


def test_a_host_that_was_cut_off_past_its_lease_writes_no_more(island):
    """Another host finishes its run; when the cable is healed, its late write is refused."""
    namespace, cable = island
    with start_postgres(f"{NETWORK}.0/24") as server:
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE receipts (worker text)")
        far_dsn = f"postgresql://flux@{NETWORK}.1:{server.port}/postgres"
        far = Worker("far-host", ["ip", "netns", "exec", namespace], far_dsn, "begins")
        near = Worker("near-host", [], server.dsn, "helps")
        try:
            far.hear_until(step="second")
            ip("link", "set", cable, "down")
            heard = near.hear_until(completed=True)
            assert [line["step"] for line in heard if "step" in line] == ["second", "pay"]
            ip("link", "set", cable, "up")
            far.process.stdin.write("go on\n")
            far.process.stdin.flush()
            assert far.hear() == {"role": "begins", "error": "OwnershipLostError"}
            assert (far.process.wait(20), near.process.wait(20)) == (0, 0)
        finally:
            for worker in (far, near):
                worker.process.kill()
                worker.process.communicate()
        with psycopg.connect(server.dsn) as connection:
            assert connection.execute("SELECT worker FROM receipts").fetchall() == [("helps",)]
            query = "SELECT step, status, changes::json #>> '{set,by}' FROM flux.steps ORDER BY seq"
            assert connection.execute(query).fetchall() == [
                ("first", "completed", None),
                ("second", "completed", "helps"),
                ("pay", "completed", None),
            ]
