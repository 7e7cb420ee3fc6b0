"""Settings: where they come from, which goes first, and what is said about a mistake."""

from pathlib import Path

import pytest

from flux_tui.settings import KEYS, Settings, SettingsError, adapter, load_settings


def pyproject(folder: Path, text: str) -> None:
    """Write a pyproject.toml."""
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")


def load(folder: Path, environ=None, **flags) -> Settings:
    """Load the settings of ``folder``, by default without any environment variable."""
    return load_settings(folder, flags, environ or {})


def test_works_without_configuration(tmp_path):
    """An empty folder gives the defaults, with the store and the trace below the folder."""
    settings = load(tmp_path)
    assert settings.db.file == tmp_path / ".flux/flux.db"
    assert settings.trace == tmp_path / ".flux/trace.ndjson"
    assert settings.default_retries == 0
    assert settings.default_timeout == 30
    assert settings.workflows == ()


def test_reads_the_table_in_pyproject(tmp_path):
    """[tool.flux] is read; its relative paths start at the project folder."""
    pyproject(tmp_path, '[tool.flux]\nworkflows = ["flows", "/abs"]\ndefault_timeout = 3\nascii = true\n')
    settings = load(tmp_path)
    assert settings.workflows == (tmp_path / "flows", Path("/abs"))
    assert settings.default_timeout == 3
    assert settings.ascii is True


def test_later_places_go_first(tmp_path):
    """flux.toml goes before pyproject.toml, the environment before both, an option before all."""
    pyproject(tmp_path, '[tool.flux]\ntheme = "a"\ndb = "a.db"\neditor = "a"\ndefault_retries = 1\n')
    (tmp_path / "flux.toml").write_text('db = "b.db"\neditor = "b"\ndefault_retries = 2\n', encoding="utf-8")
    environ = {"FLUX_EDITOR": "c", "FLUX_DEFAULT_RETRIES": "3"}
    settings = load(tmp_path, environ, default_retries=4, db=None)
    assert (settings.theme, settings.db.file.name, settings.editor) == ("a", "b.db", "c")
    assert settings.default_retries == 4


def test_environment_is_read_from_text(tmp_path):
    """Lists, objects, numbers and truth values have a form as text."""
    environ = {
        "FLUX_WORKFLOWS": "a:b",
        "FLUX_REDACT": "pin, iban",
        "FLUX_KEYMAP": '{"retry": "x"}',
        "FLUX_ASCII": "1",
        "FLUX_DEFAULT_TIMEOUT": "2.5",
    }
    settings = load(tmp_path, environ)
    assert settings.workflows == (tmp_path / "a", tmp_path / "b")
    assert settings.redact == ("pin", "iban")
    assert settings.keymap == {"retry": "x"}
    assert settings.ascii is True
    assert settings.default_timeout == 2.5


def test_standard_input_is_not_a_file(tmp_path):
    """A trace of ``-`` stays what it is."""
    assert load(tmp_path, trace="-").trace == Path("-")


def test_an_unknown_key_names_the_file_and_the_nearest_key(tmp_path):
    """A slip of the finger is answered with the key that was meant."""
    pyproject(tmp_path, '[tool.flux]\nworkflow = ["a"]\n')
    with pytest.raises(SettingsError, match=r"pyproject\.toml.*'workflow'.*'workflows'"):
        load(tmp_path)


def test_an_unknown_key_like_no_other_lists_the_known_ones(tmp_path):
    """Without a near key, all of them are listed."""
    (tmp_path / "flux.toml").write_text("zzzzzz = 1\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=", ".join(KEYS)):
        load(tmp_path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("default_retries = '3'", r"default_retries: expected a whole number, found '3' \(string\)"),
        ("default_retries = true", r"default_retries: expected a whole number, found True \(boolean\)"),
        ("default_retries = -1", r"default_retries: expected greater than or equal to 0, found -1"),
        ("default_timeout = 'x'", r"default_timeout: expected a number, found 'x' \(string\)"),
        ("workflows = 'flows'", r"workflows: expected an array, found 'flows' \(string\)"),
        ("ascii = 1", r"ascii: expected true or false, found 1 \(integer\)"),
        ("keymap = { retry = 1 }", r"keymap\[retry\]: expected a string, found 1 \(integer\)"),
        ("project = '/'", r"unknown key 'project'"),
    ],
)
def test_a_wrong_type_names_place_key_expected_and_found(tmp_path, line, said):
    """Each mistake says where it is, what fits there and what was found."""
    pyproject(tmp_path, f"[tool.flux]\n{line}\n")
    with pytest.raises(SettingsError, match=rf"pyproject\.toml, \[tool\.flux\].*{said}"):
        load(tmp_path)


def test_a_wrong_environment_variable_is_named(tmp_path):
    """The variable is named as it is written in the environment."""
    with pytest.raises(SettingsError, match="FLUX_DEFAULT_RETRIES: expected a whole number, found 'many'"):
        load(tmp_path, {"FLUX_DEFAULT_RETRIES": "many"})


def test_a_file_that_is_not_toml_is_named(tmp_path):
    """A broken file is no reason for a traceback."""
    pyproject(tmp_path, "[tool.flux\n")
    with pytest.raises(SettingsError, match=r"pyproject\.toml is not valid TOML"):
        load(tmp_path)


def test_every_key_is_described():
    """The docstrings are the manual: no key without one."""
    properties = adapter(Settings).json_schema()["properties"]
    assert [key for key in KEYS if not properties[key].get("description")] == []
