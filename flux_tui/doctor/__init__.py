"""Looking a project over: its store, trace, runs, settings, terminal and modules, and what to do."""

from flux_tui.doctor.check import Check, State
from flux_tui.doctor.examination import examine

__all__ = ["Check", "State", "examine"]
