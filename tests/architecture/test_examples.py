"""The examples run, each by the real command in a folder of its own, without any input."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLUX = Path(sys.executable).parent / "flux"
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
FAILS_FIRST = ROOT / "examples/flaky_payment.py"
WAITS = ROOT / "examples/approval.py"
COMPLETE = [path for path in EXAMPLES if path not in (FAILS_FIRST, WAITS)]


def flux(folder, *arguments):
    """Run ``flux`` in the folder; return the exit code, its JSON document and what it told."""
    done = subprocess.run(
        [FLUX, *arguments, "--json"],
        cwd=folder,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return done.returncode, json.loads(done.stdout or "null"), done.stderr


@pytest.mark.parametrize("example", COMPLETE, ids=lambda p: p.stem)
def test_every_example_completes_with_its_defaults(example, tmp_path):
    """Each has defaults for its input, needs no service, and ends well."""
    code, result, told = flux(tmp_path, "run", str(example))
    assert code == 0, told
    assert result["status"] == "completed"
    assert {step["status"] for step in result["history"]} <= {"completed", "skipped"}


def test_the_flaky_payment_fails_once_and_goes_through_when_retried(tmp_path):
    """The first attempt fails; the retry runs only the failed step and those after it."""
    code, failed, _ = flux(tmp_path, "run", str(FAILS_FIRST), "--run-id", "pay")
    assert (code, failed["status"]) == (1, "failed")
    code, retried, told = flux(tmp_path, "runs", "retry", "pay", "--target", str(FAILS_FIRST))
    assert code == 0, told
    assert [(step["name"], step["attempts"]) for step in retried["history"]] == [
        ("reserve", 1),
        ("charge", 2),
        ("receipt", 1),
    ]


@pytest.mark.parametrize(("approved", "skipped"), [("true", "decline"), ("false", "pay")])
def test_the_expense_waits_for_its_approval_and_goes_on_with_the_signal(tmp_path, approved, skipped):
    """The run is suspended until the signal comes, whose payload says which branch it takes."""
    code, waiting, told = flux(tmp_path, "run", str(WAITS), "--run-id", "exp")
    assert (code, waiting["status"]) == (0, "suspended"), told
    assert "flux runs signal exp approval" in told
    payload = f'{{"approved": {approved}}}'
    code, done, told = flux(
        tmp_path, "runs", "signal", "exp", "approval", "--payload", payload, "--target", str(WAITS)
    )
    assert (code, done["status"]) == (0, "completed"), told
    assert [step["name"] for step in done["history"] if step["status"] == "skipped"] == [skipped]


def test_an_event_takes_the_branch_it_belongs_to(tmp_path):
    """Of the three branches one runs, the others are skipped."""
    example = ROOT / "examples/event_routing.py"
    _, result, _ = flux(tmp_path, "run", str(example), "--input", '{"kind": "login.failed"}')
    statuses = {step["name"]: step["status"] for step in result["history"]}
    assert [statuses[name] for name in ("sales", "security", "archive")] == [
        "skipped",
        "completed",
        "skipped",
    ]


def test_the_thumbnails_are_real(tmp_path):
    """The image example leaves pictures of the sizes asked for."""
    image = pytest.importorskip("PIL.Image")
    example = ROOT / "examples/image_processing.py"
    _, result, told = flux(tmp_path, "run", str(example), "--input", '{"sizes": [32, 64]}')
    assert result is not None, told
    with image.open(tmp_path / result["data"]["thumbnails"]["64"]) as picture:
        assert max(picture.size) == 64


def test_the_folder_loads_as_a_whole():
    """The dashboard opens on the folder: each module loads, and no two workflows share a name."""
    code = """
import json
from pathlib import Path
from flux_tui.runner.loader import load_modules
loaded = load_modules([Path("examples")], root=Path.cwd())
print(json.dumps({
    "problems": [str(module.problem) for module in loaded.modules if module.problem],
    "modules": [module.path for module in loaded.modules],
    "workflows": list(loaded.workflows),
}))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["problems"] == []
    assert len(found["workflows"]) == len(found["modules"]) == len(EXAMPLES)
