"""The library that PostgreSQL needs is loaded with its store, and with nothing else."""

import subprocess
import sys


def run(code):
    """Return what a program prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_the_engine_loads_no_psycopg():
    """Until somebody asks for the store."""
    code = "import sys, flux_engine; print('psycopg' in sys.modules); flux_engine.PostgresStorage; "
    assert run(code + "print('psycopg' in sys.modules)") == "False\nTrue\n"


def test_without_psycopg_the_error_says_how_to_get_it():
    """It names the extra."""
    code = (
        "import sys\nsys.modules['psycopg'] = None\nimport flux_engine\n"
        "try:\n    flux_engine.PostgresStorage\nexcept ModuleNotFoundError as error:\n    print(error)"
    )
    assert 'pip install "flux-tui[postgres]"' in run(code)
