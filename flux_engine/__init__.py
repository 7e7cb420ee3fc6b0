"""An async, typed workflow engine."""
