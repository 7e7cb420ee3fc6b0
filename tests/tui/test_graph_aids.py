"""What helps to find one's way in a graph that does not fit: when there is a map, and what a line says."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from flux_tui.model.crumbs import BACK, FORWARD, counts, crumbs
from flux_tui.model.layout import Mode, lay_out
from flux_tui.model.layouts import NEXT_VIEW, Layouts
from flux_tui.model.overview import Aid, Hidden, Overview, View, hidden, plan
from flux_tui.model.run import GraphSpec, NodeSpec


def spec_of(names, edges):
    """Return a graph of steps."""
    return GraphSpec(nodes=tuple(NodeSpec(name=name) for name in names), edges=tuple(edges))


def chain(count):
    """Return a graph of steps in a row."""
    names = [f"step-{number}" for number in range(count)]
    return spec_of(names, pairwise(names))


def fan(count):
    """Return a graph with branches between two steps."""
    names = [f"branch-{number}" for number in range(count)]
    edges = [edge for name in names for edge in (("in", name), (name, "out"))]
    return spec_of(["in", *names, "out"], edges)


@pytest.mark.parametrize(
    ("spec", "mode", "size", "aid"),
    [
        (chain(4), Mode.BOXES, (100, 5), Aid.NONE),
        (chain(9), Mode.BOXES, (100, 5), Aid.LINE),
        (chain(200), Mode.BOXES, (100, 5), Aid.LINE),
        (chain(200), Mode.BOXES, (100, 7), Aid.BELOW),
        (chain(200), Mode.COMPACT, (54, 4), Aid.BELOW),
        (chain(200), Mode.LIST, (54, 12), Aid.LINE),
        (fan(12), Mode.BOXES, (100, 14), Aid.BESIDE),
        (fan(12), Mode.BOXES, (56, 14), Aid.LINE),
        (fan(12), Mode.COMPACT, (100, 12), Aid.NONE),
        (fan(12), Mode.COMPACT, (100, 14), Aid.LINE),
        (chain(200), Mode.BOXES, (100, 1), Aid.NONE),
    ],
)
def test_a_map_is_drawn_where_much_is_hidden_and_there_is_room(spec, mode, size, aid):
    """Beside or below the graph, where it hides nothing of it; a line where rows are scarce."""
    assert plan(lay_out(spec, mode), *size).aid is aid


@settings(max_examples=80, deadline=None)
@given(
    st.integers(1, 40), st.booleans(), st.sampled_from(list(Mode)), st.integers(1, 120), st.integers(1, 40)
)
def test_an_aid_never_takes_all_of_the_place(count, wide, mode, width, height):
    """Rows are left for the graph, and a map is never wider than the place."""
    found = plan(lay_out(fan(count) if wide else chain(count), mode), width, height)
    assert found.reserved < height
    assert found.aid in (Aid.NONE, Aid.LINE) or found.columns + 2 <= width
    assert found.aid is not Aid.BESIDE or found.rows + 2 <= height


def test_a_step_that_is_cut_by_an_edge_counts_as_hidden():
    """Only what is seen whole is in view; a line of its frame does not count, its text does."""
    layout = lay_out(chain(5))
    second = layout.boxes[1]
    assert hidden(layout, View(0, 0, layout.width, layout.height)) == Hidden()
    assert hidden(layout, View(second.x + 1, 0, layout.width, layout.height)) == Hidden(left=2)
    assert hidden(layout, View(0, 1, second.x + second.width, 2)) == Hidden(right=3)
    assert hidden(layout, View(0, 2, second.x + second.width, 1)) == Hidden(right=3, above=5)
    assert hidden(layout, View(0, 0, second.x + second.width, 2)) == Hidden(right=3, below=5)
    assert hidden(lay_out(chain(5), Mode.LIST), View(0, 1, 80, 2)) == Hidden(above=1, below=2)


def test_the_line_counts_what_is_hidden_and_names_what_is_at_hand():
    """The selected step stands between the ones beside it; counts lose their words, then names go."""
    layout = lay_out(chain(60))
    off = Hidden(left=12, right=40)
    whole = crumbs(layout, "step-13", off, 80)
    assert (whole.before, whole.after) == (f"{BACK} 12 more", f"40 more {FORWARD}")
    assert whole.names == ("step-12", "step-13", "step-14")
    assert whole.here == 1
    assert crumbs(layout, "step-0", off, 80).here == 0
    assert crumbs(layout, "step-13", off, 80, remark="12 ms").names[1] == "step-13 · 12 ms"
    assert crumbs(layout, "step-13", off, 44, remark="12 ms " * 9).names == ("step-13",)
    assert crumbs(layout, "step-13", off, 38).names == ("step-13",)
    assert crumbs(layout, "step-13", off, 12) == crumbs(layout, None, off, 12)
    assert counts(Hidden(1, 2, 3, 4), worded=True) == (
        f"{BACK} 1 more  ↑ 3 above",
        f"↓ 4 below  2 more {FORWARD}",
    )


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 130), st.integers(0, 59), st.tuples(*(st.integers(0, 999) for _ in range(4))))
def test_the_line_never_takes_more_than_its_width(width, at, off):
    """Whatever is hidden, the texts fit."""
    said = crumbs(lay_out(chain(60)), f"step-{at}", Hidden(*off), width)
    assert cell_len(said.before) + cell_len(said.after) + said.width <= width


def test_a_map_has_every_step_once_and_shows_what_matters_most():
    """Where steps share a place the failed one is shown; the graph's columns are at equal distances."""
    layout = lay_out(chain(10))
    overview = Overview(layout, 21, 1)
    assert [overview.place_of(box.name) for box in layout.boxes] == [(2 * n + 1, 0) for n in range(10)]
    small = Overview(layout, 5, 1)
    failed = small.statuses(lambda name: "failed" if name == "step-5" else "completed")
    assert list(failed.values()).count("failed") == 1
    assert len(failed) == 5
    assert overview.place_of("nowhere") is None


def test_a_map_marks_what_is_in_view_and_leads_there():
    """The marked columns are those with something in view; a place on the map leads to its steps."""
    layout = lay_out(chain(10))
    overview = Overview(layout, 21, 1)
    third, fifth = layout.boxes[2], layout.boxes[4]
    view = View(third.x, 0, fifth.x + fifth.width - third.x, layout.height)
    assert overview.in_view(view) == (range(5, 10), range(1))
    x, y = overview.target(5, 0)
    assert layout.box_at(x, y) is third


@given(
    st.integers(1, 30),
    st.integers(8, 60),
    st.integers(1, 12),
    st.tuples(*(st.integers(0, 400) for _ in range(2))),
)
def test_a_map_stays_inside_its_frame(count, columns, rows, corner):
    """Every place and every mark is within the columns and rows that were asked for."""
    layout = lay_out(fan(count))
    overview = Overview(layout, columns, rows)
    for x, y in overview.statuses(lambda _: "pending"):
        assert 0 <= x < columns
        assert 0 <= y < rows
    across, down = overview.in_view(View(*corner, 40, 10))
    assert set(across) <= set(range(columns))
    assert not set(down) - set(range(rows)) or corner[1] >= layout.height


def test_the_views_take_turns():
    """Boxes, compact lines, list, and from the start again."""
    assert [NEXT_VIEW[mode] for mode in Mode] == [Mode.COMPACT, Mode.LIST, Mode.BOXES]


def test_whole_names_are_shown_where_there_is_room():
    """A name of sixty characters is cut in a narrow place only."""
    name = "x" * 60
    layouts = Layouts(spec_of(["a", name], [("a", name)]))
    assert layouts.choose("auto", 10, 120).boxes[1].label == name
    assert layouts.choose("auto", 10, 60).boxes[1].label.endswith("…")
    assert layouts.choose("list", 10, 60).boxes[1].label == name
