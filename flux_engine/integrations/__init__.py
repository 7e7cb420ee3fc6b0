"""Where Flux runs: one module an adapter. None is imported by ``flux_engine`` itself."""
