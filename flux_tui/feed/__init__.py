"""Where the model gets its news from: the trace, the store, the module files."""
