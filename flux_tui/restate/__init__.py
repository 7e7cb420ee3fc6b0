"""The dashboard on a Restate server: its runs, and what its own APIs can do with them."""
