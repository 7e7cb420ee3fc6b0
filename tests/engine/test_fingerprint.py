"""A fingerprint changes when the code does, and only then."""

import functools
import importlib.util
import textwrap

import pytest

from flux_engine.fingerprint import fingerprint, source_of

ORIGINAL = """
    import functools
    async def handler(ctx):
        ctx.data.x = 1
    pair = (lambda ctx: 1, lambda ctx: 2)
"""


@pytest.fixture
def load(tmp_path):
    """Imports source text as a module of its own."""
    count = 0

    def load(text):
        nonlocal count
        count += 1
        path = tmp_path / f"module_{count}.py"
        path.write_text(textwrap.dedent(text))
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.mark.parametrize(
    "variant",
    [
        ORIGINAL,
        "\n\n" + ORIGINAL,
        ORIGINAL.replace("x = 1", "x = 1  # a remark"),
        ORIGINAL.replace("ctx.data.x = 1", "ctx.data.x   =  1\n"),
    ],
)
def test_layout_comments_and_place_do_not_count(load, variant):
    """Saving a reformatted file marks nothing as changed."""
    assert fingerprint(load(ORIGINAL).handler) == fingerprint(load(variant).handler)


@pytest.mark.parametrize(
    "variant",
    [
        ORIGINAL.replace("x = 1", "x = 2"),
        ORIGINAL.replace("async def", "def"),
        ORIGINAL.replace("(ctx)", "(ctx, more=1)"),
    ],
)
def test_a_change_of_the_code_counts(load, variant):
    """Body, arguments, kind of function."""
    assert fingerprint(load(ORIGINAL).handler) != fingerprint(load(variant).handler)


def test_lambdas_on_one_line_are_told_apart(load):
    """By their columns."""
    first, second = load(ORIGINAL).pair
    again, _ = load(ORIGINAL).pair
    assert fingerprint(first) != fingerprint(second)
    assert fingerprint(first) == fingerprint(again)
    assert source_of(first).line == 5


def test_wrappers_show_the_function_behind_them(load):
    """Partials, functools.wraps, methods and callable objects."""
    module = load(ORIGINAL)

    @functools.wraps(module.handler)
    def wrapped(ctx):
        return module.handler(ctx)

    class Callable:
        def __call__(self, ctx):
            return None

        def method(self, ctx):
            return None

    plain = fingerprint(module.handler)
    assert fingerprint(functools.partial(module.handler)) == plain
    assert fingerprint(wrapped) == plain
    assert source_of(Callable()).function.endswith("Callable.__call__")
    assert source_of(Callable().method).function.endswith("Callable.method")
    assert source_of(module.handler).line == 3
    assert source_of(module.handler).end_line == 4


def test_what_has_no_source_still_has_a_fingerprint():
    """Built-ins and code made by exec."""
    space = {}
    exec("def made(ctx): return 1\ndef other(ctx): return 2", space)  # noqa: S102
    assert fingerprint(print) != fingerprint(len)
    assert fingerprint(space["made"]) != fingerprint(space["other"])
    assert source_of(print) is None
    assert fingerprint(print, None) != fingerprint(print)
