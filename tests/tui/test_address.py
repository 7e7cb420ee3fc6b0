"""The address of a store: what is one, how it is written, and that a password is never part of that."""

import subprocess
import sys
from pathlib import Path

import pytest

from flux_tui.address import PASSWORD_VARIABLE, AddressError, StoreAddress
from flux_tui.runner.config import RunnerConfig, decode_config
from flux_tui.serve.opening import Opening
from flux_tui.settings import Settings, SettingsError, adapter, load_settings

DSN = "postgresql://shop:s3cret%2Fpw@db.internal:5433/orders?sslmode=require&schema=flux_shop"


def test_a_path_is_a_file():
    """Anything without the scheme of a server is one."""
    address = StoreAddress.of("runs/flux.db")
    assert (address.file, address.is_server, str(address)) == (Path("runs/flux.db"), False, "runs/flux.db")
    assert address.anchored(Path("/shop")).file == Path("/shop/runs/flux.db")


def test_a_server_is_told_from_a_file_and_names_its_schema():
    """The schema is Flux's own parameter: whoever connects does not see it."""
    address = StoreAddress.of(DSN)
    assert (address.is_server, address.schema) == (True, "flux_shop")
    assert address.dsn == "postgresql://shop:s3cret%2Fpw@db.internal:5433/orders?sslmode=require"
    assert StoreAddress.of("postgres://h/d").schema == "flux"
    assert StoreAddress.of(address.to_text()) == address


def test_no_form_for_people_has_the_password():
    """Neither as text, nor as repr, in short or masked."""
    address = StoreAddress.of(DSN)
    assert str(address) == "postgresql://shop@db.internal:5433/orders?sslmode=require&schema=flux_shop"
    assert address.place == "postgresql://db.internal:5433/orders flux_shop"
    assert address.masked.startswith("postgresql://shop:***@db.internal")
    every = [
        str(address),
        repr(address),
        f"{address}",
        address.place,
        address.masked,
        repr(Settings(db=address)),
    ]
    assert not [form for form in every if "s3cret" in form]


@pytest.mark.parametrize("query", ["password=s3cret", "sslpassword=s3cret"])
def test_a_password_among_the_parameters_is_one_too(query):
    """Libpq takes it there as well."""
    address = StoreAddress.of(f"postgresql:///orders?host=/run/pg&{query}")
    assert "s3cret" not in f"{address} {address!r} {address.masked} {address.place}"
    assert str(address) == "postgresql:///orders?host=%2Frun%2Fpg"


def test_what_a_driver_says_is_shown_without_the_password():
    """Some errors quote what they could not read."""
    address = StoreAddress.of(DSN)
    said = address.scrub(f'invalid dsn "{address.dsn}": password=s3cret/pw, s3cret%2Fpw')
    assert "s3cret" not in said
    assert "db.internal" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("mysql://root:s3cret@h/d", "none for mysql://"),
        ("postgresql:/u:s3cret@h/d", "two slashes"),
        ("postgresql://u:s3cret/x@h/d", "%2F"),
        ("postgresql://u:s3cret#x@h/d", "%23"),
        ("postgresql://u:s3cret@h/d?schema=a;drop", "a schema's name"),
    ],
)
def test_what_is_no_address_is_refused_without_being_repeated(text, said, tmp_path):
    """It may have a password in it, so only what was expected is told, and where it stands."""
    with pytest.raises(AddressError, match=said):
        StoreAddress.of(text)
    with pytest.raises(SettingsError, match="FLUX_DB: ") as caught:
        load_settings(tmp_path, {}, {"FLUX_DB": text})
    assert "s3cret" not in str(caught.value)


def test_the_environment_may_have_the_password(tmp_path):
    """``FLUX_DB_PASSWORD`` fills an address that has none, and is a secret to mask from then on."""
    environ = {"FLUX_DB": "postgresql://shop@db/orders", "FLUX_DB_PASSWORD": "a/b@c"}
    settings = load_settings(tmp_path, {}, environ)
    assert settings.db.dsn == "postgresql://shop:a%2Fb%40c@db/orders"
    assert "a/b@c" in settings.db.secrets
    assert "a/b@c" in settings.secret_values({})
    own = load_settings(tmp_path, {"db": DSN}, environ)
    assert "s3cret/pw" in own.db.secrets


def test_settings_are_written_without_the_password(tmp_path):
    """``flux config show`` prints what this gives."""
    settings = load_settings(tmp_path, {"db": DSN}, {})
    assert "s3cret" not in str(adapter(Settings).dump_python(settings, mode="json"))


def test_the_command_line_of_a_runner_has_no_address_of_a_server(tmp_path):
    """Everybody on the machine may read it; the runner is told through its pipe."""
    config = RunnerConfig(root=str(tmp_path), db=DSN)
    assert "postgres" not in config.encode()
    assert config.told == DSN
    of_file = RunnerConfig(root=str(tmp_path), db="flux.db")
    assert (decode_config(of_file.encode()).db, of_file.told) == ("flux.db", None)


def test_what_is_kept_beside_a_store_is_in_the_project_where_it_is_elsewhere():
    """Sizes of panes, breakpoints and inputs stay on this machine."""
    assert StoreAddress.of(DSN).folder(Path("/shop")) == Path("/shop/.flux")
    assert StoreAddress.of("/var/lib/flux.db").folder(Path("/shop")) == Path("/var/lib")


def test_a_password_that_the_address_shows_anyway_is_no_text_to_mask():
    """``flux:flux@…``, as in many a test set-up: every word of Flux would be stars."""
    assert StoreAddress.of("postgresql://flux:flux@localhost/orders").secrets == ()
    assert StoreAddress.of("postgresql://me:postgres@localhost/orders").secrets == ()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells where the arguments are")
def test_a_password_among_the_arguments_is_written_over():
    """From when the settings are read, whoever lists the processes sees stars."""
    script = (
        "import sys, pathlib; from flux_tui.concealed import conceal; conceal('s3cret-4711');"
        "print(pathlib.Path('/proc/self/cmdline').read_bytes())"
    )
    command = [
        sys.executable,
        "-c",
        script.replace("s3cret-4711", "s3cret' '-4711"),
        "--db",
        "x:s3cret-4711@h",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "x:***********@h" in done.stdout


def test_a_dashboard_in_a_browser_is_handed_the_password_apart_from_its_arguments(tmp_path):
    """Its process is told what to open on its command line; the password comes in a variable."""
    settings = load_settings(tmp_path, {"db": DSN}, {})
    opening = Opening.of(settings, [], trace_only=False, read_only=True)
    argument = opening.model_dump_json()
    assert "s3cret" not in argument + repr(opening)
    told = Opening.model_validate_json(argument).settings.db
    assert told.with_password_of({PASSWORD_VARIABLE: opening.password or ""}) == settings.db
