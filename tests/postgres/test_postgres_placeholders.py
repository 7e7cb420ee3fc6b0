"""A handler's statements, as psycopg is given them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux_engine import TransactionError
from flux_engine.storage.postgres.placeholders import translate


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("SELECT ?", "SELECT %s"),
        ("SELECT '?' || ?", "SELECT '?' || %s"),
        ("SELECT 'it''s ?', \"a?\", ?", "SELECT 'it''s ?', \"a?\", %s"),
        (r"SELECT E'\'?', ?", r"SELECT E'\'?', %s"),
        ("SELECT $$?$$, $a$ $$ ? $a$, ?", "SELECT $$?$$, $a$ $$ ? $a$, %s"),
        ("SELECT ? -- really?\n, ?", "SELECT %s -- really?\n, %s"),
        ("SELECT /* ? /* ? */ ? */ ?", "SELECT /* ? /* ? */ ? */ %s"),
        ("SELECT doc ?? 'key', doc ??| ?", "SELECT doc ? 'key', doc ?| %s"),
        ("SELECT 10 % ?, 'a%'", "SELECT 10 %% %s, 'a%%'"),
        ("SELECT a::text, ?::int, :b", "SELECT a::text, %s::int, :b"),
        ("SELECT x$1$y ?", "SELECT x$1$y %s"),
        ("SELECT '?", "SELECT '%s"),  # for the server to refuse
    ],
)
def test_question_marks(written, meant):
    """A ``?`` is a parameter where SQL has one."""
    assert translate(written, named=False, schema="flux").text == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("SELECT :a, :a_1", "SELECT %(a)s, %(a_1)s"),
        ("SELECT :a::text, b::c", "SELECT %(a)s::text, b::c"),
        ("SELECT ':a', \":a\", xs[1:2]", "SELECT ':a', \":a\", xs[1:2]"),
        ("SELECT :é, 5 % 2, '?' ?? :b", "SELECT %(é)s, 5 %% 2, '?' ? %(b)s"),
    ],
)
def test_names(written, meant):
    """A ``:name`` is a parameter where SQL has one."""
    assert translate(written, named=True, schema="flux").text == meant


@given(st.text(alphabet="ab'\"$?:;-/*\\ %\n1", max_size=40), st.booleans())
def test_any_text_is_translated_or_refused(text, named):
    """Nothing but ``TransactionError`` comes of a statement, and without parameters it says the same."""
    try:
        translated = translate(text, named=named, schema="flux").text
    except TransactionError:
        return
    if "?" not in text and ":" not in text:
        assert translated == text.replace("%", "%%")


def test_statements_about_savepoints_are_told_apart():
    """They want none around them."""
    assert translate("rollback to a", named=False, schema="flux").savepoint
    assert translate("SAVEPOINT a", named=False, schema="flux").savepoint
    assert not translate("SELECT 1", named=False, schema="flux").savepoint


def test_a_semicolon_at_the_end_is_no_second_statement():
    """Nor is one in a string."""
    assert translate("SELECT ';';", named=False, schema="flux").text == "SELECT ';';"
    with pytest.raises(TransactionError, match="one statement at a time"):
        translate("SELECT 1; SELECT 2", named=False, schema="flux")
