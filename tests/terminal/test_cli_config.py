"""``flux config``: which files are read, what holds, and the keys."""

import pytest
from commands_here import Here, commands_here

from flux_tui import key_help


@pytest.fixture
def flux(tmp_path, monkeypatch, capfd) -> Here:
    """A project with settings in both files."""
    (tmp_path / "pyproject.toml").write_text('[tool.flux]\ntheme = "nord"\ndb = "old.db"\n')
    (tmp_path / "flux.toml").write_text('db = "runs.db"\n[keymap]\nrun = "f9"\n')
    for name in ("FLUX_DB", "FLUX_KEYMAP", "FLUX_THEME"):
        monkeypatch.delenv(name, raising=False)
    return commands_here(tmp_path, monkeypatch, capfd)


def test_every_setting_tells_where_it_comes_from(flux, tmp_path, monkeypatch):
    """The strongest place that has it: the environment, flux.toml, pyproject.toml, or nowhere."""
    monkeypatch.setenv("FLUX_EDITOR", "vim")
    shown = flux("config", "show", "--json").json
    assert shown["db"] == {"value": str(tmp_path / "runs.db"), "from": str(tmp_path / "flux.toml")}
    assert shown["theme"]["from"] == f"{tmp_path / 'pyproject.toml'} [tool.flux]"
    assert shown["editor"] == {"value": "vim", "from": "FLUX_EDITOR"}
    assert shown["ascii"] == {"value": False, "from": "default"}
    lines = flux("config", "show", "db", "ascii").out.splitlines()
    assert [line.split()[0] for line in lines] == ["db", "ascii"]
    assert lines[0].endswith("flux.toml")
    wrong = flux("config", "show", "dbb")
    assert (wrong.code, "there is no setting 'dbb'" in wrong.err) == (2, True)


def test_the_files_that_are_read_are_named(flux, tmp_path):
    """Also those that are not there, for that is where settings would go."""
    (tmp_path / "flux.toml").unlink()
    files = flux("config", "path", "--json").json["files"]
    assert [(file["exists"], file["has_settings"]) for file in files] == [(True, True), (False, False)]
    assert "flux.toml  not there" in flux("config", "path").out


def test_every_key_is_listed_with_what_was_rebound(flux, tmp_path):
    """What is wrong with the keymap makes the exit code 1."""
    listed = flux("config", "keys", "--json")
    keys = {key["id"]: key for key in listed.json["keys"]}
    assert set(keys) == {key.id for key in key_help.every_key()}
    assert (keys["run"]["keys"], keys["run"]["default"], keys["run"]["rebound"]) == (["f9"], ["r"], True)
    assert (listed.code, listed.json["problems"]) == (0, [])
    assert flux("config", "keys", "--rebound").out.split() == [
        "run",
        "f9",
        "Run",
        "workflow…",
        "(rebound,",
        "was",
        "r)",
    ]
    (tmp_path / "flux.toml").write_text('[keymap]\nrun = "t"\n')
    clash = flux("config", "keys")
    assert (clash.code, "'run' and of 'retry'" in clash.err) == (1, True)


def test_settings_that_are_wrong_stop_every_command(flux, tmp_path):
    """With the file and the nearest key that there is."""
    (tmp_path / "flux.toml").write_text("themme = 1\n")
    wrong = flux("config", "show")
    assert (wrong.code, "Did you mean 'theme'?" in wrong.err) == (2, True)
