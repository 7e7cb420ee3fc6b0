"""What a dashboard is to be opened on, as one value that can be handed to another process."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict

from flux_tui.settings import Settings


class Opening(BaseModel):
    """What ``run_dashboard`` needs to know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: Settings
    paths: tuple[Path, ...] = ()
    trace_only: bool = False
    read_only: bool = False

    @classmethod
    def of(cls, settings: Settings, paths: list[Path], *, trace_only: bool, read_only: bool) -> Self:
        """Return the opening of these settings, with absolute paths."""
        searched = tuple(path.absolute() for path in paths)
        return cls(settings=settings, paths=searched, trace_only=trace_only, read_only=read_only)
