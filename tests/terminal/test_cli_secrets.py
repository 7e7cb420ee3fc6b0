"""Commands show no secrets, whether a name or a value gives them away, and whoever registered it."""

import json

import pytest
from test_cli import flux

from flux_engine.secrets import MASK

REGISTERED = "zebra-of-the-shop"
SHOP = f"""
from pydantic import BaseModel
from flux_engine import create_workflow, register_secret

KEY = {REGISTERED!r}
register_secret(KEY)

class Data(BaseModel):
    url: str = ""
    raw: bytes = b""

def leak(ctx):
    print("using", KEY)
    ctx.data.url = "https://" + KEY + "@host"
    ctx.data.raw = bytes([0, 255])

def fail(ctx):
    raise ValueError("password=hunter2 " + KEY)

shop = create_workflow("shop").data(Data).step("leak", leak)
fails = create_workflow("fails").data(Data).step("leak", leak).step("fail", fail)
"""
OTHER = "import flux_engine, pathlib; pathlib.Path('imported').touch()\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A project folder with a run that failed, and what was printed meanwhile."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.py").write_text(SHOP, encoding="utf-8")
    (folder / "other.py").write_text(OTHER, encoding="utf-8")
    ran = flux(folder, "run", "shop.py:fails", "--run-id", "f1", "--json")
    assert ran.returncode == 1
    return folder, ran


def test_a_run_tells_what_failed_without_the_secrets(shop):
    """In its progress, in its errors, in what its handlers print; only its data are printed as they are."""
    _, ran = shop
    assert REGISTERED not in ran.stderr
    assert "hunter2" not in ran.stderr + ran.stdout
    assert f"using {MASK}" in ran.stderr
    assert json.loads(ran.stdout)["data"]["url"] == f"https://{REGISTERED}@host"


@pytest.mark.parametrize(
    "command",
    [
        ("runs", "list", "--json"),
        ("runs", "show", "f1"),
        ("runs", "show", "f1", "--json"),
        ("export", "f1", "--out", "-"),
        ("trace", "tail", "--json"),
        ("runs", "compare", "f1", "f1"),
    ],
    ids=" ".join,
)
def test_what_the_modules_register_is_masked_by_every_command_that_shows_runs(shop, command):
    """They are imported for it, and those that register nothing are not."""
    folder, _ = shop
    (folder / "imported").unlink(missing_ok=True)  # a replay needs all modules
    shown = flux(folder, *command)
    assert shown.returncode == 0
    assert shown.stdout.strip()
    assert REGISTERED not in shown.stdout
    assert "hunter2" not in shown.stdout
    assert not (folder / "imported").exists()


def test_a_model_with_bytes_is_printed(shop):
    """As base64, for they may be no text."""
    folder, _ = shop
    ran = flux(folder, "run", "shop.py:shop")
    assert ran.returncode == 0
    assert json.loads(ran.stdout)["raw"] == "AP8="


def test_a_replay_shows_where_it_differs_without_the_secrets(shop):
    """Both sides are masked."""
    folder, _ = shop
    (folder / "shop.py").write_text(SHOP.replace('"@host"', '"@other"'), encoding="utf-8")
    replayed = flux(folder, "replay", "f1", "--json")
    assert replayed.returncode == 1
    assert REGISTERED not in replayed.stdout
    assert f"https://{MASK}@other" in replayed.stdout
