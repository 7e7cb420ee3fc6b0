"""Requests to a Restate server: JSON over HTTP, with the standard library alone."""

import asyncio
import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flux_engine.errors import FluxError


class RestateError(FluxError):
    """A Restate server cannot be reached, is too old, or refused a request.

    ``status`` is that of its HTTP answer; 0 when there was none.
    """

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class HttpApi:
    """One of the two ports of a server. ``token`` is sent as a bearer token; it is told to nobody."""

    def __init__(self, url: str, *, what: str, token: str | None = None, timeout: float = 15.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise RestateError(
                f"{url!r} is not the address of a Restate server: it is written as http://HOST:PORT."
            )
        self.url = url.rstrip("/")
        self._what = what
        self._secure = parts.scheme == "https"
        self._host, self._port, self._path = parts.hostname, parts.port, parts.path.rstrip("/")
        self._token = token
        self._timeout = timeout

    async def ask(
        self, method: str, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Send a request; return its answer's JSON, ``None`` for an empty one. Raises ``RestateError``."""
        content = None if body is None else json.dumps(body).encode()
        return await asyncio.to_thread(self._ask, method, path, content, dict(headers or {}))

    def _ask(self, method: str, path: str, content: bytes | None, headers: dict[str, str]) -> Any:
        headers |= {"accept": "application/json"}
        if content is not None:
            headers |= {"content-type": "application/json"}
        if self._token:
            headers |= {"authorization": f"Bearer {self._token}"}
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self._timeout)
        try:
            connection.request(method, self._path + path, content, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise RestateError(
                f"The {self._what} of Restate at {self.url} cannot be reached: "
                f"{str(error) or type(error).__name__}. "
                "Start the server (npx @restatedev/restate-server), or give the address where it runs."
            ) from error
        finally:
            connection.close()
        value = _json(text)
        if answer.status >= http.client.BAD_REQUEST:
            raise RestateError(self._refused(method, path, answer.status, value), status=answer.status)
        return value

    def _refused(self, method: str, path: str, status: int, value: Any) -> str:
        said = value.get("message") if isinstance(value, dict) else None
        return str(said) if said else f"Restate at {self.url} answered {method} {path} with HTTP {status}."


def _json(text: bytes) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return {"message": text.decode(errors="replace")[:500]}
