"""Who may open the dashboard in a browser.

Whoever can, can run code. There are two ways in, and each has its own guard. On loopback without a
token, anybody on this machine may; what must be kept out are other web pages in the user's own browser:
they show in the ``Host`` header (a foreign name that was made to resolve to this machine, *DNS rebinding*)
and in the ``Origin`` header (a foreign page that opens the WebSocket). Anywhere else a token is asked for,
once; from then on a cookie that no other site can make the browser send stands for it.
"""

import hashlib
import hmac
import ipaddress
import secrets
from typing import Final
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

SHORTEST_TOKEN: Final = 16
"""Characters that a token of the user's own must have at least."""


def new_token() -> str:
    """Return a token that nobody guesses: 256 bits, safe in an address."""
    return secrets.token_urlsafe(32)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach ``host``, a name or an address."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_of(header: str) -> str:
    """Return the name or address in a ``Host`` header, without its port; empty when it makes no sense."""
    return _split(f"//{header}").hostname or ""


class Access(Struct, frozen=True, kw_only=True):
    """The rules of one server. Without ``token`` it is for this machine only."""

    token: str | None = None

    def knows_host(self, header: str) -> bool:
        """Tell whether a request with this ``Host`` header was meant for this server.

        With a token any name will do: a page under a foreign name has no cookie for this one.
        """
        return self.token is not None or is_loopback(host_of(header))

    def is_own_page(self, origin: str | None, host: str) -> bool:
        """Tell whether a WebSocket with these headers was opened by a page of this server."""
        return bool(origin) and _split(origin or "").netloc.lower() == host.lower() != ""

    def accepts_token(self, given: str) -> bool:
        """Tell whether this is the token, in a time that does not depend on how much of it is right."""
        return self.token is not None and hmac.compare_digest(_bytes(given), _bytes(self.token))

    def accepts_cookie(self, given: str | None) -> bool:
        """Tell whether this is the cookie that stands for the token; without a token none is needed."""
        return self.token is None or hmac.compare_digest(_bytes(given or ""), _bytes(self.cookie))

    @property
    def cookie(self) -> str:
        """What a browser keeps instead of the token; the token cannot be found out from it."""
        return hmac.new(_bytes(self.token or ""), b"flux dashboard cookie", hashlib.sha256).hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")
