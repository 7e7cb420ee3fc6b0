"""What an adapter needs is loaded with the adapter, and with nothing else."""

import subprocess
import sys

LIBRARIES = {"flask", "functions_framework", "azure", "starlette", "opentelemetry", "awslambdaric", "uvicorn"}


def test_the_engine_loads_no_adapter():
    """Neither their modules nor their libraries."""
    code = "import sys, flux_engine; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert [name for name in loaded if name.startswith("flux_engine.integrations")] == []
    assert LIBRARIES & {name.partition(".")[0] for name in loaded} <= packages_of_every_start()


def test_adapters_without_libraries_load_none():
    """Those for AWS Lambda, Google Cloud, ASGI and cores run with Flux alone."""
    names = ("aws_lambda", "google_functions", "asgi", "orbit")
    code = "import sys\n" + "".join(f"import flux_engine.integrations.{name}\n" for name in names)
    done = subprocess.run(
        [sys.executable, "-c", f"{code}print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert LIBRARIES & {name.partition(".")[0] for name in done.stdout.split()} <= packages_of_every_start()


def packages_of_every_start():
    """Return what the environment itself loads into every process."""
    code = "import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}
