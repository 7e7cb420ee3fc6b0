"""What the dashboard leaves behind when it fails itself."""

from rich.console import Console

from flux_tui.failed import report


def test_a_fault_of_the_dashboard_is_told_without_the_values_at_hand() -> None:
    """They may be secret; what to do next follows the traceback."""
    password = "s3cret-" + "value"
    console = Console(width=100)
    with console.capture() as told:
        try:
            [][len(password)]
        except IndexError:
            console.print(report())
    assert "IndexError: list index" in told.get()
    assert "s3cret-value" not in told.get()
    assert "Start it again" in told.get()
