"""Where a store is: a SQLite file here, or a schema of a Postgres server, which any number of hosts share.

The address of a server may have a password. It is never part of how an address is written, shown or compared
in public: only ``dsn`` has it, for whoever connects.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit

from flux_engine.secrets import SHORTEST

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

PASSWORD_VARIABLE: Final = "FLUX_DB_PASSWORD"  # noqa: S105 - the name of the variable
HIDDEN: Final = "***"
SCHEMA: Final = "flux"
"""The schema that the tables are in unless the address says ``?schema=NAME``."""

_SERVER: Final = ("postgresql", "postgres")
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_SCHEMA_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}")
_FORM: Final = "postgresql://USER@HOST:PORT/DATABASE"


class AddressError(ValueError):
    """A text that is no address. It is not part of the message: it may have a password in it."""


@dataclass(frozen=True)
class StoreAddress:
    """A file, or the ``dsn`` of a server and the ``schema`` there. Its text has no password."""

    file: Path | None = None
    dsn: str = field(default="", repr=False)
    schema: str = SCHEMA

    @classmethod
    def of(cls, value: "str | Path | StoreAddress") -> "StoreAddress":
        """Return the address that a text or path is. Raises ``AddressError``."""
        if isinstance(value, StoreAddress):
            return value
        text = os.fspath(value)
        scheme = _SCHEME.match(text)
        if scheme is None:
            if text.startswith(("postgresql:/", "postgres:/")):
                raise AddressError(f"a server is written {_FORM}, with two slashes behind the colon")
            return cls(file=Path(value))
        if scheme[1].lower() not in _SERVER:
            raise AddressError(
                f"a store is a file or {_FORM}; there is none for {scheme[1]}://. "
                "For SQLite give the path of the file alone"
            )
        return _server(text)

    @property
    def is_server(self) -> bool:
        """Whether the store is on a server."""
        return self.file is None

    @property
    def password(self) -> str | None:
        """The password that the address itself has."""
        return None if self.file is not None else _password(urlsplit(self.dsn))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The password as it is and as it is written in the address.

        Not one that is too short to mask, or a part of the address as anybody may see it: texts would be
        unreadable, and nothing the safer.
        """
        password, shown = self.password or "", str(self)
        forms = {password, quote(password, safe="")}
        return tuple(form for form in forms if len(form) >= SHORTEST and form not in shown)

    @property
    def masked(self) -> str:
        """The address with ``***`` in the place of a password."""
        parts = urlsplit(self.dsn)
        user, at, host = parts.netloc.rpartition("@")
        if self.password is None or not at:
            return str(self)
        netloc = f"{user.partition(':')[0]}:{HIDDEN}@{host}"
        return self._with_schema(_joined(_public(parts)._replace(netloc=netloc)))

    @property
    def place(self) -> str:
        """The address in short, for a header: the server and the database."""
        if self.file is not None:
            return str(self.file)
        parts = urlsplit(self.dsn)
        host = parts.netloc.rpartition("@")[2] or "localhost"
        scheme = "postgresql" if parts.scheme in _SERVER else parts.scheme
        return f"{scheme}://{host}{parts.path}" + (f" {self.schema}" if self.schema != SCHEMA else "")

    def __str__(self) -> str:
        """Return the path, or the address of the server without a password."""
        if self.file is not None:
            return str(self.file)
        return self._with_schema(_joined(_public(urlsplit(self.dsn))))

    def exists(self) -> bool:
        """Whether there may be a store: a file is there or not, a server is to be asked."""
        return self.file is None or self.file.exists()

    def anchored(self, project: Path) -> Self:
        """Return the address with its path absolute, a relative one taken from the project folder."""
        return self if self.file is None else replace(self, file=project / self.file.expanduser())

    def with_password_of(self, environ: Mapping[str, str]) -> Self:
        """Return the address with the password of ``FLUX_DB_PASSWORD``, if it has none itself."""
        password = environ.get(PASSWORD_VARIABLE)
        if self.file is not None or not password or self.password is not None:
            return self
        parts = urlsplit(self.dsn)
        user, _, host = parts.netloc.rpartition("@")
        netloc = f"{user.partition(':')[0]}:{quote(password, safe='')}@{host}"
        return replace(self, dsn=_joined(parts._replace(netloc=netloc)))

    def folder(self, project: Path) -> Path:
        """Return the folder for what is kept beside the store: that of the file, else ``.flux`` here."""
        return project / ".flux" if self.file is None else self.file.parent

    def to_text(self) -> str:
        """Return what ``of`` makes this very address of, its password included: for a pipe to a runner."""
        return str(self.file) if self.file is not None else self._with_schema(self.dsn)

    def scrub(self, text: str) -> str:
        """Return what a driver said of this address, without the password."""
        password = self.password
        if not password:
            return text
        for form in {password, quote(password, safe="")}:
            text = text.replace(f":{form}@", f":{HIDDEN}@").replace(f"password={form}", f"password={HIDDEN}")
        for form in self.secrets:
            text = text.replace(form, HIDDEN)
        return text

    def _with_schema(self, text: str) -> str:
        if self.schema == SCHEMA:
            return text
        return f"{text}{'&' if urlsplit(text).query else '?'}schema={self.schema}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        """Return what has pydantic make an address of a text or path, and a text without password of it."""
        from pydantic_core import core_schema  # noqa: PLC0415 - the schema is asked for by pydantic alone

        del source, handler
        return core_schema.no_info_plain_validator_function(
            _validated,
            json_schema_input_schema=core_schema.str_schema(),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda address: address.masked, return_schema=core_schema.str_schema()
            ),
        )


def _validated(value: Any) -> StoreAddress:
    from pydantic_core import PydanticCustomError  # noqa: PLC0415 - as above

    if not isinstance(value, str | Path | StoreAddress):
        raise PydanticCustomError("path_type", "a path")
    return StoreAddress.of(value)


def _server(text: str) -> StoreAddress:
    parts = urlsplit(text)
    if parts.fragment or ("@" not in parts.netloc and "@" in parts.path + parts.query):
        raise AddressError(
            f"expected {_FORM}; a / ? # or @ in a user's name or password is written %2F %3F %23 %40"
        )
    query = parse_qsl(parts.query, keep_blank_values=True)
    schema = dict(query).get("schema", SCHEMA)
    if not _SCHEMA_NAME.fullmatch(schema):
        raise AddressError("a schema's name has letters, digits and _, and at most 63 of them")
    kept = [(name, value) for name, value in query if name != "schema"]
    if len(kept) != len(query):
        parts = parts._replace(query=urlencode(kept, quote_via=quote))
    return StoreAddress(dsn=_joined(parts), schema=schema)


def _joined(parts: SplitResult) -> str:
    """Return the text of the parts; ``urlunsplit`` drops the slashes of an address without a host."""
    return f"{parts.scheme}://{parts.netloc}{parts.path}" + (f"?{parts.query}" if parts.query else "")


def _password(parts: SplitResult) -> str | None:
    user = parts.netloc.rpartition("@")[0]
    if ":" in user:
        return unquote(user.partition(":")[2]) or None
    return dict(parse_qsl(parts.query)).get("password")


def _public(parts: SplitResult) -> SplitResult:
    """Return the parts without the password."""
    user, at, host = parts.netloc.rpartition("@")
    query = parse_qsl(parts.query, keep_blank_values=True)
    kept = [(name, value) for name, value in query if "password" not in name]
    if len(kept) != len(query):
        parts = parts._replace(query=urlencode(kept, quote_via=quote))
    return parts._replace(netloc=f"{user.partition(':')[0]}{at}{host}")
