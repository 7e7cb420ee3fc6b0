"""Runs that another host drives: who has them in hand, and where what only their trace tells is."""

from flux_engine.running.ownership import decode_owner, this_host
from flux_tui.model.run import Driver, RunView
from flux_tui.model.text import printable


def driver_of(owner: str | None) -> Driver | None:
    """Return the process that an owner of the store names."""
    found = None if owner is None else decode_owner(owner)
    return None if found is None else Driver(host=found.host, pid=found.pid, here=found.host == this_host())


def driver_text(driver: Driver) -> str:
    """Return ``process 41 on host-b``, or ``Restate``, which has no process for a run."""
    if not driver.pid:
        return driver.host.capitalize()
    return f"process {driver.pid}" + ("" if driver.here else f" on {printable(driver.host)}")


def held_elsewhere(run: RunView | None) -> Driver | None:
    """Return the process on another host that has a run in hand now."""
    if run is None or run.status not in ("running", "pending") or run.driver is None or run.driver.here:
        return None
    return run.driver


def trace_is_elsewhere(run: RunView | None) -> str:
    """Return where the trace of a run is that this host has none of: the end of a sentence."""
    if run is not None and run.driver is not None and not run.driver.pid:
        return "in the trace of the services that Restate calls; --trace FILE shows it with the runs"
    if run is not None and run.driver is not None and not run.driver.here:
        return f"in the trace of {printable(run.driver.host)}; this host has only its store"
    return "in another trace, if it was traced: this one has nothing of the run"
