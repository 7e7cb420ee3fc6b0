"""The parts of the dashboard that draw."""
