"""A runner of the pool: its process, its role, and what it has been asked and has in hand."""

import asyncio
import enum
import time

from flux_engine.errors import DefinitionChangedError
from flux_tui.runner.client import RunnerProcess
from flux_tui.runner.messages import (
    Accepted,
    Blocked,
    Deleted,
    Drain,
    Ended,
    Message,
    Plan,
    Refused,
    Replayed,
    Started,
)

UNANSWERED_SECONDS = 30.0
UNANSWERED_WHILE_BLOCKED_SECONDS = 3.0
LOOK_SECONDS = 0.25

Answer = Started | Accepted | Plan | Replayed | Deleted


class RunnerRefused(Exception):  # noqa: N818 - it is no error of the program but an answer
    """What was asked for cannot be done.

    ``error`` is the name of the engine's error, or ``RunnerDied``, ``RunnerBlocked``,
    ``RunnerSilent``, ``RunnerDraining``, ``WorkflowNotFoundError``. ``problems`` are ``(location, message)``
    pairs of bad input.
    """

    def __init__(self, error: str, message: str, problems: tuple[tuple[str, str], ...] = ()) -> None:
        self.error = error
        self.message = message
        self.problems = problems
        super().__init__(message)

    @property
    def changed(self) -> str | None:
        """What has changed in a workflow, so that a run does not go on by itself; no advice to programs."""
        if self.error != DefinitionChangedError.__qualname__:
            return None
        return self.message.removesuffix(DefinitionChangedError.advice).rstrip()


class Role(enum.Enum):
    """What a runner is there for."""

    SPARE = enum.auto()
    LOADING = enum.auto()
    SERVING = enum.auto()
    DRAINING = enum.auto()
    DISMISSED = enum.auto()


class Member:
    """A runner of the pool. ``in_hand`` are the ids of the runs that it moves."""

    def __init__(self, process: RunnerProcess) -> None:
        self.process = process
        self.role = Role.SPARE
        self.since = time.monotonic()
        self.in_hand: dict[str, None] = {}
        self.blocked: Blocked | None = None
        self.loading_path = ""
        self._pending: dict[int, asyncio.Future[Answer]] = {}

    def turn(self, role: Role) -> None:
        """Give the runner another role."""
        self.role = role
        self.since = time.monotonic()

    def drain(self) -> None:
        """Let the runner finish what it has in hand and end."""
        self.turn(Role.DRAINING)
        self.process.send(Drain())

    def dismiss(self) -> None:
        """Kill the runner; its end is no news."""
        self.turn(Role.DISMISSED)
        self.process.kill()

    async def ask(
        self, request: int, command: Message, *, patience: float | None = UNANSWERED_SECONDS
    ) -> Answer:
        """Send a request and return its answer; ``patience`` are the seconds to wait, if there is an end.

        Raises ``RunnerRefused``.
        """
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._pending[request] = future
        self.process.send(command)
        asked = time.monotonic()
        try:
            while not (await asyncio.wait({future}, timeout=LOOK_SECONDS))[0]:
                self._lose_patience(time.monotonic() - asked, patience)
            return future.result()
        finally:
            self._pending.pop(request, None)

    def answered(self, answer: Answer | Refused) -> None:
        """Pass an answer on to who waits for it."""
        if isinstance(answer, Started):
            self.in_hand[answer.run_id] = None
        future = self._pending.get(answer.request)
        if future is None or future.done():
            return
        if isinstance(answer, Refused):
            future.set_exception(RunnerRefused(answer.error, answer.message, tuple(answer.problems)))
        else:
            future.set_result(answer)

    def run_ended(self, report: Ended) -> None:
        """Take a run out of hand."""
        self.in_hand.pop(report.run_id, None)

    def died(self) -> None:
        """Answer all that is still asked."""
        for future in self._pending.values():
            if not future.done():
                message = f"The runner ended before it answered: {self.process.exit_words}."
                future.set_exception(RunnerRefused("RunnerDied", message))

    def _lose_patience(self, waited: float, patience: float | None) -> None:
        if patience is not None and self.blocked is not None and waited > UNANSWERED_WHILE_BLOCKED_SECONDS:
            raise RunnerRefused(
                "RunnerBlocked",
                f"The runner has not answered: {self.blocked.where or 'a handler'} keeps it from doing "
                "anything else. It will answer when that returns; or restart the runner.",
            )
        if patience is not None and waited > patience:
            raise RunnerRefused(
                "RunnerSilent",
                f"The runner has not answered for {waited:.0f} s. It may still do what was asked; "
                "or restart it.",
            )
