"""What runs need of their engine."""

from typing import TYPE_CHECKING

from msgspec import Struct

from flux_engine.announcer import Announcer
from flux_engine.clock import Clock
from flux_engine.logger import FluxLogger
from flux_engine.storage.base import WorkflowStorage

if TYPE_CHECKING:
    from flux_engine.deadlines import Deadlines


class Services(Struct, kw_only=True):
    """The parts that the runs of one engine share.

    ``default_timeout`` is seconds. ``stopping`` asks the runs to stop at the next step boundary.
    """

    storage: WorkflowStorage
    announcer: Announcer
    clock: Clock
    logger: FluxLogger
    default_retries: int
    default_timeout: float | None
    deadlines: "Deadlines | None" = None
    stopping: bool = False
