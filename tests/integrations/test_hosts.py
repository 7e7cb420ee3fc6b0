"""Who owns a run, on machines that share a name."""

import socket

import pytest

from flux_engine.running import ownership
from flux_engine.running.ownership import Owner, is_gone, this_host


@pytest.fixture(autouse=True)
def fresh():
    """Forget the name of this host before and after."""
    this_host.cache_clear()
    yield
    this_host.cache_clear()


@pytest.mark.parametrize("name", ["localhost", "169.254.100.5"])
def test_sandboxes_with_one_name_are_different_hosts(monkeypatch, name):
    """A living owner in another one is not taken for dead because its process is not here."""
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    boots = iter(["0000aaaa", "0000bbbb"])
    monkeypatch.setattr(ownership, "_boot_id", lambda: next(boots))
    there = this_host()
    this_host.cache_clear()
    assert there != this_host()
    assert not is_gone(Owner(host=there, pid=2**22 + 1, started="x", engine="e"))


def test_a_sandbox_that_hides_its_boot_is_a_host_of_its_own(monkeypatch):
    """Each process is, so that only the lease decides."""
    monkeypatch.setattr(socket, "gethostname", lambda: "localhost")
    monkeypatch.setattr(ownership, "_boot_id", lambda: "")
    first = this_host()
    this_host.cache_clear()
    assert first.startswith("localhost-")
    assert first != this_host()


def test_a_machine_with_a_name_of_its_own_keeps_it(monkeypatch):
    """Processes that ended there are known to be gone at once."""
    monkeypatch.setattr(socket, "gethostname", lambda: "shop-1")
    assert this_host() == "shop-1"
    assert is_gone(Owner(host="shop-1", pid=2**22 + 1, started="x", engine="e"))
