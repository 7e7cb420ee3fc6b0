"""Secrets: masked in errors, logs and edited data; revealed on purpose only."""

import json
import string

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_engine.codec import encode
from flux_engine.execution import ErrorInfo, Frame
from flux_engine.replay_report import ReplayReport
from flux_engine.secrets import MASK, registered
from flux_engine.trace.events import EventType, TraceEvent
from flux_tui.model.filter import compile_filter
from flux_tui.model.preview import preview
from flux_tui.model.replay import replayed_steps, report_text
from flux_tui.model.run import RunRowView, RunView, StepView
from flux_tui.model.secrets import Secrets
from flux_tui.model.source import source_lines
from flux_tui.model.step_test import Origin, step_test
from flux_tui.model.text import drawable, printable
from flux_tui.model.whole import events_text
from flux_tui.open_runs import OpenRuns
from flux_tui.screens.edit_data import edit_of
from flux_tui.widgets.event_view import EventView, _summary

KEY = "sk_live_51H8x"


@pytest.fixture(autouse=True)
def one_registered():
    """Each test knows one secret by its value."""
    registered.forget()
    registered.add([KEY])
    yield
    registered.forget()


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("password=hunter2 ok", f"password={MASK} ok"),
        ('{"apiKey": "abc", "n": 1}', f'{{"apiKey": "{MASK}", "n": 1}}'),
        ("Authorization: Bearer abc.def", f"Authorization: {MASK}"),
        ("token: expected a string", "token: expected a string"),
        ("tokens=3", f"tokens={MASK}"),
        ("user=ann", "user=ann"),
        (f"called with {KEY}", f"called with {MASK}"),
        ("KeyError: 'token'", "KeyError: 'token'"),
    ],
)
def test_lines_lose_their_secrets_and_nothing_else(line, shown):
    """What stands behind a secret key is masked if it looks like a value."""
    assert Secrets().text(line) == shown


def test_whatever_is_drawn_is_masked():
    """Every text passes through one function on its way to the screen, also cut in the middle of a secret."""
    assert printable(f"a {KEY} b") == f"a {MASK} b"
    assert printable(f"a {KEY[:8]}") == f"a {MASK}"
    assert drawable(f"a {KEY}") == f"a {KEY}"


def test_previews_mask_inside_of_strings_until_asked():
    """A registered value is masked within longer strings, lists and objects."""
    value = {"url": f"https://{KEY}@host", "all": [KEY]}
    hidden = "".join(text for text, _ in preview(value, Secrets()))
    assert KEY not in hidden
    assert KEY in "".join(text for text, _ in preview({"url": KEY}, None))


_keys = st.sampled_from(["user", "password", "api_key", "n", "items"])
_values = st.recursive(
    st.none() | st.integers() | st.text(string.ascii_letters, max_size=5) | st.just(f"x{KEY}"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(_keys, _values, max_size=4))
def test_redacted_data_that_was_not_edited_is_the_data(data):
    """Masks that were left as they are count as what they hide."""
    secrets = Secrets()
    assert secrets.restore(json.loads(json.dumps(secrets.redact(data))), data) == data


def test_edits_beside_masks_keep_the_secrets():
    """Only what was changed is merged; a secret can be replaced by typing over its mask."""
    before = {"login": {"user": "ann", "password": "hunter2"}, "token": "abc", "n": 1}
    text = json.dumps({"login": {"user": "bob", "password": MASK}, "token": MASK, "n": 1})
    assert edit_of(text, before).changed == {"login": {"user": "bob", "password": "hunter2"}}
    text = json.dumps({"login": before["login"], "token": "new", "n": 1})
    assert edit_of(text, before).changed == {"token": "new"}


def test_open_runs_tell_errors_and_logs_without_secrets():
    """Errors and logs are masked before any view gets them."""
    runs = OpenRuns(Secrets())
    common = {"workflow_id": "a", "workflow_name": "pay"}
    error = ErrorInfo(
        type="ValueError",
        message=f"bad {KEY}",
        frames=(Frame(file="f.py", line=1, function="f", code="f(token='t0k')", user=True),),
        text=f"Traceback\npassword=hunter2\nValueError: bad {KEY}",
    )
    steps = {"steps": [{"name": "charge", "index": 0}], "edges": []}
    runs.take(TraceEvent(type=EventType.WORKFLOW_START, timestamp=0, graph=steps, **common))
    charge = common | {"step_name": "charge", "step_index": 0, "attempt": 1}
    log = {"stream": "stdout", "text": f"password=hunter2 {KEY}"}
    runs.take(TraceEvent(type=EventType.STEP_LOG, timestamp=1, meta=log, **charge))
    told = {"exception": msgspec.to_builtins(error)}
    runs.take(TraceEvent(type=EventType.STEP_ERROR, timestamp=2, error=str(error), meta=told, **charge))
    view = runs.view("a")
    assert view is not None
    assert [line.text for line in runs.logs("a")] == [f"password={MASK} {MASK}"]
    shown = view.step("charge").error
    assert shown.message == f"bad {MASK}"
    assert "hunter2" not in shown.text
    assert shown.frames[0].code == f"f(token='{MASK}')"


def test_dicts_in_the_tagged_form_are_looked_into_and_can_be_edited():
    """A dict whose keys are no texts is a list of pairs there; its secret keys are masked all the same."""
    before = {"cards": {"$type": "dict", "value": [[1, "one"], ["password", "hunter2"], [KEY, "k"]]}}
    hidden = Secrets().redact(before)
    assert hidden == {"cards": {"$type": "dict", "value": [[1, "one"], ["password", MASK], [MASK, "k"]]}}
    hidden["cards"]["value"][0][1] = "two"
    wanted = {"$type": "dict", "value": [[1, "two"], ["password", "hunter2"], [KEY, "k"]]}
    assert edit_of(json.dumps(hidden), before).changed == {"cards": wanted}


def test_bytes_with_a_secret_in_them_are_masked_as_a_whole():
    """What is written as base64 is read before it is shown."""
    tag = json.loads(encode(f"key={KEY}".encode()))
    assert Secrets().redact({"body": tag}) == {"body": tag | {"value": MASK}}
    harmless = json.loads(encode(b"\xff\x00"))
    assert Secrets().redact(harmless) == harmless


def test_an_edit_keeps_keys_that_are_secrets_themselves():
    """The mask of a key stands for the key."""
    before = {KEY: {"n": 1}, "m": 1}
    assert edit_of(json.dumps({MASK: {"n": 2}, "m": 1}), before).changed == {KEY: {"n": 2}}
    assert edit_of(json.dumps(Secrets().redact(before)), before).removed == ()


def test_events_are_told_without_the_secrets_that_errors_quote():
    """In the list of events, in the JSON of one, and in the copy of all."""
    error = TraceEvent(
        type=EventType.STEP_ERROR,
        timestamp=1.0,
        workflow_id="a",
        step_name="charge",
        error=f"ValueError: password=hunter2 {KEY}",
    )
    log = TraceEvent(type=EventType.STEP_LOG, timestamp=1.0, workflow_id="a", meta={"text": "token=t0k3n"})
    rows = "".join(text for event in (error, log) for text, _ in _summary(event, 120, Secrets()))
    for shown in (rows, "\n".join(EventView()._json(error)), events_text([error, log], Secrets())):
        assert "hunter2" not in shown
        assert KEY not in shown
        assert "t0k3n" not in shown


def test_code_is_masked_also_when_the_secret_is_known_later(tmp_path):
    """A secret may be registered by the very step whose source is looked at."""
    file = tmp_path / "shop.py"
    file.write_text('key = "pk_live_later"\n')
    assert source_lines(str(file))[0] == 'key = "pk_live_later"'
    registered.add(["pk_live_later"])
    assert source_lines(str(file))[0] == f'key = "{MASK}"'


def test_the_description_of_a_workflow_keeps_its_fields_and_hides_their_secret_defaults():
    """Nested types have fields too."""
    field = {"type": "string", "default": "pw-default", "examples": ["pw-example"]}
    schema = {
        "properties": {"password": field, "n": {"default": 1}},
        "$defs": {"A": {"properties": {"token": field}}},
    }
    shown = Secrets().described({"name": KEY, "input_schema": schema})
    assert shown["name"] == MASK
    hidden = {"type": "string", "default": MASK, "examples": MASK}
    assert shown["input_schema"]["properties"] == {"password": hidden, "n": {"default": 1}}
    assert shown["input_schema"]["$defs"]["A"]["properties"]["token"] == hidden
    assert field["default"] == "pw-default"


def test_no_filter_finds_what_is_masked():
    """Else it could be guessed, a letter at a time."""
    error = f"ValueError: bad {KEY} password=hunter2"
    row = RunRowView(id="r1", workflow="pay", status="failed", started_at=0, updated_at=0, error=error)
    assert compile_filter("bad").matches(row)
    for hidden in (KEY, KEY[3:8], "hunter"):
        assert not compile_filter(hidden).matches(row)


def test_a_test_of_a_step_and_the_outcome_of_a_replay_are_copied_without_secrets():
    """A test quotes the error of the run; a replay names the steps."""
    error = ErrorInfo(type="ValueError", message="password=hunter2", frames=(), text="")
    step = StepView(name="charge", status="failed", error=error)
    run = RunView(id="r1", workflow="pay", status="failed", steps=(step,))
    origin = Origin(module="pay", variable="pay", file="pay.py")
    assert "hunter2" not in step_test(run, step, origin, {}, Secrets())
    report = ReplayReport(run_id="r1", workflow="pay", ok=True, outcomes={KEY: "completed"})
    assert KEY not in report_text(report, replayed_steps(report, run, Secrets()))
