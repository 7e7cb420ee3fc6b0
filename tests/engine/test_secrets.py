"""Secrets that are known by their value."""

import io

import pytest
from pydantic import BaseModel, Secret, SecretBytes, SecretStr

from flux_engine import FluxConsoleLogger, FluxEngine, MemoryStorage, create_workflow, register_secret
from flux_engine.secrets import MASK, SecretValues, registered

KEY = "sk_live_51H8x"


@pytest.fixture(autouse=True)
def nothing_registered():
    """Each test begins and ends without secrets."""
    registered.forget()
    yield
    registered.forget()


def test_every_occurrence_is_masked_and_nothing_else():
    """The longest value counts first, so that a secret within a secret leaves no rest."""
    secrets = SecretValues()
    secrets.add(["abcd", "abcdefgh"])
    assert secrets.mask("xabcdefghx abcd") == f"x{MASK}x {MASK}"
    assert secrets.mask("abc") == "abc"


def test_the_beginning_of_a_secret_at_a_cut_is_masked():
    """A text that was cut in the middle of a secret does not give away its first half."""
    secrets = SecretValues()
    secrets.add([KEY])
    assert secrets.mask_cut("key " + KEY[:7]) == f"key {MASK}"
    assert secrets.mask_cut("key " + KEY[:3]) == "key sk_"
    assert secrets.mask_cut(f"key {KEY}!") == f"key {MASK}!"


def test_each_line_of_a_long_secret_is_masked():
    """A private key is printed line by line."""
    secrets = SecretValues()
    secrets.add(["-----BEGIN\nMIIEow\n"])
    assert secrets.mask("got MIIEow") == f"got {MASK}"


@pytest.mark.parametrize("short", ["", "abc", "   a   "])
def test_a_secret_too_short_to_mask_is_refused(short):
    """Masking it would make every text unreadable."""
    with pytest.raises(ValueError, match="at least 4 characters"):
        register_secret(short)


def test_listeners_hear_of_new_values_only():
    """They are told all values, once for each that is new."""
    secrets, heard = SecretValues(), []
    secrets.listen(heard.append)
    secrets.add(["first-one"])
    secrets.add(["first-one"])
    secrets.add(["second-one"])
    assert heard == [{"first-one"}, {"first-one", "second-one"}]


async def test_errors_are_masked_and_data_is_not():
    """What a handler raises is told without the secret; what it stores is what the next step finds."""
    register_secret(KEY)

    def call(ctx):
        ctx.data.key = KEY

    def fail(ctx):
        raise RuntimeError(f"refused: {ctx.data.key}")

    flow = create_workflow("call").step("call", call).step("fail", fail, retries=0)
    async with FluxEngine(storage=MemoryStorage()) as engine:
        result = await engine.execute(flow, None)
        state = await engine.get(result.id)
    assert result.data["key"] == KEY
    assert result.error is not None
    assert result.error.message == f"refused: {MASK}"
    assert KEY not in result.error.text
    assert KEY not in (state.error.text + state.error.message)


def test_the_console_logger_masks():
    """A log is a file that others read."""
    register_secret(KEY)
    told = io.StringIO()
    FluxConsoleLogger(stream=told).info(f"using {KEY}")
    assert told.getvalue() == f"[flux] info: using {MASK}\n"


class Login(BaseModel):
    """An input with secrets in every place."""

    user: str = "ada"
    token: SecretStr = SecretStr("by-default")
    keys: dict[str, list[SecretBytes]] = {}
    pin: Secret[int] | None = None


async def test_a_secret_of_the_input_reaches_every_attempt_as_it_was_given():
    """What pydantic shows of it is not what is stored, neither at first nor for a retry."""
    seen: list[Login] = []
    flow = create_workflow("login").input(Login)

    @flow.step("use")
    async def use(ctx):
        seen.append(ctx.input)
        if len(seen) == 1:
            raise ValueError("not yet")

    given = Login(
        token=SecretStr(KEY), pin=Secret(1234), keys={"a": [SecretBytes(b"one"), SecretBytes(b"two")]}
    )
    async with FluxEngine(storage=MemoryStorage(), default_retries=0) as engine:
        failed = await engine.execute(flow, given)
        await engine.retry_step(flow, failed.id, "use")
        await engine.execute(flow, {"token": KEY})
        await engine.execute(flow, {})
    assert seen == [given, given, Login(token=SecretStr(KEY)), Login()]


def test_a_schema_has_no_default_that_is_only_shown_as_stars():
    """A form that begins with it would send the stars."""
    fields = create_workflow("login").input(Login).step("use", print).describe()["input_schema"]["properties"]
    assert "default" not in fields["token"]
    assert fields["user"]["default"] == "ada"
