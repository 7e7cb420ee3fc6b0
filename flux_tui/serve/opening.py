"""What a dashboard is to be opened on, as one value that can be handed to another process."""

from dataclasses import replace
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from flux_tui.address import StoreAddress
from flux_tui.settings import Settings


class Opening(BaseModel):
    """What ``run_dashboard`` needs to know.

    ``password`` is that of the store, which is not written with the rest: it goes into the environment.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: Settings
    paths: tuple[Path, ...] = ()
    trace_only: bool = False
    read_only: bool = False
    password: str | None = Field(default=None, exclude=True, repr=False)

    @classmethod
    def of(cls, settings: Settings, paths: list[Path], *, trace_only: bool, read_only: bool) -> Self:
        """Return the opening of these settings, with absolute paths."""
        searched = tuple(path.absolute() for path in paths)
        public = replace(settings, db=StoreAddress.of(str(settings.db)))
        return cls(
            settings=public,
            paths=searched,
            trace_only=trace_only,
            read_only=read_only,
            password=settings.db.password,
        )
