"""``flux graph``: a workflow or a run as text, as Mermaid and as DOT."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from commands_here import commands_here, made_runs

from flux_engine import create_workflow
from flux_tui.model.diagram import dot, mermaid
from flux_tui.model.graph_text import fitting_layout, graph_lines, steps_by_name
from flux_tui.model.layout import Mode
from flux_tui.model.run import GraphSpec, NodeSpec, StepView

FLUX = Path(sys.executable).parent / "flux"
EXAMPLE = Path(__file__).parents[2] / "examples" / "event_routing.py"

SPEC = GraphSpec(
    nodes=(
        NodeSpec(name="fetch"),
        NodeSpec(name='say "hi" <b>', index=1, conditional=True),
        NodeSpec(name="pay", index=2, commit=True),
    ),
    edges=(("fetch", 'say "hi" <b>'), ('say "hi" <b>', "pay")),
)
STEPS = steps_by_name(
    [
        StepView(name="fetch", status="completed", duration=12.0),
        StepView(name='say "hi" <b>', index=1, status="failed", duration=1240.0),
        StepView(name="pay", index=2, commit=True),
    ]
)


def drawn(cells: int | None = None, *, plain: bool = False) -> list[str]:
    """Return the rows of the graph."""
    lines = graph_lines(fitting_layout(SPEC, cells), STEPS, ascii=plain)
    return ["".join(text for text, _ in line) for line in lines]


def test_a_graph_is_drawn_as_in_the_dashboard():
    """Boxes with the status, the time and the mark of a commit; every row ends where its text does."""
    rows = drawn()
    assert rows[0].startswith("╭─────────────╮    ╭")
    assert "│ ✔ fetch     │───▶│ ✖ say" in rows[1]
    assert "12 ms" in rows[2]
    assert "◆ commit" in rows[2]
    assert all(row == row.rstrip() for row in rows)


def test_plain_characters_are_enough():
    """With ASCII the same rows have the same places."""
    rows = drawn(plain=True)
    assert all(row.isascii() for row in rows)
    assert rows[1].startswith("| v fetch     |--->| x say")
    assert [len(row) for row in rows] == [len(row) for row in drawn()]


@pytest.mark.parametrize(("cells", "mode"), [(200, Mode.BOXES), (50, Mode.COMPACT), (30, Mode.LIST)])
def test_a_graph_that_is_too_wide_is_drawn_smaller(cells, mode):
    """As one line a step, or as a list; nothing but a list is ever wider than the terminal."""
    assert fitting_layout(SPEC, cells).mode is mode
    rows = drawn(cells)
    assert mode is Mode.LIST or max(map(len, rows)) <= cells
    assert any("pay" in row for row in rows)


def test_mermaid_and_dot_have_every_step_with_its_name_as_data():
    """Quotes and angle brackets of a name never end a label."""
    chart = mermaid(SPEC, STEPS)
    assert 's1{{"say #quot;hi#quot; #lt;b#gt;<br/>failed"}}' in chart
    assert 's2[["pay<br/>pending"]]' in chart
    assert "s0 --> s1" in chart
    assert "class s1 failed" in chart
    digraph = dot('a "flow"', SPEC, {})
    assert digraph.startswith('digraph "a \\"flow\\"" {')
    assert '"fetch" -> "say \\"hi\\" <b>";' in digraph
    assert "peripheries=2" in digraph


def test_a_workflow_is_drawn_from_its_module(tmp_path):
    """The branches of an example stand below each other."""
    command = [FLUX, "graph", EXAMPLE]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "╭─▶│ ○ sales" in done.stdout
    assert "─▶│ ○ notify" in done.stdout
    assert not (tmp_path / ".flux").exists()


def test_a_run_is_drawn_as_it_stands(tmp_path, monkeypatch, capfd):
    """From the store alone: no module is needed."""

    def fail(ctx):
        raise ValueError("no")

    flow = create_workflow("two").step("one", lambda ctx: None).step("other", fail)
    made_runs(tmp_path, lambda engine, _: engine.execute(flow, run_id="abc"))
    flux = commands_here(tmp_path, monkeypatch, capfd)
    text = flux("graph", "--run", "a").out
    assert text.splitlines()[0] == "two  abc  failed"
    assert "✔ one" in text
    assert "✖ other" in text
    assert [step["status"] for step in flux("graph", "--run", "abc", "--json").json["steps"]] == [
        "completed",
        "failed",
    ]
    assert flux("graph", "--run", "abc", "--mermaid").out.startswith("flowchart LR\n")
    assert flux("graph", "--run", "abc", "--dot").out.startswith('digraph "two" {')
    for wrong in (["graph"], ["graph", "x.py", "--run", "abc"], ["graph", "--run", "abc", "--dot", "--json"]):
        assert flux(*wrong).code == 2
    assert json.loads(flux("runs", "show", "abc", "--step", "other", "--json").out)["status"] == "failed"
