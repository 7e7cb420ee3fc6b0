"""The keymap of the settings: what is told of it, and that every way to an action leads to the same one."""

from importlib import import_module
from pathlib import Path

import click
import pytest
import typer
from fake_desk import FakeDesk

from flux_tui import actions, key_help, keymap
from flux_tui.app import FluxApp
from flux_tui.cli.commands import COMMAND_MODULES
from flux_tui.needs import Situation
from flux_tui.screens.help import HelpScreen, matching

EVERY = key_help.every_key()


def told(bound: dict[str, str]) -> list[str]:
    """Return what is told of a keymap."""
    return keymap.problems(bound, EVERY, "flux.toml")


def test_the_keys_as_they_are_designed_are_right() -> None:
    """Without a keymap, or with one that says what is so anyway, there is nothing to tell."""
    assert told({}) == []
    assert told({"retry": "t", "quit": "q,ctrl+q", "help": "?,f1"}) == []
    assert len({key.id for key in EVERY}) == len(EVERY)


@pytest.mark.parametrize(
    ("bound", "text"),
    [
        ({"retyr": "x"}, "nothing has the id 'retyr'. Did you mean 'retry'?"),
        ({"run": "t"}, "t is the key of 'run' and of 'retry': bind one of them to another key"),
        (
            {"retry": "?"},
            "? is the key of 'retry' and of 'help'",
        ),
        ({"run": "ctrl+"}, "run = 'ctrl+': 'ctrl+' ends where a key should be, as in 'ctrl+t'"),
        (
            {"run": "cltr+x"},
            "run = 'cltr+x': 'cltr' is no modifier: they are ctrl, shift, alt",
        ),
        ({"run": "entr"}, "run = 'entr': there is no key 'entr'. Did you mean 'enter'?"),
        ({"data.only-changes": "t"}, "t is 'data.only-changes' in the data, which hides 'retry'"),
        ({"theme": "l"}, "l is 'graph.right' in the graph, which hides 'theme'"),
        ({"runs.mark": "j"}, "j is 'runs.mark' in the list of runs, which hides 'list.down'"),
        ({"data.only-changes": "j"}, "j is 'list.down' in every list, which hides 'data.only-changes'"),
        ({"trigger.raw": "escape"}, "esc is 'trigger.raw' in the form of a run, which hides 'dialog.cancel'"),
        ({"quit": ""}, "no key is left with which Flux is left: bind 'quit', or use the command palette"),
        ({"run": "q", "retry": "ctrl+q"}, "no key is left with which Flux is left"),
        ({"help": "none"}, "no key is left with which this list of keys is shown"),
    ],
)
def test_what_is_wrong_with_a_keymap_is_told(bound: dict[str, str], text: str) -> None:
    """Each mistake names the file, both ids or the nearest one that is known, and what to do."""
    assert any(said.startswith(f"flux.toml: {text}") for said in told(bound)), told(bound)


@pytest.mark.parametrize(
    "key", ["f5", "ctrl+t", "Ctrl+T", "é", "[", "alt+left", "space", "shift+f3", "~", " x "]
)
def test_keys_that_there_are_can_be_bound(key: str) -> None:
    """By their names or by what they write."""
    assert keymap.key_problem(key) is None


def test_a_keymap_is_given_on_by_the_long_names_of_keys() -> None:
    """What is written in the settings works: signs, blanks between keys, and no key at all."""
    assert keymap.for_textual({"run": "?, Ctrl+T", "pause": ""}) == {
        "run": "question_mark,ctrl+t",
        "pause": "none",
    }


def test_the_place_of_a_keymap_is_the_last_one_that_has_one(tmp_path: Path) -> None:
    """As settings are read: the environment goes before flux.toml, that before pyproject.toml."""
    assert keymap.place_of_keymap(tmp_path, {}) == "pyproject.toml [tool.flux.keymap]"
    (tmp_path / "flux.toml").write_text('[keymap]\nretry = "x"\n')
    assert keymap.place_of_keymap(tmp_path, {}) == "flux.toml [keymap]"
    assert keymap.place_of_keymap(tmp_path, {"FLUX_KEYMAP": "{}"}) == "FLUX_KEYMAP"


def test_help_shows_clashes_on_top_and_what_was_rebound() -> None:
    """Beside the key stands the one it had; the command of the action is found by searching for it."""
    entries = key_help.entries(
        Situation(), {"run": "t", "graph.left": "a"}, read_only=False, place="flux.toml"
    )
    assert (entries[0].group, entries[0].key, entries[0].label) == ("Clashes", "t", "run · retry")
    assert "flux.toml" in entries[0].description
    assert next(each for each in entries if each.label == "run").description.endswith("(rebound, was r)")
    assert "was ← h" in next(each for each in entries if each.label == "Step to the left").description
    assert "retry step" in [each.label for each in matching(entries, "flux runs retry")]


async def test_a_keymap_with_mistakes_is_told_at_the_start_and_shown_on_demand() -> None:
    """The dashboard opens all the same, and the palette has the clashes."""
    app = FluxApp(FakeDesk(settings={"keymap": {"run": "t", "rerty": "x"}}))
    async with app.run_test(notifications=True) as pilot:
        await pilot.pause()
        said = [toast.message for toast in app._notifications]
        assert any("'rerty'" in text for text in said)
        assert any("'run' and of 'retry'" in text for text in said)
        app.screen.action_do("clashes")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        assert app.screen._rows.rows[0].content.plain == "Clashes"


# The command line

WITHOUT_COMMAND = {
    "restart-runner": "a command is a runner of its own, gone when it ends",
    "undo-delete": "a command asks before it deletes",
    "retry-on-save": "waits for a file to be saved in an editor beside it",
    "clear-breakpoints": "a command has the breakpoints that it is given, and no others",
    "clear-marks": "a command is given the runs by name",
    "go-origin": "moves through what is on the screen",
    "open-editor": "is what a shell does",
    "copy": "copies from the screen; a command has its output to pipe",
    **dict.fromkeys(
        ("scrub-back", "scrub-forward", "scrub-first", "scrub-last", "scrub-live"),
        "moves through what is on the screen",
    ),
    **dict.fromkeys(
        ("next-tab", "previous-tab", "go-workflows", "go-runs", "go-details", "go-graph"),
        "moves through what is on the screen",
    ),
    **dict.fromkeys(("zoom", "grow", "shrink", "reset-panes"), "arranges what is on the screen"),
    **dict.fromkeys(("back", "palette", "quit"), "belongs to the screen"),
}


def command_at(path: str) -> click.Command:
    """Return the command that a line begins with. Raises ``KeyError`` when there is none."""
    program, *words = path.split()
    assert program == "flux"
    app = typer.Typer()
    app.callback()(lambda: None)
    for name in COMMAND_MODULES:
        import_module(COMMAND_MODULES[name]).add_to(app)
    command = typer.main.get_command(app)
    for word in words:
        if word.startswith("-"):
            assert word in [option for each in command.params for option in each.opts], path
        else:
            command = command.commands[word]  # type: ignore[attr-defined]
    return command


@pytest.mark.parametrize("action", actions.ACTIONS, ids=lambda each: each.id)
def test_every_action_has_a_command(action: actions.Action) -> None:
    """What the dashboard does can be done without it, but for what only makes sense inside of it."""
    assert (action.command is None) == (action.id in WITHOUT_COMMAND)


@pytest.mark.parametrize("command", sorted({each.command for each in actions.ACTIONS if each.command}))
def test_the_command_of_an_action_exists(command: str) -> None:
    """With the options that are named."""
    assert command_at(command).name == [word for word in command.split() if not word.startswith("-")][-1]
