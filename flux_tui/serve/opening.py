"""What a dashboard is to be opened on, as one value that can be handed to another process."""

from dataclasses import replace
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from flux_tui.address import StoreAddress
from flux_tui.settings import Settings


class RestateServer(BaseModel):
    """The addresses of a Restate server: of its admin port, and of its ingress if that was said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    admin: str
    ingress: str | None = None


class Opening(BaseModel):
    """What a dashboard needs to know. ``restate`` is the server to show instead of a project.

    ``password`` is that of the store, which is not written with the rest: it goes into the environment.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: Settings
    paths: tuple[Path, ...] = ()
    trace_only: bool = False
    read_only: bool = False
    restate: RestateServer | None = None
    password: str | None = Field(default=None, exclude=True, repr=False)

    @classmethod
    def of(
        cls,
        settings: Settings,
        paths: list[Path],
        *,
        trace_only: bool,
        read_only: bool,
        restate: RestateServer | None = None,
    ) -> Self:
        """Return the opening of these settings, with absolute paths."""
        searched = tuple(path.absolute() for path in paths)
        public = replace(settings, db=StoreAddress.of(str(settings.db)))
        return cls(
            settings=public,
            paths=searched,
            trace_only=trace_only,
            read_only=read_only,
            restate=restate,
            password=settings.db.password,
        )
