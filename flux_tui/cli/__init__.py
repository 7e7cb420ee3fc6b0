"""The command line of Flux."""


def main() -> None:
    """Run the ``flux`` command."""
    raise SystemExit("not yet")


def dashboard() -> None:
    """Run the ``flux-tui`` command."""
    raise SystemExit("not yet")
