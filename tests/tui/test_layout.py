"""The geometry of step graphs: pictures of the usual shapes, and what holds for any graph."""

import time
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from flux_tui.model.layers import bits, successors
from flux_tui.model.layout import Box, Layout, Mode, Size, lay_out
from flux_tui.model.layouts import Layouts
from flux_tui.model.run import GraphSpec, NodeSpec

LEFT, RIGHT, UP, DOWN = 1, 2, 4, 8
ARMS = dict(
    zip(
        "─│╭╮╰╯┬┴├┤┼▶",
        (
            LEFT | RIGHT,
            UP | DOWN,
            RIGHT | DOWN,
            LEFT | DOWN,
            RIGHT | UP,
            LEFT | UP,
            LEFT | RIGHT | DOWN,
            LEFT | RIGHT | UP,
            UP | DOWN | RIGHT,
            UP | DOWN | LEFT,
            LEFT | RIGHT | UP | DOWN,
            LEFT,
        ),
        strict=True,
    )
)


def graph(*chains, names=None):
    """Return the graph with the edges of ``"a > b > c"`` and the steps in the order of mention."""
    edges = [edge for chain in chains for edge in pairwise(name.strip() for name in chain.split(">"))]
    order = names or list(dict.fromkeys(name for edge in edges for name in edge))
    return GraphSpec(nodes=tuple(NodeSpec(name=name) for name in order), edges=tuple(edges))


def picture(layout: Layout) -> str:
    """Draw a layout as text; fails when two things are drawn on the same cell."""
    grid = [[" "] * layout.width for _ in range(layout.height)]

    def put(x, y, text):
        for character in text:
            width = cell_len(character)
            if width == 0:
                grid[y][x - 1] += character
                continue
            assert grid[y][x] == " ", f"two things at {x}, {y}"
            grid[y][x] = character
            if width == 2:
                grid[y][x + 1] = ""
            x += width

    for y, strokes in enumerate(layout.strokes):
        for stroke in strokes:
            put(stroke.x, y, stroke.text)
    for box in layout.boxes:
        if box.height == 1:
            put(box.x + 1, box.y, f"○ {box.label}")
            continue
        level = "─" * (box.width - 2)
        put(box.x, box.y, f"╭{level}╮")
        inside = f"○ {box.label}"
        put(box.x, box.y + 1, f"│\ue000{inside}" + "\ue000" * (box.width - 3 - cell_len(inside)) + "│")
        put(box.x, box.y + 2, "│" + "\ue000" * (box.width - 2) + "│")
        put(box.x, box.y + 3, f"╰{level}╯")
    return "\n".join("".join(row).replace("\ue000", " ").rstrip() for row in grid)


def reached_from(layout: Layout, box: Box) -> set[str]:
    """Follow the drawn lines from a box as an eye does: to the right, up and down, never back."""
    cells = {
        (y, stroke.x + offset): character
        for y, strokes in enumerate(layout.strokes)
        for stroke in strokes
        for offset, character in enumerate(stroke.text)
    }
    heads = {(other.row, other.x): other.name for other in layout.boxes}
    found: set[str] = set()
    seen: set[tuple[int, int, int]] = set()
    to_do = [(box.row, box.x + box.width, RIGHT)]
    while to_do:
        place = y, x, going = to_do.pop()
        if place in seen or (y, x) not in cells:
            continue
        seen.add(place)
        if cells[y, x] == "▶":
            assert going == RIGHT
            found.add(heads[y, x + 1])
            continue
        arms = ARMS[cells[y, x]]
        if going == RIGHT and not arms & LEFT:
            assert cells[y, x] == "│", "a line ends at another one"
            to_do.append((y, x + 1, RIGHT))
            continue
        if arms & RIGHT:
            to_do.append((y, x + 1, RIGHT))
        if arms & UP and going != DOWN:
            to_do.append((y - 1, x, UP))
        if arms & DOWN and going != UP:
            to_do.append((y + 1, x, DOWN))
    return found


def trimmed(text: str) -> str:
    """Return a picture from a test's source without its indentation."""
    lines = text.strip("\n").rstrip().split("\n")
    margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[margin:].rstrip() for line in lines)


PICTURES = {
    "one step": (
        graph(names=["solo"]),
        """
        ╭─────────────╮
        │ ○ solo      │
        │             │
        ╰─────────────╯
        """,
    ),
    "a chain": (
        graph("validate > payment > deduct"),
        """
        ╭─────────────╮    ╭─────────────╮    ╭─────────────╮
        │ ○ validate  │───▶│ ○ payment   │───▶│ ○ deduct    │
        │             │    │             │    │             │
        ╰─────────────╯    ╰─────────────╯    ╰─────────────╯
        """,
    ),
    "three branches": (
        graph("in > email > out", "in > slack > out", "in > hook > out"),
        """
                            ╭─────────────╮
                         ╭─▶│ ○ email     │──╮
                         │  │             │  │
                         │  ╰─────────────╯  │
        ╭─────────────╮  │  ╭─────────────╮  │  ╭─────────────╮
        │ ○ in        │──┼─▶│ ○ slack     │──┼─▶│ ○ out       │
        │             │  │  │             │  │  │             │
        ╰─────────────╯  │  ╰─────────────╯  │  ╰─────────────╯
                         │  ╭─────────────╮  │
                         ╰─▶│ ○ hook      │──╯
                            │             │
                            ╰─────────────╯
        """,
    ),
    "branches at the start": (
        graph("a > c", "b > c"),
        """
        ╭─────────────╮
        │ ○ a         │──╮
        │             │  │  ╭─────────────╮
        ╰─────────────╯  ├─▶│ ○ c         │
        ╭─────────────╮  │  │             │
        │ ○ b         │──╯  ╰─────────────╯
        │             │
        ╰─────────────╯
        """,
    ),
    "a line past a step": (
        graph("a > b > c", "a > c"),
        """
                            ╭─────────────╮
        ╭─────────────╮  ╭─▶│ ○ b         │──╮  ╭─────────────╮
        │ ○ a         │──┤  │             │  ├─▶│ ○ c         │
        │             │  │  ╰─────────────╯  │  │             │
        ╰─────────────╯  ╰───────────────────╯  ╰─────────────╯
        """,
    ),
}

COMPACT_PICTURES = {
    "branches at the end": (
        graph("a > b", "b > c", "b > d"),
        """
         ○ a ─▶ ○ b ─┬─▶ ○ c
                     ╰─▶ ○ d
        """,
    ),
    "two groups of branches, joined in one junction": (
        graph(
            *(f"{a} > {b}" for a in ("a1", "a2") for b in ("b1", "b2", "b3")),
            *(f"b{number} > end" for number in (1, 2, 3)),
        ),
        """
               ╭─▶ ○ b1 ─╮
         ○ a1 ─┼─▶ ○ b2 ─┼─▶ ○ end
         ○ a2 ─┴─▶ ○ b3 ─╯
        """,
    ),
    "two steps that feed two joins, one of them both": (
        graph("a > t", "b > t", "b > u", "c > u"),
        """
         ○ a ─────╮
         ○ b ─┬─╮ ├─▶ ○ t
         ○ c ─│─┴─│─▶ ○ u
              ╰───╯
        """,
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_boxes_look_as_drawn_here(name):
    """The usual shapes have the pictures of the design: straight chains, centred fan-outs and joins."""
    spec, drawn = PICTURES[name]
    assert picture(lay_out(spec)) == trimmed(drawn)


@pytest.mark.parametrize("name", COMPACT_PICTURES)
def test_compact_lines_look_as_drawn_here(name):
    """A step takes one row; two groups of branches meet in one upright line, not in all their pairs."""
    spec, drawn = COMPACT_PICTURES[name]
    assert trimmed(picture(lay_out(spec, Mode.COMPACT))) == trimmed(drawn)


def test_twelve_branches_stand_above_one_another():
    """A wide fan-out is one column, with the steps around it level with its middle."""
    names = [f"branch-{number}" for number in range(12)]
    layout = lay_out(graph(*(f"in > {name} > out" for name in names)))
    rows = [layout.box(name).row for name in names]
    assert rows == sorted(rows)
    assert layout.box("in").row == layout.box("out").row == (rows[0] + rows[-1]) // 2


def test_names_are_measured_in_cells():
    """Wide and zero-width characters take the room that they take on a terminal; long names are cut."""
    spec = graph("検証する > e\u0301le\u0300ve > 🎉 > a_name_that_is_far_too_long_for_any_box")
    layout = lay_out(spec)
    assert picture(layout).split("\n")[0].count("╭") == 4
    assert all(cell_len(box.label) + 6 <= box.width for box in layout.boxes)
    assert layout.boxes[-1].label.endswith("…")


def test_control_characters_of_a_name_are_never_drawn():
    """A name cannot move the cursor or turn the text around."""
    layout = lay_out(graph("a\x1b[2J > b\n > \u202ec"))
    assert all(box.label.isprintable() for box in layout.boxes)


@st.composite
def graphs(draw):
    """Graphs as a trace might hold them: mostly forward, sometimes with cycles and edges to nowhere."""
    count = draw(st.integers(1, 9))
    names = [f"n{number}" for number in range(count)]
    ends = st.sampled_from([*names, "nowhere"])
    forward = draw(st.lists(st.sampled_from(list(combinations(names, 2)) or [("n0", "n0")]), max_size=20))
    wild = draw(st.lists(st.tuples(ends, ends), max_size=2))
    return GraphSpec(nodes=tuple(NodeSpec(name=name) for name in names), edges=(*forward, *wild))


@settings(max_examples=150, deadline=None)
@given(spec=graphs(), mode=st.sampled_from([Mode.BOXES, Mode.COMPACT]), size=st.sampled_from(list(Size)))
def test_lines_lead_where_the_edges_do_and_touch_no_box(spec, mode, size):
    """Following the lines from a step finds exactly its successors; nothing is drawn over anything."""
    layout = lay_out(spec, mode, size)
    picture(layout)
    for box, after in zip(layout.boxes, successors(spec), strict=True):
        assert reached_from(layout, box) == {spec.nodes[number].name for number in bits(after)}


def nested(depth: int) -> list[str]:
    """Return the chains of groups of branches inside branches, whose joins lie at different depths."""
    chains, inner = [], "work"
    for level in range(depth):
        chains += [f"fork{level} > {inner}{'' if inner == 'work' else level - 1} > join{level}"]
        chains += [
            f"fork{level} > side{level} > join{level}",
            f"fork{level} > far{level}a > far{level}b > join{level}",
        ]
        inner = "group"
        chains += [f"join{level} > group{level}"]
    return chains


def tangle(count: int) -> GraphSpec:
    """Return a graph in which each step comes after one to three of the twelve before it."""
    names = [f"step-{number}" for number in range(count)]
    edges = {
        (names[max(number - 1 - (number * factor) % 12, 0)], names[number])
        for number in range(1, count)
        for factor in (7, 11, 5)[: 1 + number % 3]
    }
    return GraphSpec(nodes=tuple(NodeSpec(name=name) for name in names), edges=tuple(sorted(edges)))


SHAPES = {
    "twelve branches": graph(*(f"in > branch-{number} > out" for number in range(12))),
    "groups of branches inside branches": graph(*nested(4)),
    "lines past many steps": graph("a > b > c > d > e > f", "a > c", "b > f", "a > f", "c > f"),
    "two hundred steps in a row": graph(" > ".join(f"step-{number}" for number in range(200))),
    "two hundred branches": graph(*(f"in > w{number} > out" for number in range(198))),
    "two hundred steps in a tangle": tangle(200),
}


@pytest.mark.parametrize("mode", [Mode.BOXES, Mode.COMPACT])
@pytest.mark.parametrize("name", SHAPES)
def test_real_shapes_are_drawn_without_a_line_through_a_box(name, mode):
    """Each line can be followed from its step to the steps after it, and to no others."""
    spec = SHAPES[name]
    layout = lay_out(spec, mode)
    picture(layout)
    for box, after in zip(layout.boxes, successors(spec), strict=True):
        assert reached_from(layout, box) == {spec.nodes[number].name for number in bits(after)}


@settings(max_examples=60, deadline=None)
@given(spec=graphs(), mode=st.sampled_from(list(Mode)))
def test_the_same_definition_has_the_same_geometry(spec, mode):
    """Layout is a function of names and edges: it is repeatable and knows nothing of statuses."""
    assert lay_out(spec, mode) == lay_out(spec, mode)
    assert "status" not in NodeSpec.__struct_fields__


@settings(max_examples=60, deadline=None)
@given(spec=graphs(), mode=st.sampled_from(list(Mode)))
def test_every_step_can_be_walked_to(spec, mode):
    """From the first step the arrow keys lead to all others."""
    layout = lay_out(spec, mode)
    seen, to_do = set(), [layout.boxes[0].name]
    while to_do:
        name = to_do.pop()
        if name not in seen:
            seen.add(name)
            beside = layout.neighbours[name]
            to_do += [other for other in (beside.left, beside.right, beside.up, beside.down) if other]
    assert seen == {box.name for box in layout.boxes}


def test_arrows_follow_the_lines():
    """Right goes to the branch level with the step, up and down stay among the branches."""
    beside = lay_out(PICTURES["three branches"][0]).neighbours
    assert beside["in"].right == "slack"
    assert (beside["slack"].up, beside["slack"].down, beside["slack"].right) == ("email", "hook", "out")
    assert beside["hook"].left == "in"
    assert beside["in"].left is None


def test_a_list_has_a_row_for_each_step_and_brackets_around_branches():
    """The list keeps the order of the definition and still shows which steps are branches."""
    layout = lay_out(PICTURES["three branches"][0], Mode.LIST)
    assert [box.name for box in layout.boxes] == ["in", "email", "out", "slack", "hook"]
    layout = lay_out(graph("a > b > e", "a > c > e", "a > d > e", names=list("abcde")), Mode.LIST)
    assert [box.bracket for box in layout.boxes] == ["", "╭", "│", "╰", ""]


def test_boxes_give_way_to_compact_lines_where_they_do_not_fit():
    """Too little height makes lines of the boxes, too little width makes them tighter first."""
    chain = Layouts(graph("one > two > three"))
    roomy = chain.choose("auto", 10, 100)
    tight = chain.choose("auto", 10, roomy.width - 1)
    assert (roomy.mode, tight.mode) == (Mode.BOXES, Mode.BOXES)
    assert tight.width < roomy.width
    assert chain.choose("auto", 10, 20) is roomy
    assert chain.choose("auto", 3, 100).mode is Mode.COMPACT


def test_a_long_chain_costs_little_more_than_its_length():
    """Four times the steps cost less than ten times as much; the bound is wide, since machines are busy."""
    assert min(_seconds(200) for _ in range(5)) < 10 * max(_seconds(50) for _ in range(5))


def _seconds(steps):
    spec = graph(" > ".join(f"step-{number}" for number in range(steps)))
    start = time.perf_counter()
    lay_out(spec)
    return time.perf_counter() - start


def test_an_empty_graph_is_nothing():
    """A definition without steps has a layout without size."""
    layout = lay_out(GraphSpec())
    assert (layout.width, layout.height, layout.boxes) == (0, 0, ())
