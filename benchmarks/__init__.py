"""What Flux promises about its speed, measured through the real thing: ``python -m benchmarks``."""
