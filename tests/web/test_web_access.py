"""Who may open the dashboard in a browser, decided from headers alone."""

import pytest

from flux_tui.serve.access import Access, is_loopback, new_token

OPEN = Access()
GUARDED = Access(token="a-token-of-the-user")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "LocalHost.", "::1", "[::1]"])
def test_what_only_this_machine_reaches_is_loopback(host):
    """Addresses of both families, and the one name."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "192.168.1.5", "example.org", "127.0.0.1.example.org", "2130706433"]
)
def test_all_else_is_not(host):
    """Names that only look like it, and numbers that some programs read as addresses."""
    assert not is_loopback(host)


@pytest.mark.parametrize("header", ["localhost:4280", "127.0.0.1:9999", "[::1]:4280", "localhost"])
def test_a_request_for_this_machine_is_known_at_any_port(header):
    """A forwarded port may have another number."""
    assert OPEN.knows_host(header)


@pytest.mark.parametrize(
    "header",
    ["", "evil.example:4280", "localhost.evil.example", "localhost@evil.example", "[::1", "127.0.0.1@x"],
)
def test_a_name_that_was_made_to_resolve_to_this_machine_is_not_known(header):
    """DNS rebinding: the browser believes that it talks to the other page's own server."""
    assert not OPEN.knows_host(header)


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        ("http://127.0.0.1:4280", True),
        ("https://127.0.0.1:4280", True),
        ("http://127.0.0.1:4281", False),
        ("http://localhost:4280", False),
        ("https://evil.example", False),
        ("http://127.0.0.1:4280.evil.example", False),
        ("null", False),
        ("", False),
        (None, False),
    ],
)
def test_only_the_page_of_the_server_may_open_a_websocket(origin, own):
    """Not a page of another site, of another port, or a program that does not say."""
    assert OPEN.is_own_page(origin, "127.0.0.1:4280") is own
    assert GUARDED.is_own_page(origin, "127.0.0.1:4280") is own


def test_no_page_is_the_own_one_of_no_host():
    """Two empty names are not the same name."""
    assert not OPEN.is_own_page("file://", "")


def test_a_token_lets_in_and_nothing_else_does():
    """Not a part of it, not the cookie in its place, not text of other alphabets."""
    assert GUARDED.accepts_token("a-token-of-the-user")
    for wrong in ("", "a-token-of-the-use", "a-token-of-the-user ", "ä-tökén", GUARDED.cookie):
        assert not GUARDED.accepts_token(wrong)
    assert not OPEN.accepts_token("")


def test_the_cookie_stands_for_the_token_without_telling_it():
    """Another token makes another cookie; without a token none is needed."""
    assert GUARDED.accepts_cookie(GUARDED.cookie)
    for wrong in (None, "", "a-token-of-the-user", Access(token=new_token()).cookie):
        assert not GUARDED.accepts_cookie(wrong)
    assert OPEN.accepts_cookie(None)


def test_tokens_are_long_and_never_the_same():
    """As nobody guesses them."""
    assert len(new_token()) >= 43
    assert new_token() != new_token()
