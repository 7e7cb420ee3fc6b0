"""Dialogs in which something is typed: secrets are masked there too, and masks stand for what they hide."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, Field, SecretStr
from test_screens import DialogApp, control, fill

from flux_engine.secrets import MASK, registered
from flux_tui.model.form import fields
from flux_tui.model.json_text import JsonProblem
from flux_tui.model.masked_json import MaskedJson
from flux_tui.model.run import DefinitionView, GraphSpec
from flux_tui.model.secret_field import SecretJson, is_secret
from flux_tui.model.secrets import Secrets
from flux_tui.screens.edit_data import edit_of
from flux_tui.screens.signal import SignalChoice, SignalScreen
from flux_tui.screens.trigger import TriggerInput, TriggerScreen

KEY = "sk_live_form"


class Login(BaseModel):
    """The input of the workflow under test."""

    user: str = "ann"
    password: str = Field(default="pw-default")
    hidden: SecretStr = SecretStr("")
    url: str = ""
    conf: dict[str, Any] = {}


LOGIN = DefinitionView(
    name="login", path="a.py", variable="a", graph=GraphSpec(), input_schema=Login.model_json_schema()
)
EARLIER = {
    "user": "bob",
    "password": "pw-earlier",
    "hidden": "pw-hidden",
    "url": f"https://{KEY}@host",
    "conf": {"token": "t0k3n", "n": 1},
}


@pytest.fixture(autouse=True)
def one_registered():
    """Each test knows one secret by its value."""
    registered.add([KEY])
    yield
    registered.forget()


def screen_text(app: DialogApp) -> str:
    """Return all that is on the screen."""
    return "\n".join("".join(part.text for part in strip) for strip in app.screen._compositor.render_strips())


async def test_a_form_shows_dots_where_a_secret_is_typed_or_remembered() -> None:
    """By the name of the field, by its schema, by value, and inside of JSON; what runs is the true input."""
    app = DialogApp(lambda: TriggerScreen(LOGIN, [EARLIER]))
    async with app.run_test(size=(100, 45)) as pilot:
        await pilot.pause()
        assert "pw-default" not in screen_text(app)
        await pilot.press("ctrl+up")
        await pilot.pause()
        for secret in ("pw-earlier", "pw-hidden", KEY, "t0k3n"):
            assert secret not in screen_text(app)
        assert "bob" in screen_text(app)
        await pilot.press("ctrl+t")
        await pilot.pause()
        assert "pw-earlier" in screen_text(app)
        assert "t0k3n" in screen_text(app)
        await pilot.press("ctrl+t")
        await pilot.pause()
        assert "t0k3n" not in screen_text(app)
        await pilot.press("ctrl+s")
    assert app.answer == TriggerInput(value=EARLIER)


async def test_the_json_of_an_input_is_masked_and_read_with_its_secrets() -> None:
    """What is changed beside the masks is changed, what is typed over one replaces it."""
    app = DialogApp(lambda: TriggerScreen(LOGIN, [EARLIER]))
    async with app.run_test(size=(100, 45)) as pilot:
        await pilot.press("ctrl+up", "ctrl+r")
        await pilot.pause()
        shown = app.dialog.query_one("#json").text
        assert json.loads(shown)["password"] == MASK
        assert "pw-" not in screen_text(app)
        app.dialog.query_one("#json").text = shown.replace('"bob"', '"eve"').replace('"n": 1', '"n": 2')
        await pilot.press("ctrl+r")
        await pilot.pause()
        assert control(app, "password").value == "pw-earlier"
        await fill(pilot, "password", "x")
        await pilot.press("ctrl+s")
    wanted = EARLIER | {"user": "eve", "password": "x", "conf": {"token": "t0k3n", "n": 2}}
    assert app.answer == TriggerInput(value=wanted)


async def test_an_earlier_payload_of_a_signal_is_masked_and_sent_as_it_was() -> None:
    """In the dialog that sends it."""
    choice = SignalChoice(step="ask", name="ok", until=None, verdict=None, since=None)
    app = DialogApp(lambda: SignalScreen("shop", [choice], recent=lambda _: [{"token": "t0k3n", "n": 1}]))
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.press("ctrl+up")
        await pilot.pause()
        assert "t0k3n" not in screen_text(app)
        await pilot.press("ctrl+s")
    assert app.answer.payload == {"token": "t0k3n", "n": 1}


def test_a_mask_that_hides_nothing_is_a_mistake() -> None:
    """It would be taken for the value: in a list that became shorter, under a key that was renamed."""
    masked = MaskedJson(Secrets())
    masked.write([{"token": "a"}, {"token": "b"}])
    problem = masked.read(f'[\n  {{"token": "{MASK}"}}]')
    assert isinstance(problem, JsonProblem)
    assert (problem.line, problem.column) == (2, 14)
    assert edit_of(json.dumps({"pass_word": MASK}), {"password": "p"}).problem is not None
    assert edit_of(json.dumps({"seen": MASK}), {"seen": MASK}).problem is None


def test_a_field_of_json_that_is_secret_as_a_whole_is_one_mask() -> None:
    """Left as it is, it is what it was."""
    form = fields({"type": "object", "properties": {"tokens": {"type": "array"}, "n": {"type": "array"}}})
    assert form is not None
    tokens, other = form
    assert (is_secret(tokens, Secrets()), is_secret(other, Secrets())) == (True, False)
    held = SecretJson(tokens, Secrets())
    assert held.write('["a", "b"]') == f'"{MASK}"'
    assert held.read(f' "{MASK}"') == '["a", "b"]'
    assert held.read('["c"]') == '["c"]'
    assert held.has_mask(f'["{MASK}"]')
