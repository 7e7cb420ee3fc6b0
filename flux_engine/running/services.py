"""What runs need of their engine."""

from typing import TYPE_CHECKING

from msgspec import Struct

from flux_engine.clock import Clock
from flux_engine.logger import FluxLogger
from flux_engine.running.announcer import Announcer
from flux_engine.running.pausing import PauseBefore
from flux_engine.storage.base import WorkflowStorage

if TYPE_CHECKING:
    from flux_engine.running.deadlines import Deadlines


class Services(Struct, kw_only=True):
    """The parts that the runs of one engine share.

    ``default_timeout`` is seconds. ``lease`` is how many seconds a run stays with this engine
    when nothing is heard of it. ``stopping`` asks the runs to stop at the next step boundary.
    ``pause_before`` is asked about steps that are about to start.
    """

    storage: WorkflowStorage
    announcer: Announcer
    clock: Clock
    logger: FluxLogger
    default_retries: int
    default_timeout: float | None
    lease: float = 30.0
    deadlines: "Deadlines | None" = None
    stopping: bool = False
    pause_before: PauseBefore | None = None
