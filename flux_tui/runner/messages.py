"""What the dashboard and a runner say to each other: JSON lines over pipes.

Commands go to the runner on its standard input, reports come back on its standard output; the runner
moves both out of the way of user code before it loads any. Each line is one JSON object with its kind
in ``type``. ``PROTOCOL`` is the version: the runner states it in its first report, and the dashboard
refuses another one.
"""

from typing import Any, Literal

import msgspec
from msgspec import Struct, field

PROTOCOL = 4

Scope = Literal["downstream", "only"]


class Message(Struct, frozen=True, kw_only=True, tag_field="type", tag=str.lower):
    """The base of all messages."""


# Commands: dashboard → runner


class Load(Message, frozen=True, kw_only=True):
    """Import the workflow modules. Sent once: a runner loads the user's code a single time.

    ``skip`` are modules that must not be imported, because they ended a runner when it tried. ``owners``
    has, by workflow, the module that defined it last: another one must not take the name from it. ``db`` is
    where the store is when that is not for the command line: an address that may have a password.
    """

    paths: list[str]
    skip: list[str] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    db: str | None = None


class Run(Message, frozen=True, kw_only=True):
    """Start a run of a workflow; answered by ``Started`` or ``Refused``, and later by ``Ended``."""

    request: int
    workflow: str
    input: Any
    run_id: str | None = None


class Retry(Message, frozen=True, kw_only=True):
    """Retry a run from a step; answered like ``Run``.

    ``data`` is merged over the restored data; values that JSON has not are in the tagged form of the codec.
    ``stepping`` as in ``Resume``.
    """

    request: int
    workflow: str
    run_id: str
    step: str
    scope: Scope = "downstream"
    data: dict[str, Any] | None = None
    stepping: bool = False
    ignore_when: bool = False
    keep_commits: bool = False
    allow_changed: bool = False


class Resume(Message, frozen=True, kw_only=True):
    """Go on with a run from its first step that is not done; answered like ``Run``.

    ``data`` is merged over what that step finds, as in ``Retry``. With ``stepping`` the run stops again when
    the steps that it begins with are done.
    """

    request: int
    workflow: str
    run_id: str
    data: dict[str, Any] | None = None
    stepping: bool = False
    allow_changed: bool = False


class Breakpoints(Message, frozen=True, kw_only=True):
    """Stop runs before these steps, by workflow, and before no others from now on. Not answered."""

    stops: dict[str, list[str]]


class Signal(Message, frozen=True, kw_only=True):
    """Send a signal to the step of a run that waits for it; answered like ``Run``.

    Where values of ``payload`` are none of JSON's, they are in the tagged form of the codec.
    """

    request: int
    workflow: str
    run_id: str
    name: str
    payload: Any = None
    allow_changed: bool = False


class Cancel(Message, frozen=True, kw_only=True):
    """End a run; answered by ``Accepted`` or ``Refused``."""

    request: int
    run_id: str


class Pause(Message, frozen=True, kw_only=True):
    """Stop a run before its next step; answered by ``Accepted`` or ``Refused``."""

    request: int
    run_id: str


class PreviewRetry(Message, frozen=True, kw_only=True):
    """Ask what a retry would do; answered by ``Plan`` or ``Refused``."""

    request: int
    workflow: str
    run_id: str
    step: str
    scope: Scope = "downstream"


class Fork(Message, frozen=True, kw_only=True):
    """Start a new run at a step of another one; answered like ``Run``. ``data`` is as in ``Retry``."""

    request: int
    workflow: str
    run_id: str
    step: str
    data: dict[str, Any] | None = None


class Replay(Message, frozen=True, kw_only=True):
    """Run the plain steps of a run again without writing anything; answered by ``Replayed``."""

    request: int
    workflow: str
    run_id: str


class Delete(Message, frozen=True, kw_only=True):
    """Remove runs from the store; answered by ``Deleted``, which says what became of each."""

    request: int
    run_ids: list[str]


class WatchWaits(Message, frozen=True, kw_only=True):
    """Watch the waits of suspended runs again: a runner that ends has left one behind."""


class Drain(Message, frozen=True, kw_only=True):
    """Take no new work, finish the runs in hand, then exit."""


class Stop(Message, frozen=True, kw_only=True):
    """Stop at the next step boundary and exit; after ``grace`` seconds exit in any case."""

    grace: float = 2.0


# Reports: runner → dashboard


class Hello(Message, frozen=True, kw_only=True):
    """The first line of every runner."""

    protocol: int
    pid: int
    python: str


class Problem(Struct, frozen=True, kw_only=True):
    """Why a module did not load. ``line`` and ``column`` count from 1; ``code`` is the line itself."""

    kind: str
    message: str
    file: str = ""
    line: int | None = None
    column: int | None = None
    code: str = ""
    traceback: str = ""


class WorkflowInfo(Struct, frozen=True, kw_only=True):
    """A workflow of a module: its name, the variable it is bound to, and what ``describe()`` returns."""

    name: str
    variable: str
    description: dict[str, Any]


class ModuleInfo(Struct, frozen=True, kw_only=True):
    """A workflow module after an attempt to load it. ``output`` is what it printed meanwhile (its end)."""

    path: str
    workflows: list[WorkflowInfo] = field(default_factory=list)
    problem: Problem | None = None
    output: str = ""
    milliseconds: float = 0.0


class Loading(Message, frozen=True, kw_only=True):
    """The import of a module begins. Tells which one it was, when nothing more is heard."""

    path: str


class Loaded(Message, frozen=True, kw_only=True):
    """All modules were tried. ``files`` are the project's files that the modules imported."""

    modules: list[ModuleInfo]
    files: list[str]
    milliseconds: float


class Started(Message, frozen=True, kw_only=True):
    """The run exists and moves. ``request`` is 0 when nobody asked for it: its wait has run out."""

    request: int
    run_id: str


class Accepted(Message, frozen=True, kw_only=True):
    """The run is asked to stop. ``status`` is the one it has now: it may still be on its way there."""

    request: int
    run_id: str
    status: str


class Ended(Message, frozen=True, kw_only=True):
    """The run ended, paused, was suspended, or was handed back: ``interrupted``, with its ``error``."""

    request: int
    run_id: str
    status: str
    error: str = ""


class Refused(Message, frozen=True, kw_only=True):
    """What was asked for cannot be done. ``problems`` are ``[location, message]`` pairs of bad input."""

    request: int
    error: str
    message: str
    problems: list[tuple[str, str]] = field(default_factory=list)


class Plan(Message, frozen=True, kw_only=True):
    """The plan of a retry: a ``RetryPlan`` as JSON."""

    request: int
    plan: dict[str, Any]


class Replayed(Message, frozen=True, kw_only=True):
    """What a replay found: a ``ReplayReport`` as JSON.

    Values that JSON has not are in the tagged form of the codec.
    """

    request: int
    report: dict[str, Any]


class Deleted(Message, frozen=True, kw_only=True):
    """Which runs are gone, and why others are not."""

    request: int
    deleted: list[str]
    refused: dict[str, str] = field(default_factory=dict)


class Output(Message, frozen=True, kw_only=True):
    """Text that user code printed outside any step."""

    stream: str
    text: str


class Secrets(Message, frozen=True, kw_only=True):
    """The secrets that user code has registered so far, to be masked wherever something is shown."""

    values: list[str]


class Blocked(Message, frozen=True, kw_only=True):
    """A handler keeps the runner's event loop from turning; ``seconds`` 0 says that it turns again.

    ``where`` is ``file:line:function``.
    """

    seconds: float
    run_id: str | None = None
    step: str | None = None
    where: str = ""


Command = (
    WatchWaits
    | Load
    | Run
    | Retry
    | Resume
    | Signal
    | Cancel
    | Pause
    | PreviewRetry
    | Fork
    | Replay
    | Delete
    | Breakpoints
    | Drain
    | Stop
)
Report = (
    Secrets
    | Hello
    | Loading
    | Loaded
    | Started
    | Accepted
    | Ended
    | Refused
    | Plan
    | Replayed
    | Deleted
    | Output
    | Blocked
)

_encoder = msgspec.json.Encoder()
_commands: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)
_reports: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)


def encode(message: Message) -> bytes:
    """Return the message as one line."""
    return _encoder.encode(message) + b"\n"


def decode_command(line: bytes) -> Command:
    """Read a line written by the dashboard. Raises ``msgspec.MsgspecError``."""
    return _commands.decode(line)


def decode_report(line: bytes) -> Report:
    """Read a line written by a runner. Raises ``msgspec.MsgspecError``."""
    return _reports.decode(line)
