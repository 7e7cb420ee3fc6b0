"""The trace: every event of every run as one line of JSON."""
