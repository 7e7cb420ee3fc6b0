"""An async, typed workflow engine.

A workflow is a chain of named steps and commits. Every step's result is stored, so that a run can be
inspected, retried from any step, and resumed after a crash.

    from flux_engine import FluxEngine, create_workflow

    flow = create_workflow("greet").step("hello", lambda ctx: print("hello", ctx.input))
    FluxEngine().execute_sync(flow, "world")
"""

import typing as _typing

from flux_engine.builder import WorkflowBuilder, create_workflow
from flux_engine.clock import Clock
from flux_engine.context import Context
from flux_engine.data import Data
from flux_engine.definition import StepDefinition, WorkflowDefinition
from flux_engine.engine import FluxEngine
from flux_engine.errors import (
    DataConflictError,
    DefinitionChangedError,
    DefinitionError,
    FatalError,
    FluxError,
    InvalidInputError,
    InvalidTransitionError,
    MaskedRunError,
    OwnershipLostError,
    RunBusyError,
    RunExistsError,
    RunNotFoundError,
    SchemaVersionError,
    SerializationError,
    SignalMismatchError,
    StepNotFoundError,
    StepTimeoutError,
    StorageError,
    TransactionError,
    UnknownTypeError,
    WaitTimeoutError,
    WorkflowFailedError,
    WorkflowMismatchError,
)
from flux_engine.execution import (
    AttemptRecord,
    Changes,
    ErrorInfo,
    Frame,
    RepeatedCommit,
    RetryPlan,
    RunStatus,
    RunSummary,
    StepHistory,
    StepStatus,
    WaitsFor,
    WorkflowState,
)
from flux_engine.exported_run import import_exported
from flux_engine.gravito import ImportReport, import_gravito
from flux_engine.hooks import HookEvent, Hooks
from flux_engine.logger import FluxConsoleLogger, FluxLogger, FluxSilentLogger
from flux_engine.profiler import Profile, StepProfile, profile, profile_sync
from flux_engine.replay_report import ReplayReport, StepDifference
from flux_engine.result import FluxResult
from flux_engine.retry import Backoff, exponential, fixed, none
from flux_engine.secrets import register_secret
from flux_engine.storage.base import RunTransaction, StatementResult, WorkflowStorage
from flux_engine.storage.memory import MemoryStorage
from flux_engine.storage.sqlite import SQLiteStorage
from flux_engine.trace.events import EventType, TraceEvent
from flux_engine.trace.file_sink import JsonFileTraceSink
from flux_engine.trace.reader import TraceReader, read_events
from flux_engine.trace.sinks import CallbackTraceSink, FluxTraceSink, LoggingTraceSink, MultiTraceSink
from flux_engine.transaction import Transaction
from flux_engine.waiting import sleep, wait

if _typing.TYPE_CHECKING:
    from flux_engine.storage.postgres import PostgresStorage as PostgresStorage

__all__ = [
    "AttemptRecord",
    "Backoff",
    "CallbackTraceSink",
    "Changes",
    "Clock",
    "Context",
    "Data",
    "DataConflictError",
    "DefinitionChangedError",
    "DefinitionError",
    "ErrorInfo",
    "EventType",
    "FatalError",
    "FluxConsoleLogger",
    "FluxEngine",
    "FluxError",
    "FluxLogger",
    "FluxResult",
    "FluxSilentLogger",
    "FluxTraceSink",
    "Frame",
    "HookEvent",
    "Hooks",
    "ImportReport",
    "InvalidInputError",
    "InvalidTransitionError",
    "JsonFileTraceSink",
    "LoggingTraceSink",
    "MaskedRunError",
    "MemoryStorage",
    "MultiTraceSink",
    "OwnershipLostError",
    "Profile",
    "RepeatedCommit",
    "ReplayReport",
    "RetryPlan",
    "RunBusyError",
    "RunExistsError",
    "RunNotFoundError",
    "RunStatus",
    "RunSummary",
    "RunTransaction",
    "SQLiteStorage",
    "SchemaVersionError",
    "SerializationError",
    "SignalMismatchError",
    "StatementResult",
    "StepDefinition",
    "StepDifference",
    "StepHistory",
    "StepNotFoundError",
    "StepProfile",
    "StepStatus",
    "StepTimeoutError",
    "StorageError",
    "TraceEvent",
    "TraceReader",
    "Transaction",
    "TransactionError",
    "UnknownTypeError",
    "WaitTimeoutError",
    "WaitsFor",
    "WorkflowBuilder",
    "WorkflowDefinition",
    "WorkflowFailedError",
    "WorkflowMismatchError",
    "WorkflowState",
    "WorkflowStorage",
    "create_workflow",
    "exponential",
    "fixed",
    "import_exported",
    "import_gravito",
    "none",
    "profile",
    "profile_sync",
    "read_events",
    "register_secret",
    "sleep",
    "wait",
]


def __getattr__(name: str) -> _typing.Any:
    """Import what needs an extra when it is asked for: ``PostgresStorage``."""
    if name == "PostgresStorage":
        from flux_engine.storage.postgres import PostgresStorage  # noqa: PLC0415 - needs psycopg

        return PostgresStorage
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
