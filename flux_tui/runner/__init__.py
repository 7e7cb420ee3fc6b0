"""The child process that runs user code, and its client in the dashboard."""
