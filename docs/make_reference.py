"""Writes the pages that come from docstrings: ``uv run python docs/make_reference.py``.

``docs/reference.md`` has every public name of the engine, ``docs/configuration.md`` every setting.
"""

# ruff: noqa: INP001

import enum
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import flux_engine
import flux_engine.testing
from flux_engine import Hooks, StepDefinition
from flux_engine.builder import StepOptions
from flux_tui.settings import KEYS, Settings, adapter

DOCS = Path(__file__).parent

GROUPS = {
    "Writing workflows": (
        "create_workflow WorkflowBuilder StepOptions WorkflowDefinition StepDefinition Context Data wait "
        "sleep Backoff exponential fixed none FatalError"
    ),
    "Running them": (
        "FluxEngine FluxResult RetryPlan RepeatedCommit ReplayReport StepDifference Hooks HookEvent "
        "Clock register_secret profile profile_sync Profile StepProfile"
    ),
    "Looking at runs": (
        "WorkflowState RunSummary StepHistory AttemptRecord Changes ErrorInfo Frame WaitsFor RunStatus "
        "StepStatus"
    ),
    "Storage": (
        "WorkflowStorage SQLiteStorage MemoryStorage Transaction RunTransaction StatementResult "
        "import_exported import_gravito ImportReport"
    ),
    "Trace and logs": (
        "FluxTraceSink JsonFileTraceSink MultiTraceSink LoggingTraceSink CallbackTraceSink TraceEvent "
        "EventType TraceReader read_events FluxLogger FluxConsoleLogger FluxSilentLogger"
    ),
    "Errors": "",
}
CONFIGURATION = """\
# Configuration

Flux works without any. Four places are read, and what a later one says goes before what an earlier one says:

1. `[tool.flux]` in `pyproject.toml`,
2. `flux.toml`, with the same keys at its top level,
3. the environment: `FLUX_DB`, `FLUX_THEME` and so on, one variable for each key,
4. the options of the command.

Both files are looked for in the project folder, which is the current folder; relative paths start there. A
key that is unknown is refused with the place it stands in and the nearest key there is. `flux config show`
prints what counts, and where each value comes from.

```toml
[tool.flux]
workflows = ["workflows"]
theme = "flux-light"
redact = ["iban"]
keymap = { retry = "t,f5" }
```
"""
SECTIONS = {"Args:": "Takes", "Raises:": "Raises", "Returns:": "Returns"}


def reference() -> str:
    """Return the page of the engine's public names."""
    return "\n".join(_reference()).rstrip() + "\n"


def _reference() -> Iterator[str]:
    yield "# Reference\n"
    yield "Every public name of `flux_engine`, from its docstrings. [API](api.md) is the short form.\n"
    left = set(flux_engine.__all__)
    for title, names in GROUPS.items():
        members = [name for name in names.split() if name in left or name == "StepOptions"]
        if title == "Errors":
            members = sorted(name for name in left if _is_error(getattr(flux_engine, name)))
        left -= set(members)
        if title == "Errors" and (rest := sorted(left)):
            yield "## Others\n"
            yield from (part for name in rest for part in _entry(name, _value(name)))
        yield f"## {title}\n"
        yield from (part for name in members for part in _entry(name, _value(name)))
    yield "## `flux_engine.testing`\n"
    for name in flux_engine.testing.__all__:
        yield from _entry(name, getattr(flux_engine.testing, name))


def _value(name: str) -> Any:
    return StepOptions if name == "StepOptions" else getattr(flux_engine, name)


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


def _entry(name: str, value: Any) -> Iterator[str]:
    yield f"### `{name}{_signature(value)}`\n"
    yield _text(value)
    if isinstance(value, type) and issubclass(value, enum.Enum):
        yield " ".join(f"`{member.value}`" for member in value) + "\n"
        return
    if isinstance(value, type) and not _is_error(value) and value not in (Hooks, StepDefinition):
        yield from _members(name, value)


def _members(owner: str, value: type) -> Iterator[str]:
    members: dict[str, Any] = {}
    for base in reversed(value.__mro__):
        if base.__module__.startswith("flux_engine"):
            members |= vars(base)
    for name, member in members.items():
        if name.startswith("_") or not _is_documented(member):
            continue
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        signature = "" if isinstance(member, property) else _signature(function)
        yield f"#### `{owner}.{name}{signature}`\n"
        yield _text(function)


def _is_documented(member: object) -> bool:
    kinds = (types.FunctionType, property, staticmethod, classmethod)
    function = member.fget if isinstance(member, property) else member
    return isinstance(member, kinds) and bool(inspect.getdoc(function))


def _signature(value: Callable[..., Any]) -> str:
    if value is StepOptions:
        return ""
    if isinstance(value, type) and (issubclass(value, enum.Enum) or _is_error(value) or _is_protocol(value)):
        return ""
    if not callable(value):
        return ""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    shown = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    bare = signature.replace(parameters=shown, return_annotation=inspect.Signature.empty)
    text = re.sub(r"<([^<>]*) at 0x[0-9a-f]+>", r"<\1>", str(bare))
    return text if len(text) < 200 else "(…)"  # noqa: PLR2004


def _is_protocol(value: type) -> bool:
    return typing.Protocol in value.__mro__


def _text(value: object) -> str:
    """Return a docstring as Markdown: its sections as lists."""
    text = re.sub(r"``([^`]+)``", r"`\1`", inspect.getdoc(value) or "")
    lines: list[str] = []
    inside = False
    for line in text.splitlines():
        if line in SECTIONS:
            lines += ["", f"{SECTIONS[line]}", ""]
            inside = True
        elif not line or not line.startswith("    "):
            lines.append(line)
            inside = inside and not line
        elif inside and not line.startswith("     ") and (item := re.match(r"    (\w+): (.*)", line)):
            lines.append(f"- `{item[1]}`: {item[2]}")
        elif inside:
            lines.append(f"  {line.strip()}" if line.startswith("     ") else line.strip())
        else:
            lines.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def configuration() -> str:
    """Return the page of the settings."""
    return "\n".join(_configuration()).rstrip() + "\n"


def _configuration() -> Iterator[str]:
    yield CONFIGURATION
    yield "| key | default | environment | what it says |\n|---|---|---|---|"
    defaults, schema = Settings(), adapter(Settings).json_schema()
    for name in KEYS:
        default = getattr(defaults, name)
        description = schema["properties"][name]["description"]
        said = re.sub(r"``([^`]+)``", r"`\1`", " ".join(description.split())).replace("|", "\\|")
        yield f"| `{name}` | {_default(default)} | `FLUX_{name.upper()}` | {said} |"


def _default(value: object) -> str:
    if value in (None, (), {}):
        return ""
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    (DOCS / "reference.md").write_text(reference(), encoding="utf-8")
    (DOCS / "configuration.md").write_text(configuration(), encoding="utf-8")
